"""A small study as text, changes of it, and the messages that refuse them."""

import pytest

from tunegrid.common.errors import TuneGridError

# Has all that tests of loading and checks need; the mini study itself is free to change.
BASE = """\
study: base
title: A title
description: A description.
seeds: [1, 2]
hardware: {device: cpu, threads: 1}
grid:
  tasks: [qa, sentiment]
  models: [t5, bart]
  methods: [full, lora]
tasks:
  qa:
    kind: qa
    source: {kind: generated, rows: {train: 10, validation: 5, test: 5}}
    max_source_length: 64
    max_target_length: 8
    generation: {max_new_tokens: 8}
  sentiment:
    kind: sentiment
    source: {kind: files, paths: {train: train.csv, test: test.csv}}
    max_source_length: 64
    max_target_length: 4
    generation: {max_new_tokens: 3}
models:
  t5: {family: t5, source: {kind: hub, id: google-t5/t5-base}}
  bart: {family: bart, source: {kind: directory, path: models/bart}}
methods:
  full: {kind: full}
  lora: {kind: lora, r: 8}
  bitfit: {kind: bitfit}
training: {learning_rate: 1.0e-3, max_steps: 100}
overrides:
  - {where: {task: qa}, training: {max_steps: 200}}
"""


def changed(old: str, new: str) -> str:
    """The base study with one passage replaced."""
    assert BASE.count(old) == 1, f"the base has {old!r} {BASE.count(old)} times"
    return BASE.replace(old, new)


def line_of(text: str, part: str) -> int:
    """The number of the line, from 1, on which a part of a text begins."""
    return text[: text.index(part)].count("\n") + 1


def refusal(load, *texts: str) -> str:
    """The message with which a study of these texts is refused."""
    with pytest.raises(TuneGridError) as caught:
        load(*texts)
    return str(caught.value)


def assert_refused(load, old: str, new: str, key: str, says: list[str]) -> None:
    """Checks that the base study with `old` replaced is refused with its file, line and key, and all of `says`."""
    text = changed(old, new)
    message = refusal(load, text)
    first = message.splitlines()[0]
    file, line, *_ = first.split(": ")[0].split(", line ")
    assert file == "first.yaml"
    assert f": {key}: " in first
    assert [part for part in says if part not in message] == []
    last = key.split(".")[-1].split("[")[0]
    if last and f"{last}:" in new:
        # The key itself is in the text: the line has to be its own.
        lines = text.splitlines()
        assert f"{last}:" in lines[int(line) - 1]
