"""`tunegrid predict`: the answers of the evaluation, from any file, one by one from a pipe; which run; what it refuses."""

import csv
import gzip
import json
import lzma
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.seals import seal_run
from tests.support.winners import CELLS, CONFIG, predictions, recommend
from tunegrid.cli import main
from tunegrid.common.errors import TuneGridError
from tunegrid.deploy.choose import choose
from tunegrid.deploy.input import Input, Stream
from tunegrid.study.cells import Cell, Run
from tunegrid.study.study import Study


def predict(*options: str) -> int:
    return main(["predict", *CONFIG, *options])


def of(cell: Cell) -> list[str]:
    return ["--task", cell.task, "--model", cell.model, "--method", cell.method]


def answers(file: str) -> list[dict]:
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_test_rows_get_the_predictions_of_the_evaluation(study, tmp_path, cell):
    """Windows, cuts, beams and label words as there; the rows as the Hub has them, and as the data stage wrote them."""
    expected = predictions(study, cell)
    said = expected[[name for name in ("prediction", "score_positive", "window_score") if name in expected]]
    assert len(said.drop_duplicates()) > 3, "the model tells the rows apart"
    for source in (f"rows/{cell.task}-test.jsonl", f"results/tiny/data/{cell.task}/test.parquet"):
        output = str(tmp_path / "answers.jsonl")
        assert predict(*of(cell), "--input", source, "--output", output, "--unmerged") == 0
        found = answers(output)
        assert [row["prediction"] for row in found] == expected["prediction"].tolist()
        for column in set(expected) & {"window", "window_score", "score_negative", "score_positive"}:
            kept = [value if value == value else None for value in expected[column].tolist()]
            assert [row.get(column) for row in found] == kept
    assert [row["id"] for row in found] == expected["id"].tolist()
    if cell.task == "qa":
        assert expected["window"].max() > 0, "some answers come from a later window"


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.method == "lora"], ids=str)
def test_merging_lora_and_answering_few_rows_at_once_alter_no_answer_here(study, tmp_path, cell):
    expected = predictions(study, cell)["prediction"].tolist()
    output = str(tmp_path / "answers.jsonl")
    source = ["--input", f"results/tiny/data/{cell.task}/test.parquet"]
    for more in ([], ["--at-once", "3"]):
        assert predict(*of(cell), *source, "--output", output, *more) == 0
        assert [row["prediction"] for row in answers(output)] == expected


def test_merged_means_without_the_method_s_modules(study):
    from peft import PeftModel

    from tunegrid.deploy.predict import load_model

    winner = choose(study, "qa", "flan-t5", "lora")
    assert isinstance(load_model(study, winner, merged=False), PeftModel)
    merged = load_model(study, winner)
    assert not [name for name, _ in merged.named_modules() if "lora" in name]


def test_csv_and_plain_text_give_the_same_answers_and_standard_output_only_them(study, tmp_path, capsys):
    rows = [json.loads(line) for line in Path("rows/qa-test.jsonl").read_text().splitlines()]
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["context", "question"])
        writer.writeheader()
        writer.writerows({key: row[key] for key in ("context", "question")} for row in rows)
    (tmp_path / "rows.txt").write_text("".join(f"{row['question']}\t{row['context']}\n\n" for row in rows))
    cell = CELLS[0]
    for name in ("rows.csv", "rows.txt"):
        assert predict(*of(cell), "--input", str(tmp_path / name)) == 0
        said = capsys.readouterr()
        assert said.out.splitlines() == predictions(study, cell)["prediction"].tolist()
        assert "qa: t5 with full, seed 1" in said.err


# -- rows -------------------------------------------------------------------------------------------------------------

