"""Mutations of a study's file, which `tunegrid check` reads, and `tunegrid plan` where it is accepted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import yaml

from tests.mutations.execute import Case
from tests.mutations.values import mutated

# One of each kind of everything, and every optional mapping.
STUDY = """\
study: base
title: A study
description: A description.
seeds: [1, 2]
hardware: {device: cpu, threads: 2, precision: fp32, cpu_tricks: true}
grid:
  tasks: [qa, news, reviews, made]
  models: [t5, small, own]
  methods: [full, lora, adapters]
  exclude: [{task: news, model: small}, {model: own, method: adapters}]
tasks:
  qa:
    kind: qa
    title: Questions
    source:
      kind: files
      paths: {train: qa.jsonl, validation: qa.jsonl, test: qa.jsonl}
      columns: {answers: answers.text}
      rows: {train: 100, validation: 10, test: 10}
      licence: CC0-1.0
      seed: 3
    prompts: {t5: "question: {question} context: {context}"}
    max_source_length: 64
    max_target_length: 8
    window_overlap: 16
    answerless_windows: abstain
    generation: {max_new_tokens: 8, num_beams: 2, length_penalty: 0.8}
    evaluation_batch_size: 16
  news:
    kind: translation
    source: {kind: hub, path: wmt/wmt16, name: de-en, revision: main, unusable_rows: skip}
    max_source_length: 128
    max_target_length: 128
    generation: {max_new_tokens: 64}
  reviews:
    kind: sentiment
    source: {kind: files, paths: {train: reviews.csv, test: reviews.csv}, validation_share: 0.2}
    labels: [bad, good]
    positive: good
    max_source_length: 64
    max_target_length: 4
    generation: {max_new_tokens: 3}
  made:
    kind: sentiment
    source: {kind: generated, rows: {train: 100, validation: 10, test: 10}}
    max_source_length: 64
    max_target_length: 4
    generation: {max_new_tokens: 3}
models:
  t5: {title: T5, family: t5, source: {kind: hub, id: google-t5/t5-base, revision: main, licence: Apache-2.0}}
  small: {family: bart, source: {kind: pretrain, text: tasks, d_model: 32, layers: 1, heads: 2, steps: 10}}
  own: {family: own, source: {kind: hub, id: someone/own}}
families:
  own:
    title: Own
    model_types: [t5]
    sizes: {d_model: d_model, d_ff: d_ff, heads: num_heads, encoder_layers: num_layers, decoder_layers: num_decoder_layers}
    defaults: {num_layers: 6}
    linear: {query: [q], key: [k], value: [v], output: [o], feed-forward: [wi, wo]}
    has_biases: false
    prompts: {qa: "{question} {context}", translation: "{source}", sentiment: "{text}"}
    label_words: {sentiment: {bad: negative, good: positive}}
methods:
  full: {kind: full}
  lora: {kind: lora, title: LoRA 8, r: 8, alpha: 16, dropout: 0.1, targets: [query, value]}
  adapters: {kind: adapters, reduction_factor: 4, non_linearity: relu, scaling: 1.0}
training:
  learning_rate: 1.0e-3
  max_steps: 100
  batch_size: 8
  gradient_accumulation_steps: 2
  schedule: cosine
  warmup_steps: 10
  weight_decay: 0.01
  max_grad_norm: 1.0
  label_smoothing: 0.1
  evaluations: 3
  keep_best: true
  select_by: metric
  validation_rows: 10
  early_stopping_patience: 2
  checkpoints_kept: 3
overrides:
  - {where: {task: qa}, training: {epochs: 2, warmup_ratio: 0.1}}
  - {where: {model: t5, method: lora}, training: {learning_rate: 2.0e-3}, method: {r: 4}}
