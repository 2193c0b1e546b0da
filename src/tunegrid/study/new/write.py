"""A study's configuration as commented YAML."""

from __future__ import annotations

import json
import math
import re
import shlex
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tunegrid.common.words import plural
from tunegrid.study.new.lengths import PERCENTS, Measured, chosen_lengths, uneven_labels
from tunegrid.study.new.task import LABELLED, Draft
from tunegrid.tasks import TASKS

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")  # what YAML reads as text without quotes, if it is no number or word
SHOWN = 30  # labels with their counts
FEWEST_STEPS = 300  # of a real model: fewer epochs of few rows teach it little
BATCH = 32
WHY = {  # beside a setting
    "scheme": "    # the scheme that fits the most rows: iob2, iob1 or bioes",
    "positive": "    # the label that precision, recall and F1 are about",
}


@dataclass(frozen=True)
class Kit:
    """The models of a study, with the settings that suit them.

    Attributes:
        models: (name, family, packaged name or id on the Hub, title).
        most_source, most_target: the longest texts that the study proposes, in tokens.
    """

    models: tuple[tuple[str, str, str, str], ...]
    packaged: bool
    most_source: int
    most_target: int
    methods: tuple[str, ...]
    overrides: tuple[str, ...]


MINI = Kit(
    models=(
        ("t5", "t5", "t5", "T5 (mini)"),
        ("bart", "bart", "bart", "BART (mini)"),
        ("flan-t5", "flan-t5", "flan-t5", "Flan-T5 (mini)"),
    ),
    packaged=True,
    most_source=256,
    most_target=64,
    methods=(
        "full: {kind: full}",
        "lora: {kind: lora, r: 16, alpha: 32, dropout: 0.0}",
        "adapters: {kind: adapters, reduction_factor: 1}",
    ),
    overrides=(
        "{where: {method: lora}, training: {learning_rate: 5.0e-3}}",
        "{where: {method: adapters}, training: {learning_rate: 1.0e-2}}",
    ),
)  # fmt: skip
PAPER = Kit(
    models=(
        ("t5-base", "t5", "google-t5/t5-base", "T5-base"),
        ("bart-base", "bart", "facebook/bart-base", "BART-base"),
        ("flan-t5-small", "flan-t5", "google/flan-t5-small", "Flan-T5-small"),
    ),
    packaged=False,
    most_source=512,
    most_target=256,
    methods=(
        "full: {kind: full}",
        "lora: {kind: lora, r: 16, alpha: 32, dropout: 0.05}",
        "adapters: {kind: adapters, reduction_factor: 16}",
    ),
    overrides=(
        "{where: {model: bart-base, method: full}, training: {learning_rate: 3.0e-5, weight_decay: 0.01}}",
        "{where: {method: lora}, training: {learning_rate: 1.0e-3}}",
        "{where: {model: bart-base, method: lora}, training: {learning_rate: 3.0e-4}}",
        "{where: {model: flan-t5-small, method: adapters}, training: {learning_rate: 1.0e-3}}",
    ),
)  # fmt: skip