UNUSABLE = {
    "no context": ("rows.jsonl", '{"question": "who?", "text": "x"}', ["rows.jsonl, line 1: lacks context", "It has: question, text"]),
    "nothing known": ("rows.jsonl", '{"a": 1}', ["lacks question, context"]),
    "empty": ("rows.csv", "question,context\nwho?,\n", ["rows.csv, line 2: column context: expected text"]),
    "a number": ("rows.jsonl", '{"question": 1, "context": "x"}', ["column question: expected text, found 1"]),
    "no tab": ("rows.txt", "who?\tAnna\nwho is it? Anna\n", ["rows.txt, line 2: has 1 field(s)", "question, context", "a tab"]),
    "no JSON": ("rows.jsonl", "{", ["rows.jsonl, line 1: not valid JSON"]),
    "a key twice": ("rows.jsonl", '{"question": "who?", "question": "x", "context": "y"}', ["rows.jsonl, line 1: the key 'question'"]),
    "a folder": (".", None, ["is a folder"]),
    "no rows": ("rows.jsonl", "\n", ["rows.jsonl: has no rows"]),
    "no known suffix": ("rows.xml", "", ["unknown file type", ".jsonl, .json, .csv, .tsv, .parquet", ".conll", ".txt", "--format"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "says"), UNUSABLE.values(), ids=UNUSABLE)
def test_rows_that_cannot_be_used_are_named_before_anything_is_written(study, tmp_path, capsys, name, text, says):
    if text is not None:
        (tmp_path / name).write_text(text)
    output = tmp_path / "answers.jsonl"
    assert predict(*of(CELLS[0]), "--input", str(tmp_path / name), "--output", str(output)) == 1
    said = capsys.readouterr()
    assert [part for part in says if part not in said.err] == []
    assert (said.out, output.exists()) == ("", False)


def test_the_study_s_own_names_of_columns_are_understood(tiny_study):
    study = tiny_study("tasks: {translation: {source: {columns: {source: english.text, id: number}}}}")
    task = study.task("translation", "t5")
    Path("rows.jsonl").write_text('{"number": 7, "english": {"text": " a dog "}}\n{"source": "a cat"}\n')
    assert list(Input.open(task, Path("rows.jsonl")).rows()) == [{"id": "7", "source": "a dog"}, {"source": "a cat"}]


def test_rows_are_cleaned_as_those_of_the_data_stage(tiny_study):
    task = tiny_study().task("sentiment", "t5")
    Path("rows.jsonl").write_text('{"text": "good<br />film "}\n')
    assert list(Input.open(task, Path("rows.jsonl")).rows()) == [{"text": "good film"}]


COMPRESSED = {"rows.JSONL.gz": gzip.compress, "rows.jsonl.xz": lzma.compress}


@pytest.mark.parametrize("name", [*COMPRESSED, "rows.CSV", "rows.tsv", "rows.json", "rows.csv"])
def test_the_readers_are_those_of_the_study_s_files(tiny_study, name):
    task = tiny_study().task("qa", "t5")
    rows = [{"question": "who; what?", "context": "Anna\nBen"}, {"question": "NA", "context": "null"}]
    separator = {"rows.CSV": ";", "rows.tsv": "\t"}.get(name, ",")
    if "json" in name.lower():
        text = json.dumps(rows) if name.endswith(".json") else "".join(json.dumps(row) + "\n" for row in rows)
        Path(name).write_bytes(COMPRESSED.get(name, bytes)(text.encode()))
    else:
        with Path(name).open("w", newline="") as file:
            writer = csv.DictWriter(file, ["question", "context"], delimiter=separator)
            writer.writeheader()
            writer.writerows(rows)
    assert list(Input.open(task, Path(name)).rows()) == rows


def test_a_dash_is_standard_input_and_a_pipe_is_read_as_it(tiny_study, monkeypatch):
    task = tiny_study().task("translation", "t5")
    read, write = os.pipe()
    os.write(write, b'{"source": "a dog"}\n')
    os.close(write)
    monkeypatch.setattr(
        "os.read", lambda descriptor, size, real=os.read: real(read if descriptor == 0 else descriptor, size)
    )
    assert list(Input.open(task, Path("-")).rows()) == [{"source": "a dog"}]
    os.close(read)
    os.mkfifo("pipe")
    writer = threading.Thread(target=Path("pipe").write_text, args=["a cat\n"])
    writer.start()
    assert list(Input.open(task, Path("pipe")).rows()) == [{"source": "a cat"}]
    writer.join()


@pytest.mark.parametrize(("line", "form"), [(b'{"source": "x"}', "jsonl"), (b'\xef\xbb\xbf { "source', "jsonl"), (b"{}", "jsonl"),
                                            (b"{x}", "text"), (b"a dog", "text"), (b'{"a": ' + b"[" * 20_000, "jsonl")])  # fmt: skip
def test_the_first_line_says_what_standard_input_is(tiny_study, line, form):
    read, write = os.pipe()
    os.write(write, line + b"\n")
    os.close(write)
    assert Input._stream(tiny_study().task("translation", "t5"), Stream(read), None).form == form
    os.close(read)


def test_rows_of_a_pipe_are_handed_on_as_soon_as_no_more_come(tiny_study):
    """Somebody who waits for an answer before asking on gets it; nobody waits for a batch to be full."""
    from tunegrid.deploy.predict import _blocks

    task = tiny_study().task("qa", "t5")
    read, write = os.pipe()
    os.write(write, b"\nwho?\tAnna\n")
    blocks = _blocks(Input(task, Stream(read), "text"), size=3)
    assert next(blocks) == [{"question": "who?", "context": "Anna"}]
    for number in range(4):
        os.write(write, f"who {number}?\tBen\n".encode())
    assert [len(next(blocks)), len(next(blocks))] == [3, 1]
    os.write(write, b"where?\tParis")
    timer = threading.Timer(0.3, os.close, [write])
    timer.start()
    assert list(blocks) == [[{"question": "where?", "context": "Paris"}]]
    timer.join()
    os.close(read)


@pytest.mark.slow
def test_a_person_who_types_gets_an_answer_a_line_and_may_mistype(study):
    import pty

    terminal, stdin = pty.openpty()
    cell = CELLS[0]
    command = [sys.executable, "-m", "tunegrid", "predict", *CONFIG, *of(cell)]
    running = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    rows = [json.loads(line) for line in Path("rows/qa-test.jsonl").read_text().splitlines()]
    expected = predictions(study, cell)["prediction"].tolist()
    try:
        for row, answer in list(zip(rows, expected, strict=True))[:3]:
            os.write(terminal, b"no tab here\n")
            os.write(terminal, f"{row['question']}\t{row['context']}\n".encode())
            assert running.stdout.readline().rstrip("\n") == answer
        os.write(terminal, b"\x04")
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
        os.close(terminal)
        os.close(stdin)
    assert (running.returncode, out) == (0, "")
    assert "One row a line: question, a tab, context" in err
    assert err.count("has 1 field(s)") == 3


# -- which run --------------------------------------------------------------------------------------------------------


def another_seed(study: Study, cell: Cell, seed: int, **selection: object) -> None:
    """Makes the run of seed 1 that of another seed, with other scores on validation data."""
    first, folder = (study.paths.run(Run(cell, number)) for number in (1, seed))
    if seed != 1:
        shutil.copytree(first, folder)
    record = json.loads((folder / "train.json").read_text())
    record |= {"seed": seed, "selection": record["selection"] | selection}
    (folder / "train.json").write_text(json.dumps(record))


def with_seeds(study: Study, *seeds: int) -> Study:
    return study.model_copy(update={"seeds": list(seeds)})


def test_of_several_seeds_validation_data_choose(own):
    cell = CELLS[0]
    recommend(own, qa="t5 full")
    for seed, loss in ((1, 2.0), (2, 1.5), (3, 1.75)):
        another_seed(own, cell, seed, validation_loss=loss)
    winner = choose(with_seeds(own, 1, 2, 3), "qa")
    assert (winner.run.cell, winner.run.seed) == (cell, 2)
    assert "Recommended: Best." in winner.reason
    assert "2 has the lowest validation loss: 1.5, and not 2 with seed 1, 1.75 with seed 3" in winner.reason
    assert choose(with_seeds(own, 1, 2, 3), "qa", seed=3).run.seed == 3


def test_a_validation_metric_chooses_the_highest(own):
    for seed, value in ((1, 0.5), (2, 0.25)):
        another_seed(own, CELLS[0], seed, by="exact_match", validation_metric=value, validation_loss=1.0 - value / 10)
    winner = choose(with_seeds(own, 2, 1), "qa", "t5", "full")
    assert winner.run.seed == 1
    assert "highest exact_match on validation data" in winner.reason


def test_a_seed_that_failed_is_passed_over_and_named(own):
    another_seed(own, CELLS[0], 2, validation_loss=0.1)
    file = own.paths.run(Run(Cell("qa", "t5", "full"), 2)) / "train.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"status": "diverged", "reason": "the loss is nan"}))
    winner = choose(with_seeds(own, 1, 2, 3), "qa", "t5", "full")
    assert winner.run.seed == 1
    assert "seed 2 (diverged: the loss is nan); seed 3 (not trained yet)" in winner.reason
    with pytest.raises(TuneGridError, match=r"qa_t5_full has no weights to use \(seed 2: diverged: the loss is nan\)"):
        choose(with_seeds(own, 1, 2), "qa", "t5", "full", 2)


def test_without_the_study_or_its_tables_it_says_so(own, tmp_path, capsys, monkeypatch):
    source = ["--input", "rows/qa-test.jsonl"]
    assert predict("--task", "qa", *source) == 1
    assert "recommendation.csv: no such file, so no run is recommended. `tunegrid tables`" in capsys.readouterr().err
    recommend(own, translation="t5 full")
    assert predict("--task", "qa", *source) == 1
    assert "says nothing of the task qa" in capsys.readouterr().err
    recommend(own, qa="")
    assert predict("--task", "qa", *source) == 1
    assert "No cell is recommended for the task qa. No cell has a result." in capsys.readouterr().err
    recommend(own, qa="mbart full")
    assert predict("--task", "qa", *source) == 1
    assert "recommends qa_mbart_full, which the study does not have" in capsys.readouterr().err
    shutil.move("results", tmp_path / "elsewhere")
    assert predict("--task", "qa", *source) == 1
    assert "results/tiny/: no such folder of results" in capsys.readouterr().err


def test_names_that_the_study_does_not_have_are_refused(study, capsys):
    refused = {
        ("--task", "qaa"): "Did you mean qa?",
        ("--task", "qa", "--model", "t5"): "give both",
        ("--task", "qa", "--model", "t5", "--method", "bitfit"): "no cell (task_model_method) qa_t5_bitfit",
        ("--task", "qa", "--seed", "9"): "no seed 9",
    }
    for options, says in refused.items():
        assert predict(*options, "--input", "rows/qa-test.jsonl") == 1
        assert says in capsys.readouterr().err


def test_what_is_gone_or_has_changed_is_said(own, capsys):
    options = [*of(CELLS[0]), "--input", "rows/qa-test.jsonl"]

    def refused(says: str) -> None:
        assert predict(*options) == 1
        assert says in capsys.readouterr().err

    changes = Path("changes.yaml").read_text()
    Path("changes.yaml").write_text(changes.replace("window_overlap: 4", "window_overlap: 5"))
    refused("was trained with other settings than the study has now (window_overlap: 4 then, 5 now)")
    Path("changes.yaml").write_text(changes)

    card = own.paths.model_card("t5")
    text = card.read_text()
    card.write_text(json.dumps(json.loads(text) | {"fingerprint": "another"}))
    refused("is another model (fingerprint another)")
    card.write_text(text)

    weights = own.paths.run(Run(Cell("qa", "t5", "full"), 1)) / "weights"
    shutil.move(weights, "weights")
    refused("`tunegrid clean --weights` removes them. Train it again: snakemake … --forcerun train_qa_t5_full")
    shutil.move("weights", weights)

    shutil.rmtree(own.paths.model("t5"))
    refused("the base model, which has the tokenizer too, is not there; `tunegrid clean` removes it")


@pytest.mark.parametrize("cell", [Cell("qa", "t5", "full"), Cell("sentiment", "bart", "full")], ids=str)
def test_weights_that_give_no_finite_logits_end_with_a_message(own, capsys, cell):
    from safetensors.torch import load_file, save_file

    (file,) = own.paths.run(Run(cell, 1)).glob("weights/*.safetensors")
    tensors = {name: tensor * float("nan") for name, tensor in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
    seal_run(own, Run(cell, 1))
    assert predict(*of(cell), "--input", f"rows/{cell.task}-test.jsonl") == 1
    assert "the model's logits are not finite" in capsys.readouterr().err


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)


def _weights(study: Study, cell: Cell) -> Path:
    return study.paths.run(Run(cell, 1)) / "weights" / ("biases" if cell.method == "bitfit" else "adapter_model")


def _exchange_weights(study: Study, cell: Cell) -> None:
    """Puts the weights of another task's run, of the same model and method, in the place of a run's."""
    mine, other = (
        _weights(study, each).with_suffix(".safetensors") for each in (cell, Cell("sentiment", cell.model, cell.method))
    )
    shutil.copy(other, mine)


DAMAGES = {
    "a byte of the weights": (
        Cell("sentiment", "t5", "lora"), lambda study, cell: _flip(_weights(study, cell).with_suffix(".safetensors"))
    ),
    "a setting of the adapter": (
        Cell("sentiment", "t5", "lora"), lambda study, cell: _flip(_weights(study, cell).with_name("adapter_config.json"))
    ),
    "a byte of the base": (
        Cell("translation", "bart", "lora"), lambda study, _: _flip(study.paths.model("bart") / "model.safetensors")
    ),
    "another tokenizer": (
        Cell("qa", "bart", "adapters"),
        lambda study, _: shutil.copy(study.paths.model("t5") / "tokenizer.json", study.paths.model("bart")),
    ),
    "weights of another run": (Cell("qa", "bart", "bitfit"), _exchange_weights),
}  # fmt: skip


@pytest.mark.parametrize(("cell", "damage"), DAMAGES.values(), ids=DAMAGES.keys())
def test_what_was_damaged_or_exchanged_answers_nothing(own, capsys, tmp_path, cell, damage):
    """Neither predicted, exported nor evaluated: each would go on with wrong numbers, without a word."""
    from tunegrid.stages.evaluate import evaluate_run

    damage(own, cell)
    commands = [
        ["predict", *CONFIG, *of(cell), "--input", f"rows/{cell.task}-test.jsonl"],
        ["export", *CONFIG, str(tmp_path / "out"), *of(cell)],
    ]
    for command in commands:
        assert main(command) == 1, command
        printed = capsys.readouterr()
        assert "is damaged, or another file than the one that was saved" in printed.err
        assert not printed.out
    with pytest.raises(TuneGridError, match="is damaged, or another file"):
        evaluate_run(own, Run(cell, 1), own.paths.run(Run(cell, 1)))
    assert not (tmp_path / "out").exists()


def test_input_that_the_vocabulary_cannot_read_is_warned_of_once(study, tmp_path, capsys):
    file = tmp_path / "rows.txt"
    file.write_text("a good film\nein ☃ film\n☃ ☂\n", encoding="utf-8")
    cell = Cell("sentiment", "t5", "lora")
    assert predict(*of(cell), "--input", str(file), "--at-once", "1") == 0
    output = capsys.readouterr()
    assert len(output.out.splitlines()) == 3
    (line,) = [line for line in output.err.splitlines() if "vocabulary" in line]
    assert line == (
        "tunegrid: 2 of 3 rows hold characters that the model's vocabulary does not have (☃, ☂): it answers as if they "
        "were not there."
    )
    assert predict(*of(Cell("sentiment", "bart", "full")), "--input", str(file)) == 0
    assert "vocabulary" not in capsys.readouterr().err, "bytes have every character"
