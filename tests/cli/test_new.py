"""`tunegrid new`: the walk of the documentation, questions on a terminal, files that are kept, errors for people."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.rows_in_files import write
from tunegrid.cli import main
from tunegrid.common.package_data import models_folder
from tunegrid.study.load import load_study

ROWS = [{"text": f"a text {number}", "label": "ab"[number % 2]} for number in range(20)]


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", None)


def test_the_page_of_the_documentation_shows_what_the_command_says_and_writes(capsys):
    page = (ROOT / "docs/your-own-task.md").read_text(encoding="utf-8")
    rows, study = (re.search(rf"^```{form}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1] for form in ("csv", "yaml"))
    command, said = re.search(r"^```console\n\$ (tunegrid new .*?)\n(.*?)^```", page, re.DOTALL | re.MULTILINE).groups()
    Path("tickets.csv").write_text(rows, encoding="utf-8")
    assert main(command.split()[1:]) == 0
    assert capsys.readouterr().out == said
    assert Path("tickets.yaml").read_text(encoding="utf-8") == study
    assert main(["check", "tickets.yaml"]) == 0


def test_the_default_models_are_those_of_the_paper_with_lengths_by_words(capsys):
    write(ROWS, "rows.jsonl")
    assert main(["new", "rows.jsonl"]) == 0
    study = load_study("rows.yaml")
    assert [model.source.hub_id for model in study.models.values()] == [
        "google-t5/t5-base",
        "facebook/bart-base",
        "google/flan-t5-small",
    ]
    assert "by 1.3 tokens a word (no tokenizer is on this machine)" in Path("rows.yaml").read_text()
    assert (study.hardware.device, study.grid.methods) == ("cuda", ["full", "lora", "adapters"])


def test_labels_may_be_more_than_a_path_has_letters_or_a_file(capsys):
    names = [f"an intent with a long name {number}" for number in range(77)]
    write([{"text": f"a text {number}", "label": number % 77} for number in range(160)], "rows.jsonl")
    assert main(["new", "rows.jsonl", "--mini", "--labels", ",".join(names)]) == 0
    assert load_study("rows.yaml").tasks["rows"].labels == names
    Path("names.txt").write_bytes("\n".join(names).encode("utf-16"))
    assert main(["new", "rows.jsonl", "--mini", "--force", "--labels", "names.txt"]) == 1
    assert "names.txt, line 1: not valid UTF-8" in capsys.readouterr().err
    Path("names.txt").write_text("[" * 100_000)
    assert main(["new", "rows.jsonl", "--mini", "--force", "--labels", "names.txt"]) == 1
    assert "error: " in capsys.readouterr().err


def test_nothing_is_written_over_a_file_unless_told_to(capsys):
    write(ROWS, "rows.jsonl")
    Path("rows.yaml").write_text("mine")
    assert main(["new", "rows.jsonl", "--mini"]) == 1
    assert "rows.yaml: is there already" in capsys.readouterr().err
    assert Path("rows.yaml").read_text() == "mine"
    assert main(["new", "rows.jsonl", "--mini", "--force", "--output", "rows.jsonl"]) == 1
    assert "is an input of this command" in capsys.readouterr().err
    assert main(["new", "rows.jsonl", "--mini", "--force"]) == 0
    assert load_study("rows.yaml").name == "rows"


@pytest.mark.parametrize("name", ["yes", "2024", "null", "1e3", "a_b c"])
def test_names_that_yaml_would_read_as_something_else_are_quoted(name):
    write(ROWS, f"{name}.jsonl")
    assert main(["new", f"{name}.jsonl", "--mini", "--output", "s.yaml"]) == 0
    study = load_study("s.yaml")
    assert study.name == study.grid.tasks[0] == re.sub("[_ ]", "-", name)


def test_files_beside_bring_their_splits():
    write(ROWS, "train.jsonl", "dev.jsonl", "test.jsonl")
    assert main(["new", "train.jsonl", "--mini", "--name", "mine"]) == 0
    source = load_study("mine.yaml").tasks["mine"].source
    assert source.paths.model_dump() == {"train": "train.jsonl", "validation": "dev.jsonl", "test": "test.jsonl"}
    assert source.test_share is None


def test_a_study_of_train_is_called_as_its_folder():
    Path("weather").mkdir()
    write(ROWS, "weather/train.jsonl")
    assert main(["new", "weather/train.jsonl", "--mini"]) == 0
    assert load_study("weather.yaml").name == "weather"


def test_commands_with_a_file_whose_name_has_blanks_can_be_pasted(capsys):
    write(ROWS, "rows.jsonl")
    assert main(["new", "rows.jsonl", "--mini", "--output", "my rows.yaml"]) == 0
    said, written = capsys.readouterr().out, Path("my rows.yaml").read_text()
    for command in ("tunegrid check", "tunegrid plan", "snakemake --cores all --configfile"):
        assert f"{command} 'my rows.yaml'" in said
        assert f"{command} 'my rows.yaml'" in written


def test_columns_that_no_model_reads_are_named(capsys):
    rows = [
        {
            "id": f"r{n}",
            "instruction": f"Do the {n}th thing",
            "input": f"a thing {n}",
            "output": f"done {n}",
            "by": "me",
        }
        for n in range(20)
    ]
    write([row | {"meta": {"day": number}} for number, row in enumerate(rows)], "rows.jsonl")
    assert main(["new", "rows.jsonl", "--mini"]) == 0
    said = capsys.readouterr().out
    assert "columns: source=input, target=output\n" in said
    assert "\nNot read: instruction, by, meta.day.\n" in said
    write(ROWS, "all.jsonl")
    assert main(["new", "all.jsonl", "--mini"]) == 0
    assert "Not read" not in capsys.readouterr().out


def test_a_label_of_signs_alone_may_be_none(capsys):
    labels = ["yes", "no", "-"] * 3 + ["yes", "no"] * 15
    pairs = [
        {"sentence1": f"one {number}", "sentence2": f"two {number}", "gold_label": label}
        for number, label in enumerate(labels)
    ]
    write(pairs, "pairs.jsonl")
    assert main(["new", "pairs.jsonl", "--mini"]) == 0
    assert "If - says that a row has no label, take it out of `labels`, and add" in capsys.readouterr().out
    study = Path("pairs.yaml").read_text()
    study = study.replace("validation_share:", "unusable_rows: skip\n      validation_share:", 1)
    Path("pairs.yaml").write_text(re.sub(r'      - "-".*\n', "", study))
    assert load_study("pairs.yaml").tasks["pairs"].labels == ["no", "yes"]
    assert main(["fetch-data", "pairs.yaml", "--task", "pairs"]) == 0
    skipped = json.loads(Path("results/pairs/data/pairs/card.json").read_text())["unusable_rows"]
    assert sum(reason["rows"] for split in skipped.values() for reason in split.values()) == 3
    write([row | {"gold_label": "+-"[number % 2]} for number, row in enumerate(pairs)], "signs.jsonl")
    assert main(["new", "signs.jsonl", "--mini"]) == 0
    assert "no label" not in capsys.readouterr().out


def test_labels_whose_words_differ_much_in_length_are_said_to(capsys):
    write([row | {"label": ["Sales", "R&D / prototypes"][n % 2]} for n, row in enumerate(ROWS)], "rows.jsonl")
    assert main(["new", "rows.jsonl", "--mini"]) == 0
    sentence = re.search(r"The labels have (\d+) to (\d+) tokens in t5: .*label_words\.", capsys.readouterr().out)
    assert f"    # {sentence[0]}\n" in Path("rows.yaml").read_text()
    from tunegrid.data.tokens import load_tokenizer

    tokenizer = load_tokenizer(models_folder() / "t5")
    lengths = [len(tokenizer.tokenize(word)) for word in ("Sales", "R&D / prototypes")]
    assert [int(number) for number in sentence.groups()] == lengths
    write(ROWS, "even.jsonl")
    assert main(["new", "even.jsonl", "--mini"]) == 0
    assert "The labels have" not in capsys.readouterr().out


REFUSED = {
    "no file": ([], "name a file"),
    "a file that is not there": (["no.csv"], "no.csv: no such file"),
    "an unknown kind": (["rows.jsonl", "--kind", "classify"], "Did you mean classification?"),
    "a column of nobody": (["rows.jsonl", "--column", "text=x"], "the rows have no such column"),
    "half a column": (["rows.jsonl", "--column", "text"], "--column text=review"),
    "a kind that does not fit": (["rows.jsonl", "--kind", "qa"], "no column for"),
    "texts that no name tells apart": (["pairs.jsonl"], "--kind classification|generation"),
    "braces in a path": (["{a}.jsonl"], "braces"),
    "a column that the task has not": (["rows.jsonl", "--column", "txt=text"], "has no column txt. Did you mean text?"),
    "a name that is none": (["rows.jsonl", "--name", "a/b", "--output", "x.yaml"], "study"),
}


@pytest.mark.parametrize(("arguments", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_a_study_ends_with_a_message_and_without_a_file(arguments, says, capsys):
    write(ROWS, "rows.jsonl", "{a}.jsonl")
    write([{"a": f"one {number}", "b": f"two {number}"} for number in range(20)], "pairs.jsonl")
    assert main(["new", *arguments, "--mini"]) == 1
    assert says in capsys.readouterr().err
    assert not list(Path().glob("*.yaml"))


@pytest.mark.parametrize("share", ["2", "0", "x", "nan"])
def test_a_share_that_is_none_is_refused_in_words(share, capsys):
    with pytest.raises(SystemExit):
        main(["new", "rows.jsonl", "--test-share", share])
    assert f"{share!r} is no share: a number above 0 and below 1" in capsys.readouterr().err


@pytest.mark.slow
def test_a_table_with_a_word_in_each_row_is_no_table_of_sentences(capsys):
    lines = [
        f"doc{n // 6}\t{n // 3}\t{word}\t{tag}" for n, (word, tag) in enumerate([("Ann", "B-PER"), ("left", "O")] * 9)
    ]
    Path("words.tsv").write_text("\n".join(["document\tsentence\ttoken\tner", *lines]) + "\n")
    assert main(["new", "words.tsv"]) == 1
    assert "column ner has the tag of one word in each row" in capsys.readouterr().err
    assert not Path("words.yaml").exists()
    assert (
        main(["new", "words.tsv", "--kind", "classification", "--column", "text=token", "--column", "label=ner"]) == 0
    )


def test_a_terminal_is_asked_for_what_is_missing(tmp_path):
    write([{"one": f"a text {number}", "two": f"un texte {number}"} for number in range(20)], "rows.jsonl")
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "tunegrid", "new", "--mini"]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    )
    os.write(ours, b"rows.jsonl\ngeneration\nsource=two\ntarget=one\n\n")
    said, asked = process.communicate(timeout=120)
    assert process.returncode == 0, asked
    assert "File of rows" in asked
    assert "Kind of task" in asked
    assert "columns: source=two, target=one" in said
    source = load_study("rows.yaml").tasks["rows"].source
    assert source.columns == {"source": "two", "target": "one"}


NER, SPANS = (
    {"tokens": ["Ann", "sings"], "ner_tags": ["B-PER", "O"]},
    {"text": "Ann sings", "entities": [[0, 3, "PER"]]},
)
# What stands in one row where all others have tags or spans.
UNREADABLE = [
    *(NER | {"ner_tags": value} for value in (7, None, "X", [["B-PER"]], {"a": 1}, [None])),
    *(SPANS | {"entities": value} for value in ("bad", 5, None, [[0, 1]], ["PER"], [{"start": 0}], {"a": 1}, [[0, 3, 4]])),
]  # fmt: skip


@pytest.mark.parametrize("row", UNREADABLE, ids=str)
def test_a_row_whose_entities_cannot_be_read_is_left_out_and_counted(capsys, row):
    others = [NER if "tokens" in row else SPANS] * 20
    write([*others, row], "rows.jsonl")
    assert main(["new", "rows.jsonl", "--mini"]) == 0
    assert "1 row cannot be used and is left out. The first: rows.jsonl, line 21: column " in capsys.readouterr().out
    assert load_study("rows.yaml").tasks["rows"].types == ["PER"]


def test_a_row_that_is_no_unicode_is_not_looked_at(capsys):
    write(ROWS, "rows.jsonl")
    with open("rows.jsonl", "a") as file:
        file.write('{"text": "more", "label": "\\ud800"}\n')
    assert main(["new", "rows.jsonl", "--mini"]) == 0
    assert load_study("rows.yaml").tasks["rows"].labels == ["a", "b"]


def test_a_file_is_not_tested_on_what_it_is_trained_on(capsys):
    write(ROWS, "rows.jsonl")
    Path("link.jsonl").symlink_to("rows.jsonl")
    assert main(["new", "rows.jsonl", "--mini", "--test", "link.jsonl"]) == 1
    assert "link.jsonl: is named for the train and the test rows" in capsys.readouterr().err


def test_a_line_break_in_a_file_s_name_ends_no_comment(capsys):
    write(ROWS, "a\nb.jsonl")
    assert main(["new", "a\nb.jsonl", "--mini"]) == 0
    assert load_study("a-b.yaml").tasks["a-b"].source.paths.train == "a\nb.jsonl"
