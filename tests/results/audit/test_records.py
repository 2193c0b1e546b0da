"""Records that were edited, or are of another run: each is held against the files that it can be computed from."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support.study_on_disk import expected_study, write_json, write_study
from tunegrid.models.seal import digests
from tunegrid.results.audit.records import records_agree
from tunegrid.results.read import read_results

EXPECTED = expected_study(seeds=(1,))
TASK = EXPECTED.tasks[0]
RUN = Path("runs/qa/mini-t5/lora/seed-1")
LOSS = float(f"{1 + 110 / 300:g}")  # at step 300 of its history


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = write_study(tmp_path_factory.mktemp("whole"), EXPECTED)
    (folder / RUN / "weights").mkdir()
    (folder / RUN / "weights/model.safetensors").write_bytes(b"weights")
    (folder / RUN / "weights/adapter.json").write_text("{}")
    selection = {"kept": "best", "by": "loss", "step": 300, "validation_loss": LOSS, "validation_metric": None}
    selection |= {"best_step": 300, "best_value": LOSS, "evaluations": 2, "stopped_early": False}
    change(folder / RUN / "train.json", weights=digests(folder / RUN / "weights"), selection=selection)
    return folder


@pytest.fixture
def folder(written, tmp_path) -> Path:
    return Path(shutil.copytree(written, tmp_path / EXPECTED.study))


def change(file: Path, **values) -> None:
    write_json(file, json.loads(file.read_text()) | values)


def change_within(file: Path, key: str, **values) -> None:
    change(file, **{key: json.loads(file.read_text())[key] | values})


def test_records_as_they_were_written_agree(written):
    checked, findings = records_agree(read_results(written, EXPECTED), TASK)
    assert (checked, findings) == (9 + 3 + 1, [])


def edit_a_score(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    change(run / "metrics.json", metrics=metrics | {"f1": metrics["f1"] | {"value": 0.99}})


def exchange_histories(run: Path) -> None:
    """With that of a run whose losses are others."""
    text = (run / "history.csv").read_text().replace(str(LOSS), "0.75")
    (run / "history.csv").write_text(text)


def lengthen_the_history(run: Path) -> None:
    with (run / "history.csv").open("a") as file:
        file.write("700,1.2,0.5,0.001,1.0,\n")


EDITS = {
    "a score": (edit_a_score, "metrics.json: says f1 0.990000, but predictions.parquet gives 0."),
    "a setting": (lambda run: change_within(run / "train.json", "configuration", training={"learning_rate": 1.0}),
                  "train.json: says configuration_hash .*, but that of its configuration is"),
    "the hash of the settings": (lambda run: change(run / "train.json", configuration_hash="0" * 16),
                                 "train.json: says configuration_hash 0000000000000000, but"),
    "the data of a training": (lambda run: change_within(run / "train.json", "provenance", data_fingerprint="others"),
                               "train.json: says data_fingerprint others, but the card of the data says d-qa"),
    "the model of a training": (lambda run: change_within(run / "train.json", "provenance", model_fingerprint="other"),
                                "train.json: says model_fingerprint other, but the card of the model says m"),
    "the model of an evaluation": (lambda run: change_within(run / "metrics.json", "provenance", model_fingerprint="x"),
                                   "metrics.json: says model_fingerprint x, but the card of the model says m"),
    "another history": (exchange_histories, "history.csv: has the validation loss 0.750000 at step 300, but train.json says"),
    "a longer history": (lengthen_the_history, "history.csv: has step 700, but train.json says that the run had 600"),
    "other weights": (lambda run: (run / "weights/model.safetensors").write_bytes(b"Weights"), "model.safetensors: is damaged"),
    "fewer weights": (lambda run: (run / "weights/adapter.json").unlink(), "adapter.json"),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "says"), EDITS.values(), ids=EDITS.keys())
def test_an_edit_is_an_error_that_names_the_record(folder, edit, says):
    edit(folder / RUN)
    _, findings = records_agree(read_results(folder, EXPECTED), TASK)
    (finding,) = findings
    assert (finding.severity, finding.rows) == ("error", (str(RUN),))
    assert str(RUN) in finding.computed
    assert re.search(says, finding.computed), finding.computed
