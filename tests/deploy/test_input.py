"""Rows to predict: every file type, standard input, pipes and terminals; rows that cannot be used."""

import csv
import gzip
import json
import lzma
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.predict_command import cell_options, predict
from tests.support.rows_of_tasks import make_task
from tests.support.winners import CELLS, CONFIG, predictions
from tunegrid.deploy.input import Input, Stream

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
    assert predict(*cell_options(CELLS[0]), "--input", str(tmp_path / name), "--output", str(output)) == 1
    said = capsys.readouterr()
    assert [part for part in says if part not in said.err] == []
    assert (said.out, output.exists()) == ("", False)


def test_the_study_s_own_names_of_columns_are_understood(tiny_study):
    study = tiny_study("tasks: {translation: {source: {columns: {source: english.text, id: number}}}}")
    task = study.task("translation", "t5")
    Path("rows.jsonl").write_text('{"number": 7, "english": {"text": " a dog "}}\n{"source": "a cat"}\n')
    assert list(Input.open(task, Path("rows.jsonl")).rows()) == [{"id": "7", "source": "a dog"}, {"source": "a cat"}]


def test_a_file_without_names_of_columns_is_read_as_the_study_reads_its_own(tmp_path):
    source = {"kind": "files", "paths": {"train": "a.tsv", "test": "b.tsv"}, "header": ["text", "label"]}
    task = make_task("sentiment", source)
    file = tmp_path / "rows.tsv"
    file.write_text("fine\t1\nbad\t0\n")
    assert [row["text"] for row in Input.open(task, file).rows()] == ["fine", "bad"]
    file.write_text("text\nfine\n")
    assert [row["text"] for row in Input.open(task, file).rows()] == ["fine"]


def test_rows_are_cleaned_as_those_of_the_data_stage(tiny_study):
    task = tiny_study().task("sentiment", "t5")
    Path("rows.jsonl").write_text('{"text": "good<br />film "}\n')
    assert list(Input.open(task, Path("rows.jsonl")).rows()) == [{"text": "good film"}]


def test_a_line_of_plain_text_is_that_text(tmp_path):
    """A list in it that somebody printed is no list: a line has no other way to be written."""
    (tmp_path / "rows.txt").write_text("['a b', 'c']\n[1]\n")
    task = make_task("generation")
    assert list(Input.open(task, tmp_path / "rows.txt").rows()) == [{"source": "['a b', 'c']"}, {"source": "[1]"}]


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
    command = [sys.executable, "-m", "tunegrid", "predict", *CONFIG, *cell_options(cell)]
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
