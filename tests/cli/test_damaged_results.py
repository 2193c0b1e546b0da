"""Files of a results folder that are not what they should be: the same message from every command that reads them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.winners import CONFIG
from tunegrid.cli import main
from tunegrid.study.cells import Cell, Run

CELL = Cell("qa", "t5", "full")
NAMED = ["--task", "qa", "--model", "t5", "--method", "full"]
COMMANDS = {
    "tables": ["tables", *CONFIG],
    "status": ["status", *CONFIG],
    "summary": ["summary", *CONFIG],
    "predict": ["predict", *CONFIG, *NAMED, "--input", "rows/qa-test.jsonl"],
    "export": ["export", *CONFIG, *NAMED, "exported"],
    "compare": ["compare", "results/tiny", "results/copy"],
    "clean": ["clean", *CONFIG, "--dry-run"],
}
FILES = {
    "train.json": ["tables", "status", "summary", "predict", "export", "compare"],
    "metrics.json": ["tables", "status", "summary", "compare"],
    "data card": ["tables", "status", "export", "compare"],
    "model card": ["tables", "predict", "export", "compare"],
    "stats.json": ["tables", "compare"],
}
DAMAGES = {
    "empty": (lambda content: b"", "not valid JSON"),
    "cut": (lambda content: content[: len(content) // 2], "not valid JSON"),
    "of another encoding": (lambda content: content.decode().encode("utf-16"), "not valid JSON"),
    "not an object": (lambda content: b"[1, 2]", "expected a JSON object, found list"),
    "nested without end": (lambda content: b'{"a": ' + b"[" * 200_000, "not valid JSON"),
    "deeply nested": (lambda content: b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}", ""),
    "of another schema": (lambda content: _retyped(content), "not a valid"),
}


def _retyped(content: bytes) -> bytes:
    """Every number becomes a list, every other value a number."""
    return json.dumps({key: [] if isinstance(value, int) else 3 for key, value in json.loads(content).items()}).encode()


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("damaged") / "study"
    shutil.copytree(trained, place)
    shutil.copytree(place / "results/tiny", place / "results/copy")
    return place


@pytest.fixture
def paths(folder, monkeypatch):
    from tunegrid.study.load import load_study

    monkeypatch.chdir(folder)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return load_study(*CONFIG).paths


def _file(paths, name: str) -> Path:
    run = paths.run(Run(CELL, 1))
    cards = {"data card": paths.data_card("qa"), "model card": paths.model_card("t5")}
    return (cards | {"stats.json": paths.tokens("qa", "t5") / "stats.json"}).get(name, run / name)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_one_message_wherever_it_is_read(paths, capsys, name, damage):
    file = _file(paths, name)
    content = file.read_bytes()
    spoil, says = DAMAGES[damage]
    try:
        file.write_bytes(spoil(content))
        for command in FILES[name]:
            code = main(COMMANDS[command])
            printed = capsys.readouterr()
            if command == "compare" and damage in ("not an object", "of another schema", "deeply nested"):
                assert code == 1  # it is JSON, and other than the other folder's
                continue
            text = printed.out if command == "status" and name in ("train.json", "metrics.json") else printed.err
            assert (code == 0) == (command == "status" and name in ("train.json", "metrics.json")), (command, printed)
            if damage == "of another schema" and command in ("predict", "export") and name == "model card":
                assert "tunegrid: error: " in text
                continue
            assert f"{file}: " in text, (command, printed)
            assert command == "status" or says in text, (command, printed)  # whose lines are cut
    finally:
        file.write_bytes(content)
        shutil.rmtree("exported", ignore_errors=True)


RUNS = ["tables", "status", "summary"]
UNTUNED = {"kind": "untuned", "method": "untuned", "seed": None}
BASELINE = {"kind": "baseline", "model": None, "method": "random-candidate", "seed": None}
PLACES = {
    "a run's training": ("train.json", {"method": "lora"}, [*RUNS, "predict", "export"]),
    "a run's scores": ("metrics.json", {"task": "sentiment"}, RUNS),
    "the scores of another seed": ("metrics.json", {"seed": 7}, ["tables", "summary"]),
    "the scores on another domain": ("metrics.json", {"domain": "away"}, ["tables"]),
    "an untuned model": ("untuned", UNTUNED | {"method": "full"}, RUNS),
    "a run in the place of an untuned model": ("untuned", {}, RUNS),
    "an untuned model of another task": ("untuned", UNTUNED | {"task": "sentiment"}, RUNS),
    "a baseline": ("baseline", BASELINE | {"method": "copy"}, RUNS),
}


@pytest.mark.parametrize(("name", "changes", "commands"), PLACES.values(), ids=PLACES.keys())
def test_a_record_of_another_place_is_named_wherever_it_is_read(paths, capsys, name, changes, commands):
    """What a record says of itself has to be what its folder says: it may have been copied there, or edited."""
    run = paths.run(Run(CELL, 1))
    files = {"untuned": paths.untuned("qa", "t5"), "baseline": paths.baseline("qa", "random-candidate")}
    file = files[name] / "metrics.json" if name in files else run / name
    content = file.read_bytes() if file.is_file() else None
    record = json.loads((run / ("train.json" if name == "train.json" else "metrics.json")).read_text())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(record | changes))
        for command in commands:
            code, printed = main(COMMANDS[command]), capsys.readouterr()
            text = printed.out if command == "status" else printed.err
            assert code == (0 if command == "status" else 1)
            says = f"{file}: is the record " + ("" if command == "status" else "of ")  # `status` cuts its lines
            assert says in text, (command, printed)
    finally:
        file.unlink() if content is None else file.write_bytes(content)
        shutil.rmtree("exported", ignore_errors=True)


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "severity,task,computed\nerror,qa\n", 'severity,task,computed\n"x', "\x00"]
)
@pytest.mark.parametrize(("table", "command"), [("audit", "summary"), ("recommendation", "predict")])
def test_a_damaged_table_is_a_message(paths, capsys, table, command, text):
    file = paths.tables / f"{table}.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    try:
        arguments = ["predict", *CONFIG, "--task", "qa"] if command == "predict" else COMMANDS[command]
        assert main(arguments) == 1
        assert f"{file}: not a table of `tunegrid tables`" in capsys.readouterr().err
    finally:
        file.unlink()


def test_a_training_before_its_inputs_is_a_mistake_and_no_result(paths, capsys):
    tokens = paths.tokens("qa", "t5") / "train.arrow"
    hidden = tokens.rename(tokens.with_suffix(".hidden"))
    try:
        before = (paths.run(Run(CELL, 1)) / "train.json").read_bytes()
        command = [sys.executable, "-m", "tunegrid", "train", *CONFIG, *NAMED, "--seed", "1"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1
        assert "Write it first: tunegrid tokenise CONFIG --task qa --model t5" in done.stderr
        assert (paths.run(Run(CELL, 1)) / "train.json").read_bytes() == before
    finally:
        hidden.rename(tokens)
