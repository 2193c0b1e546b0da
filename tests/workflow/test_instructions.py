"""A study of instruction tuning through Snakemake: one training for the cells of its tasks, again only for what alters it."""

import json
import re
import shutil
from collections import Counter

import pytest

from tests.support.instructed import CONFIG
from tests.support.running import Workflow

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Workflow:
    folder = tmp_path_factory.mktemp("instructions")
    for file in CONFIG:
        shutil.copy(file, folder / file.name)
    workflow = Workflow(folder, *(folder / file.name for file in CONFIG))
    done = workflow.snakemake("--cores", "1")
    assert done.returncode == 0, done.stdout[-5000:]
    return workflow


def jobs(workflow: Workflow, *overlays: str) -> Counter[str]:
    """The rules that a dry run would run, with their number of jobs."""
    configs = [str(workflow.folder / file.name) for file in CONFIG]
    for number, text in enumerate(overlays):
        (workflow.folder / f"overlay-{number}.yaml").write_text(text, encoding="utf-8")
        configs.append(str(workflow.folder / f"overlay-{number}.yaml"))
    result = Workflow(workflow.folder, *configs).snakemake("--dry-run", "-p")
    assert result.returncode == 0, result.stdout[-5000:]
    return Counter(re.findall(r"^ *(?:local)?rule (\S+):", result.stdout, re.MULTILINE))


def test_there_is_one_training_and_a_run_of_every_task(workflow):
    root = workflow.folder / "results" / "instructed"
    assert len(list(root.glob("mixtures/runs/*/*/*/train.json"))) == 1
    for task in ("translation", "qa", "sentiment"):
        folder = root / "runs" / task / "t5" / "instruct" / "seed-1"
        for name in ("train.json", "metrics.json", "wordings.json"):
            assert json.loads((folder / name).read_text())["status"] == "ok"
    assert "Instruction tuning" in (root / "report" / "report.html").read_text()
    assert jobs(workflow).keys() <= {"all"}


CHANGES = {
    "wordings that no training has": (
        "methods: {instruct: {wordings: {qa: {unseen: ['{context} {question}']}}}}",
        {"tokenise_wordings": 1, "evaluate": 1, "evaluate_wordings": 1, "evaluate_untuned_wordings": 1},
    ),
    "rows of a task that is held out": (
        "tasks: {qa: {source: {seed: 3}}}",
        {"fetch_data": 1, "tokenise_wordings": 1, "evaluate": 1, "evaluate_wordings": 1},
    ),
}


@pytest.mark.parametrize(("overlay", "again"), CHANGES.values(), ids=CHANGES)
def test_what_the_training_does_not_see_trains_nothing_again(workflow, overlay, again):
    planned = jobs(workflow, overlay)
    assert {name: planned[name] for name in again} == again
    assert not [name for name in planned if name.startswith(("train_", "tokenise_mixture"))]


def test_another_wording_of_the_training_trains_once_and_shares_again(workflow):
    planned = jobs(workflow, "methods: {instruct: {wordings: {sentiment: {train: ['{text}?']}}}}")
    assert (planned["tokenise_mixture"], planned["train_mixture"]) == (1, 1)
    assert sum(count for name, count in planned.items() if name.startswith("train_") and name != "train_mixture") == 3