resources: {gpu: a100, runtime_factor: 2.0, memory_factor: 1.5, attempts: 2}
recommend: {cost: latency, max_train_gpu_memory: 16, max_train_hours: 24, max_saved_bytes: 1000000000}
search: {factors: [0.3, 1.0, 3.0], train_share: 0.2, validation_rows: 100, seed: 7}
measure: {latency_examples: 10}
"""

ROWS = [{"id": str(i), "title": f"t{i % 3}", "question": "Who?", "context": f"Anna {i} came.", "answers": {"text": ["Anna"]}}
        for i in range(12)]  # fmt: skip

# What stands for a scalar of the text, or is put in front of it: name -> YAML
FRAGMENTS = {
    "an alias of nothing": "*nothing",
    "a list in itself": "&me [*me]",
    "a tag": "!mine x",
    "a tag of an integer": "!!int x",
    "a binary": "!!binary eA==",
    "a set": "!!set {a}",
    "an impossible date": "2026-13-45",
    "a time": "12:30",
    "an octal number": "0777",
    "many digits": "9" * 400,
    "a surrogate": '"\\ud800"',
    "an escaped NUL": '"\\0"',
    "an open bracket": "[",
    "an open quote": '"',
    "levels": "[" * 60 + "]" * 60,
    "a merge of a text": "{<<: x}",
    "a key that is a number": "{1: 2}",
    "a key that is a list": "{[a]: 2}",
}


def prepare(folder: Path) -> None:
    """Writes the local files of the study."""
    (folder / "qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    (folder / "reviews.csv").write_text("text,label\n" + "A film,good\nA play,bad\n" * 10, encoding="utf-8")


def mutate(random: Random, folder: Path) -> Case:
    """A study with one or, rarely, two mutations: of its values, of its text, or of an overlay."""
    values, file = yaml.safe_load(STUDY), folder / "study.yaml"
    files, kind = ["study.yaml"], random.choice(["value"] * 6 + ["two values", "text", "text", "overlay"])
    if kind == "text":
        data, name = _mutated_text(random)
        file.write_bytes(data)
    else:
        changed, name = mutated(values, random)
        if kind == "two values":
            changed, second = mutated(changed, random)
            name = f"{name} + {second}"
        if kind == "overlay":
            # Only what differs, by its first key.
            overlay = {key: value for key, value in changed.items() if value != values.get(key)}
            (folder / "overlay.yaml").write_text(yaml.safe_dump(overlay, allow_unicode=True), encoding="utf-8")
            files.append("overlay.yaml")
            changed = values
        file.write_text(yaml.safe_dump(changed, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return Case(f"{kind}: {name}", (("check", *files), ("plan", *files)))


def surprise(folder: Path, case: Case) -> str | None:
    """Which settings of an accepted study differ beyond the keys that were mutated; None: none. Text may alter any."""
    from tunegrid.study.load import load_study

    where, mutations = case.name.split(": ", 1)
    if where == "text":
        return None
    (folder / "whole.yaml").write_text(STUDY, encoding="utf-8")
    whole = load_study(folder / "whole.yaml").model_dump(mode="json")
    study = load_study(*(folder / name for name in case.commands[0][1:])).model_dump(mode="json")
    mutated_keys = {re.split(r"[.:]", mutation)[0] for mutation in mutations.split(" + ")}
    others = {key for key, value in study.items() if value != whole[key]} - mutated_keys
    return f"{', '.join(sorted(others))} differ, too" if others else None


def _mutated_text(random: Random) -> tuple[bytes, str]:
    lines = STUDY.splitlines()
    number = random.randrange(len(lines))
    line = lines[number]
    key = line.strip().split(":")[0][:20]
    name = random.choice(
        ["line lost", "line doubled", "indented", "tab", "cut here", "byte", "fragment", "fragment", "---"]
    )
    match name:
        case "line lost":
            del lines[number]
        case "line doubled":
            lines.insert(number, line)
        case "indented":
            lines[number] = "  " + line
        case "tab":
            lines[number] = "\t" + line.lstrip()
        case "cut here":
            lines = lines[:number]
            lines.append(line[: random.randrange(len(line) + 1)])
        case "---":
            lines.insert(number, "---")
        case "fragment":
            name = random.choice(list(FRAGMENTS))
            lines[number] = f"{line.split(': ')[0].rstrip(':')}: {FRAGMENTS[name]}"
    data = ("\n".join(lines) + "\n").encode()
    if name == "byte":
        place = random.randrange(len(data))
        byte = random.choice([0x00, 0x07, 0x80, 0xC3, 0xFF, 0x7B, 0x2A])
        data, name = data[:place] + bytes([byte]) + data[place + 1 :], f"byte {byte:#04x}"
        key = "anywhere"
    return data, f"{key}: {name}"