def study_text(name: str, draft: Draft, measured: Sequence[Measured], kit: Kit, device: str, output: Path) -> str:
    """The study as YAML; what was found in the rows stands beside what follows from it."""
    files = " ".join(", ".join(Path(path).name for path in draft.source["paths"].values()).split())
    place = shlex.quote(" ".join(str(output).split()))  # a line break would end a comment
    total = sum(map(len, draft.rows.values()))
    models = ", ".join(title for *_, title in kit.models)
    kind = TASKS[draft.kind].title.lower()
    description = f"{models} under full fine-tuning, LoRA and adapters on {total:,} rows of {files} ({kind})."
    if kit.packaged:
        description += " The models are far too small for real text: they show that the rows are read as meant."
    threads, precision = (1, "fp32") if device == "cpu" else (4, "auto")
    return "\n".join(
        [
            f"# A study of {files}, written by `tunegrid new`.",
            "# Read it through once: what follows from the rows says so.",
            "#",
            f"#     tunegrid check {place}    # what the study consists of, and what is wrong with it",
            f"#     tunegrid plan {place}     # what it costs, before anything runs",
            f"#     snakemake --cores all --configfile {place}",
            "#",
            "# config/README.md explains every key, and docs/your-own-task.md this file.",
            f"study: {scalar(name)}",
            f"title: {scalar(f'Which model for {name}')}",
            "description: >-",
            *textwrap.wrap(description, 110, initial_indent="  ", subsequent_indent="  ", break_long_words=False),
            "seeds: [1, 2, 3]    # one training for each cell and seed; with one seed nothing is known of its luck",
            f"hardware: {{device: {device}, threads: {threads}, precision: {precision}}}",
            "grid:",
            f"  tasks: [{scalar(name)}]",
            f"  models: [{', '.join(model for model, *_ in kit.models)}]",
            "  methods: [full, lora, adapters]",
            "tasks:",
            f"  {scalar(name)}:",
            *_indented(_task(draft, measured, kit), 4),
            "models:",
            *(f"  {model}" for model in _models(kit)),
            "methods:",
            *(f"  {method}" for method in kit.methods),
            *_training(draft, kit),
            "",
        ]
    )


def scalar(value: Any) -> str:
    """A value as YAML on one line."""
    if value is None:
        return "null"
    if not isinstance(value, str):
        return json.dumps(value)
    plain = PLAIN.fullmatch(value) and yaml.safe_load(value) == value
    return value if plain else json.dumps(value, ensure_ascii=False)


