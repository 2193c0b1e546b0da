"""Mutations of what a study has written, which `tunegrid status`, `summary`, `plan`, `tables` and `compare` read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random

from tests.mutations.execute import Case, execute
from tests.mutations.values import ODD, mutated

STUDY = """\
study: small
title: Small
description: A small study.
seeds: [1]
grid: {tasks: [reviews], models: [t5], methods: [full]}
tasks:
  reviews:
    kind: sentiment
    source: {kind: generated, rows: {train: 16, validation: 8, test: 8}}
    max_source_length: 48
    max_target_length: 12
    generation: {max_new_tokens: 3}
models:
  t5:
    family: t5
    source: {kind: pretrain, text: tasks, d_model: 16, layers: 1, decoder_layers: 1, heads: 2, d_ff: 16, vocabulary: 420,
             steps: 2, documents: 16}
methods:
  full: {kind: full}
training: {learning_rate: 1.0e-3, max_steps: 2, batch_size: 4, logging_steps: 1}
measure: {latency_examples: 0}
"""
CELL = ("study.yaml", "--task", "reviews", "--model", "t5")
WRITTEN_BY = (
    ("fetch-data", "study.yaml", "--task", "reviews"),
    ("pretrain", "study.yaml", "--model", "t5"),
    ("tokenise", *CELL),
    ("train", *CELL, "--method", "full", "--seed", "1"),
    ("evaluate", *CELL, "--method", "full", "--seed", "1"),
    ("evaluate", *CELL, "--method", "untuned"),
    ("baseline", "study.yaml", "--task", "reviews", "--name", "majority-class"),
    ("baseline", "study.yaml", "--task", "reviews", "--name", "ngram-logistic-regression"),
    ("tables", "study.yaml"),
)
READERS = (
    ("status", "study.yaml"),
    ("plan", "study.yaml"),
    ("tables", "study.yaml"),
    ("summary", "study.yaml"),
    ("compare", "results/small", "results/whole"),
    ("audit", "results/small"),
)
ODD_IN_RECORDS = {name: value for name, value in ODD.items() if name != "a date"}


def prepare(folder: Path) -> None:
    """Runs a small study, and keeps a copy of its results."""
    from tunegrid.cli.stage_commands import import_everything

    import_everything()  # once, before the processes of the commands are made
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    outcome = execute(Case("the whole study", WRITTEN_BY), folder)
    assert outcome.state == "accepted", outcome.output
    shutil.copytree(folder / "results" / "small", folder / "results" / "whole")


def mutate(random: Random, folder: Path) -> Case:
    """Results with one file mutated, and a command that reads results."""
    results, whole = folder / "results" / "small", folder / "results" / "whole"
    shutil.rmtree(results)
    shutil.copytree(whole, results)
    files = sorted(file for file in results.rglob("*") if file.suffix in (".json", ".csv", ".parquet", ".arrow"))
    file = random.choice(files)
    if file.suffix == ".json" and random.random() < 0.7:
        value, what = mutated(json.loads(file.read_text(encoding="utf-8")), random, ODD_IN_RECORDS)
        file.write_text(json.dumps(value), encoding="utf-8")
    else:
        what = _damaged(file, random)
    place = file.relative_to(results)
    command = random.choice(READERS)
    return Case(f"{command[0]}: {place.parts[0]}/{file.name}: {what}", (command,))


def _damaged(file: Path, random: Random) -> str:
    data = file.read_bytes()
    name = random.choice(["lost", "empty", "cut", "a byte", "a folder", "a list", "a text", "null", "UTF-16", "levels"])
    file.unlink()
    match name:
        case "empty":
            file.write_bytes(b"")
        case "cut":
            file.write_bytes(data[: random.randrange(len(data))])
        case "a byte":
            place = random.randrange(len(data))
            file.write_bytes(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
        case "a folder":
            file.mkdir()
        case "a list":
            file.write_text("[]")
        case "a text":
            file.write_text('"text"')
        case "null":
            file.write_text("null")
        case "UTF-16":
            file.write_bytes("{}".encode("utf-16"))
        case "levels":
            file.write_text("[" * 2000 + "]" * 2000)
    return f"file: {name}"
