"""The same study on the same rows in four formats: its results are the same, to the bytes of its predictions."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from tests.support.same_rows import delimited, parquet
from tests.workflow.test_tasks_of_files import METRICS, STUDY, rows
from tunegrid.results.compare import compare
from tunegrid.stages.evaluate import evaluate_run
from tunegrid.stages.fetch_data import fetch_data
from tunegrid.stages.fetch_model import fetch_model
from tunegrid.stages.tokenise import tokenise
from tunegrid.stages.train import train
from tunegrid.study.load import load_study

pytestmark = pytest.mark.slow
TASKS, NEWER, SPLITS = ("qa", "translation", "sentiment"), tuple(METRICS), ("train", "test")
# Several references, and texts in several parts: lists, which CSV has as JSON.
SEVERAL = {
    "summaries": {"summary": ["It rains.", "It is warm; then it rains."]},
    "orders": {"target": ["Anna: park.", 'She said "no", and left.']},
    "pairs": {"sentence2": ["One part,", "and another."]},
}


def flattened(row: dict) -> dict:
    """A row as a table has it: `answers.text` for `{answers: {text: …}}`."""
    inner = {key: value for key, value in row.items() if isinstance(value, dict)}
    flat = {f"{key}.{name}": value for key, values in inner.items() for name, value in values.items()}
    return {key: value for key, value in row.items() if key not in inner} | flat


def sources(form: str, task: str) -> dict:
    """Writes the rows of the tiny study in a format; returns the settings of the source."""
    folder = Path(form) / task
    folder.mkdir(parents=True)
    for split in SPLITS:
        lines = Path(f"rows/{task}-{split}.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        match form:
            case "csv":
                (folder / f"{split}.csv").write_bytes(delimited([flattened(row) for row in rows], ";", "\r\n"))
            case "hub":
                (folder / f"{split}.csv").write_bytes(delimited([flattened(row) for row in rows], ",", "\n"))
            case "parquet":
                (folder / f"{split}.parquet").write_bytes(parquet(rows))
            case "jsonl":
                (folder / f"{split}.jsonl").write_text("\n".join(lines))
    if form == "hub":
        return {"kind": "hub", "path": str(folder)}
    return {"kind": "files", "paths": {split: str(folder / f"{split}.{form}") for split in SPLITS}}


def newer_kinds() -> dict:
    """The settings of a study of the kinds of task that the tiny study does not have; writes their rows."""
    for task in NEWER:
        for split, (begin, end) in {"train": (0, 16), "test": (16, 24)}.items():
            made = [row | SEVERAL.get(task, {}) for row in rows(task, begin, end)]
            Path(f"rows/{task}-{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return yaml.safe_load(STUDY)


@pytest.mark.parametrize("tasks", [TASKS, NEWER], ids=["the paper's kinds", "newer kinds"])
def test_the_format_of_the_rows_alters_no_result(tiny, tasks):
    settings = yaml.safe_load(tiny.read_text()) if tasks == TASKS else newer_kinds()
    folders = {}
    for form in ("jsonl", "csv", "parquet", "hub"):
        values = copy.deepcopy(settings) | {"study": form, "seeds": [1]}
        values["training"] |= {"max_steps": 3}
        values["grid"] |= {"models": ["t5"], "methods": [next(iter(values["methods"]))]}
        for task in tasks:
            values["tasks"][task]["source"] = sources(form, task)
            values["tasks"][task].pop("evaluate_on", None)
        Path(f"{form}.yaml").write_text(yaml.safe_dump(values))
        study = load_study(f"{form}.yaml")
        paths, model = study.paths, study.grid.models[0]
        fetch_model(study, model, paths.model(model))
        for task in tasks:
            fetch_data(task, study.task(task), paths.data(task))
            tokenise(study.task(task, model), "t5", paths.data(task), paths.model(model), paths.tokens(task, model))
        for run in study.runs():
            train(study, run, paths.run(run))
            evaluate_run(study, run, paths.run(run))
        folders[form] = Path("results", form)
    first = folders.pop("jsonl")
    names = [str(path.relative_to(first)) for path in sorted(first.rglob("predictions.parquet"))]
    assert len(names) == len(tasks)
    for form, folder in folders.items():
        differences = compare(first, folder)
        assert [line for line in differences if "source" not in line and "configuration_hash" not in line] == [], form