def _indented(lines: Iterable[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]


def _task(draft: Draft, measured: Sequence[Measured], kit: Kit) -> list[str]:
    task = draft.task()
    primary = next(metric for metric in task.metrics if metric.name == task.primary)
    others = [metric.label for metric in task.metrics if metric.printed and metric is not primary]
    lines = [
        f"kind: {draft.kind}",
        f"# Scored by {primary.label}, on which cells are compared"
        + (f"; also {', '.join(others)}." if others else "."),
        *(f"# {note}" for note in draft.notes),
        "source:",
        *_indented(_source(draft), 2),
    ]
    for key, value in draft.settings.items():
        if key in ("labels", "types"):
            lines += _names(key, value, draft)
        elif key == "prompts":
            lines += ["prompts:", *_indented((f"{family}: {scalar(text)}" for family, text in value.items()), 2)]
        elif isinstance(value, list):
            lines.append(f"{key}: [{', '.join(map(scalar, value))}]")
        else:
            lines.append(f"{key}: {scalar(value)}{WHY.get(key, '')}")
    if draft.kind in ("classification", "pair-classification"):
        first = draft.settings["labels"][0]
        if uneven := uneven_labels(measured):
            lines.append(f"# {uneven}")
        lines.append(
            f"# label_words: {{{scalar(first)}: …}}    # words that a model writes instead of the labels' names"
        )
    if draft.kind == "generation":
        lines.append(f"metrics: [{', '.join(task.settings.metrics)}]    # the first is what cells are compared on")
    if "prompts" not in draft.settings:
        lines.append("# What the models read, a column in braces; `prompts: {t5: …}` says it in other words:")
        lines += [f"#   {family}: {scalar(task.prompt(family))}" for _, family, *_ in kit.models]
    return [*lines, *_lengths(draft, measured, kit)]


def _source(draft: Draft) -> list[str]:
    source = draft.source
    counts = ", ".join(f"{split} {len(rows):,}" for split, rows in draft.rows.items())
    paths = ", ".join(f"{split}: {scalar(path)}" for split, path in source["paths"].items())
    lines = ["kind: files", f"paths: {{{paths}}}    # rows: {counts}"]
    lines.append(f"licence: {scalar(source.get('licence', 'not stated'))}    # what the report prints of the data")
    if header := source.get("header"):
        lines.append(
            f"header: [{', '.join(map(scalar, header))}]    # the first line is taken for a row, not for names"
        )
    if columns := source["columns"]:
        lines.append("columns:    # left TuneGrid's name, right that of the file")
        lines += _indented((f"{own}: {scalar(name)}" for own, name in columns.items()), 2)
    if share := source.get("test_share"):
        lines.append(f"test_share: {share}    # of the rows, drawn by `seed`, are for the test alone")
    if "validation" not in source["paths"]:
        lines.append("validation_share: 0.1    # of the others, for choices that are made before the test")
    if source.get("unusable_rows"):
        number, reason = draft.unusable
        lines += [f"# {plural(number, 'row')} cannot be used. {' '.join(reason.split())[:200]}", "unusable_rows: skip"]
    return lines


def _names(key: str, names: Sequence[str], draft: Draft) -> list[str]:
    if len(names) > SHOWN:
        rows = sorted(draft.counts[name] for name in names)
        lines = [f"# {len(names)} {key}, of {rows[0]:,} to {rows[-1]:,} rows."]
        return [*lines, f"{key}:", *(f"  - {scalar(name)}" for name in names)]
    what = "rows" if key == "labels" else "entities"
    return [f"{key}:", *(f"  - {scalar(name)}    # {draft.counts[name]:,} {what}" for name in names)]


def _lengths(draft: Draft, measured: Sequence[Measured], kit: Kit) -> list[str]:
    source, target = chosen_lengths(draft.kind, measured, kit.most_source, kit.most_target)
    lines = ["# Lengths in tokens, the prompt counted: `95: 40` says that 95 of 100 rows have at most 40."]
    for lengths in measured:
        name = lengths.model or f"all, by {lengths.factor} tokens a word (no tokenizer is on this machine)"
        for what, values in (("source", lengths.source), ("target", lengths.target)):
            shares = ", ".join(f"{percent}: {values[percent]:,}" for percent in PERCENTS)
            lines.append(f"#   {what}, {name}: {shares}")
    longer = "what is longer is read in windows" if draft.kind == "qa" else "what is longer loses its end"
    lines.append(f"max_source_length: {source}    # {longer}, and is counted")
    if draft.kind in LABELLED:
        lines.append(f"max_target_length: {target}    # the longest word of a label")
    else:
        lines.append(f"max_target_length: {target}")
    lines.append(
        f"generation: {{max_new_tokens: {target}}}"
        + ("    # no effect: labels are chosen" if draft.kind in LABELLED else "")
    )
    return lines


def _models(kit: Kit) -> list[str]:
    lines = []
    for name, family, place, title in kit.models:
        source = (
            f"{{kind: packaged, name: {place}}}" if kit.packaged else f"{{kind: hub, id: {place}, licence: Apache-2.0}}"
        )
        lines.append(f"{name}: {{title: {scalar(title)}, family: {family}, source: {source}}}")
    return lines


def _training(draft: Draft, kit: Kit) -> list[str]:
    source = draft.source
    rows = (
        len(draft.rows["train"]) * (1 - source.get("test_share", 0)) * (1 if "validation" in source["paths"] else 0.9)
    )
    steps = max(1, math.ceil(rows / BATCH))
    if kit.packaged:
        lines = [
            "# A few steps, to see that all of it runs.",
            "training: {learning_rate: 2.0e-3, max_steps: 60, batch_size: 32, logging_steps: 5}",
            "measure: {latency_examples: 10}",
        ]
    else:
        epochs = min(20, max(3, math.ceil(FEWEST_STEPS / steps)))
        lines = [
            f"# {steps:,} step(s) an epoch. The weights with the best validation loss of ten looks are kept.",
            "training:",
            "  learning_rate: 3.0e-4",
            f"  epochs: {epochs}",
            f"  batch_size: {BATCH}",
            "  warmup_ratio: 0.06",
            "  evaluations: 10",
            "  keep_best: true",
            "# Learning rates from the literature, as in config/paper.yaml. To search each cell's own among three:",
            "# search: {factors: [0.33, 1.0, 3.0], train_share: 0.5, validation_rows: 500, seed: 0}",
        ]
    return [*lines, "overrides:", *(f"  - {override}" for override in kit.overrides)]
