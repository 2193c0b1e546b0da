"""`tunegrid check` and `plan` on local tokenizers and rows: ceilings, and label words that do not fit."""

import json
from pathlib import Path

import pytest

from tests.support.letters import letter_tokenizer
from tunegrid.cli import main
from tunegrid.study.load import load_study
from tunegrid.study.local_ceilings import local_ceilings

STUDY = """\
study: local
title: Local
description: For tests.
seeds: [1]
grid: {tasks: [translation, sentiment], models: [letters, other], methods: [full]}
tasks:
  translation:
    kind: translation
    source: {kind: files, paths: {train: pairs.jsonl, test: pairs.jsonl}}
    max_source_length: 64
    max_target_length: 64
    generation: {max_new_tokens: 64}
  sentiment:
    kind: sentiment
    source: {kind: files, paths: {train: reviews.jsonl, test: reviews.jsonl}}
    max_source_length: 64
    max_target_length: 10
    generation: {max_new_tokens: 4}
models:
  letters: {family: t5, source: {kind: directory, path: letters}}
  other: {family: bart, source: {kind: hub, id: nobody/nothing}}
methods: {full: {kind: full}}
training: {learning_rate: 1.0e-4, max_steps: 1, batch_size: 2}
"""
PAIRS = ["ein schöner alter Hund in Köln", "der Hund sieht Anna im Haus", "Anna sieht das Haus am See"]


@pytest.fixture
def local(tmp_path, monkeypatch, checkpoints) -> Path:
    """A study of a local model, with a tokenizer of letters, and of a model of the Hub, which is not here."""
    import shutil

    monkeypatch.chdir(tmp_path)
    shutil.copytree(checkpoints / "t5", "letters")
    for file in Path("letters").glob("*token*"):
        file.unlink()
    letter_tokenizer().save_pretrained("letters")
    lines = [json.dumps({"translation": {"en": "a dog", "de": text}}) for text in PAIRS]
    Path("pairs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    Path("reviews.jsonl").write_text('{"text": "a film", "label": "positive"}\n', encoding="utf-8")
    Path("study.yaml").write_text(STUDY)
    return Path("study.yaml")


def test_what_is_here_is_scored_and_nothing_else(local):
    ceilings = local_ceilings(load_study(local))
    assert list(ceilings) == [("translation", "letters"), ("sentiment", "letters")]
    assert (ceilings["translation", "letters"].examples, ceilings["translation", "letters"].not_written) == (3, 1)


def test_check_says_what_the_vocabulary_cannot_write(local, capsys):
    assert main(["check", str(local)]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("ceilings below 0.99 (of the first 1,000 test rows at most)")
    assert lines[place + 1].startswith("  Translation: letters can score at most BLEU 0.")
    assert lines[place + 1].endswith("1 of 3 test references hold what the vocabulary cannot write (ö).")
    Path("pairs.jsonl").write_text(Path("pairs.jsonl").read_text().replace("\\u00f6", "o"))
    assert main(["check", str(local)]) == 0
    assert "ceilings" not in capsys.readouterr().out


def test_check_refuses_label_words_that_training_would_cut(local, capsys):
    local.write_text(STUDY.replace("max_target_length: 10", "max_target_length: 9"))
    assert main(["check", str(local)]) == 1
    error = capsys.readouterr().err
    assert (
        "max_target_length of the sentiment task is 9, but the label word 'positive' takes 10 tokens for letters"
        in error
    )


def test_check_refuses_a_text_of_a_bias_probe_that_would_be_cut(local, capsys):
    templates = json.dumps(["{word} came.", f"{{word}} came {'far ' * 8}."])
    rest = "kind: labels\ntitle: Own\nlabel: positive\nsides: [a, b]\nshows: It.\nblind: All else.\n"
    Path("own.yaml").write_text(f"{rest}pairs: [[Ann, Ben]]\ntemplates: {templates}\n")
    local.write_text(STUDY + "probes: {names: {task: sentiment, file: own.yaml}}\n")
    assert main(["check", str(local)]) == 0
    local.write_text(local.read_text().replace("max_source_length: 64", "max_source_length: 40"))
    capsys.readouterr()
    assert main(["check", str(local)]) == 1
    error = capsys.readouterr().err
    assert "probes.names: a text has" in error
    assert "max_source_length is 40" in error
    assert "far far" in error


def test_rows_and_tokenizers_that_cannot_be_read_are_left_to_the_stages(local):
    Path("pairs.jsonl").write_text("{}\n")
    assert list(local_ceilings(load_study(local))) == [("sentiment", "letters")]
    Path("letters/tokenizer.json").write_text("{}")
    assert local_ceilings(load_study(local)) == {}
