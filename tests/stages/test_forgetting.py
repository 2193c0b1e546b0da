"""The stages of `forgetting`: held-out text of a file and of the generated world, losses of runs and untuned models."""

import json
from itertools import islice
from pathlib import Path

import pandas as pd
import pytest

from tests.support.processes import tunegrid
from tests.support.small_study import BASE, changed, refusal
from tunegrid.common.errors import TuneGridError
from tunegrid.data import miniworld
from tunegrid.results.records import ForgettingRecord, read_record
from tunegrid.stages.held_out_text import write_held_out_text
from tunegrid.study.cells import Cell, Run
from tunegrid.study.checks import check_files
from tunegrid.study.stage_settings import evaluation_settings, run_settings

TEXT = "\n\n".join(f"Document {n}.\nIt has two lines." for n in range(12)) + "\n\nDocument 3.\nIt has two lines.\n"
CHANGES = "forgetting: {text: text.txt, documents: 10}"


@pytest.fixture
def remembering(tiny_study):
    Path("text.txt").write_text(TEXT)
    return tiny_study(CHANGES)


def test_documents_of_a_file_stand_between_blank_lines_and_count_once(remembering):
    write_held_out_text(remembering, remembering.paths.held_out_text)
    texts = pd.read_parquet(remembering.paths.held_out_text / "text.parquet")["text"].tolist()
    assert texts == [f"Document {n}. It has two lines." for n in range(10)]
    assert json.loads((remembering.paths.held_out_text / "card.json").read_text())["rows"] == {"test": 10}


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"one\n\ntwo\n", "has 2 documents .* `documents` is 10"), (b"\xff\xfe", "not UTF-8"), (None, "No such file")],
)
def test_a_text_that_is_too_short_or_cannot_be_read_is_refused(remembering, content, says):
    Path("text.txt").unlink() if content is None else Path("text.txt").write_bytes(content)
    with pytest.raises(TuneGridError, match=says):
        write_held_out_text(remembering, remembering.paths.held_out_text)
    assert not remembering.paths.held_out_text.exists()


def test_a_run_and_an_untuned_model_are_measured_by_their_commands(remembering):
    names = "--task sentiment --model bart --method lora --seed 1".split()
    for command in (["held-out-text"], ["train", *names], ["evaluate-forgetting", *names],
                    ["forgetting-untuned", "--model", "bart"]):  # fmt: skip
        tunegrid(command[0], "tiny.yaml", "changes.yaml", *command[1:])
    run = remembering.paths.run(Run(Cell("sentiment", "bart", "lora"), 1))
    losses = []
    for folder in (run, remembering.paths.untuned_forgetting("bart")):
        record = read_record(folder / "forgetting.json", ForgettingRecord)
        frame = pd.read_parquet(folder / "forgetting.parquet")
        assert (record.status, record.documents, record.tokens) == ("ok", 10, frame["tokens"].sum())
        assert record.loss == pytest.approx(frame["nats"].sum() / frame["tokens"].sum())
        losses.append(record.loss)
    assert losses[0] != losses[1]
    # A run that failed has no loss.
    record = json.loads((run / "train.json").read_text()) | {"status": "failed", "reason": "no memory"}
    (run / "train.json").write_text(json.dumps(record))
    tunegrid("evaluate-forgetting", "tiny.yaml", "changes.yaml", *names)
    record = read_record(run / "forgetting.json", ForgettingRecord)
    assert (record.status, record.loss) == ("failed", None)


@pytest.mark.parametrize("objective", ["infilling", "exercises"])
def test_generated_text_is_none_that_a_model_was_pretrained_on(tiny_study, objective):
    pretrain = "{kind: pretrain, documents: 60, exercises: 60, steps: 4}"
    study = tiny_study(
        f"models: {{made: {{family: t5, source: {pretrain}}}}}\ngrid: {{models: [made]}}\n"
        f"forgetting: {{objective: {objective}, documents: 40, seed: 1}}"
    )
    facts = {"recipe": {"seed": 2**32 + 1, "documents": 60, "exercises": 60}, "left_out": 0, "fingerprint": "f"}
    card = study.paths.model_card("made")
    card.parent.mkdir(parents=True)
    card.write_text(json.dumps(facts))  # as if the pretraining had read the very stream
    write_held_out_text(study, study.paths.held_out_text)
    frame = pd.read_parquet(study.paths.held_out_text / "text.parquet")
    assert len(frame) == 40
    if objective == "infilling":
        read, ours = set(islice(miniworld.documents(2**32 + 1), 60)), set(frame["text"])
    else:
        read = set(islice(miniworld.instructions(2**32 + 1), 60))
        ours = set(zip(frame["source"], frame["target"], strict=True))
    assert not read & ours
    assert json.loads((study.paths.held_out_text / "card.json").read_text())["left_out"] >= 50


def test_a_study_whose_models_are_not_of_the_generated_world_names_a_text(load):
    message = refusal(load, BASE + "forgetting: {}\n")
    assert "forgetting.text: required: a text file that t5 has not seen" in message
    assert "exercises are of the generated world" in refusal(
        load, BASE + "forgetting: {objective: exercises, text: a}\n"
    )
    assert "Did you mean documents?" in refusal(load, BASE + "forgetting: {document: 5}\n")
    study = load(changed("tasks: [qa, sentiment]", "tasks: [qa]").replace("models: [t5, bart]", "models: [t5]")
                 + "forgetting: {text: nowhere.txt}\n")  # fmt: skip
    with pytest.raises(TuneGridError, match=r"^forgetting\.text: nowhere\.txt: no such file"):
        check_files(study)


def test_forgetting_runs_nothing_else_again(load):
    plain, study = load(BASE), load(BASE + "forgetting: {text: a.txt}\n")
    assert [run_settings(study, cell) for cell in study.cells()] == [run_settings(plain, c) for c in plain.cells()]
    assert evaluation_settings(study, "qa") == evaluation_settings(plain, "qa")


@pytest.fixture
def load(tmp_path, monkeypatch):
    from tunegrid.study.load import load_study

    monkeypatch.chdir(tmp_path)

    def load_text(text: str):
        Path("first.yaml").write_text(text)
        return load_study("first.yaml")

    return load_text
