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

# One of each kind of task, method and section that the first does not have.
NEWER = """\
study: newer
title: Techniques
description: A description.
seeds: [1, 2]
grid:
  tasks: [news, topics, pairs, names, short, free, reviews]
  models: [bart]
  methods: [full, prefix, prompt, loha, instruct, dpo, ppo, bitfit]
  exclude: [{task: topics, method: dpo}, {task: topics, method: ppo}, {task: pairs, method: dpo}, {task: pairs, method: ppo}]
tasks:
  news:
    kind: translation
    source: {kind: generated, rows: {train: 100, validation: 10, test: 10}, domain: home}
    evaluate_on:
      away: {kind: generated, rows: {test: 20}, domain: away, seed: 2}
      wmt: {kind: hub, path: wmt/wmt16, name: de-en, splits: {test: "test[:100]"}}
    max_source_length: 64
    max_target_length: 64
    generation: {max_new_tokens: 48}
  topics:
    kind: classification
    source: {kind: files, paths: {train: topics.csv}, header: [text, label], test_share: 0.2, validation_share: 0.2}
    labels: [sports, money]
    label_words: {money: business}
    max_source_length: 64
    max_target_length: 16
    generation: {max_new_tokens: 3}
  pairs:
    kind: pair-classification
    source: {kind: files, paths: {train: pairs.tsv, test: pairs.tsv}, columns: {text: a, text_pair: b, label: same}}
    labels: ["no", "yes"]
    prompts: {bart: "{text} </s> {text_pair}"}
    max_source_length: 64
    max_target_length: 16
    generation: {max_new_tokens: 3}
  names:
    kind: ner
    source: {kind: files, paths: {train: names.conll, test: names.conll}}
    types: [PER, LOC]
    type_words: {PER: person, LOC: place}
    scheme: iob2
    tags: [O, B-PER, I-PER, B-LOC, I-LOC]
    max_source_length: 64
    max_target_length: 32
    generation: {max_new_tokens: 32}
  short:
    kind: summarisation
    source: {kind: hub, path: EdinburghNLP/xsum, revision: main, splits: {validation: validation}}
    max_source_length: 64
    max_target_length: 32
    generation: {max_new_tokens: 32, num_beams: 4}
  free:
    kind: generation
    source: {kind: files, paths: {train: free.json, test: free.json}, unusable_rows: skip}
    metrics: [rouge_l, bleu, exact_text]
    max_source_length: 64
    max_target_length: 32
    generation: {max_new_tokens: 32}
  reviews:
    kind: sentiment
    source: {kind: generated, rows: {train: 100, validation: 10, test: 10}}
    max_source_length: 64
    max_target_length: 16
    generation: {max_new_tokens: 3}
models:
  bart: {family: bart, source: {kind: packaged, name: bart}}
methods:
  full: {kind: full}
  prefix: {kind: prefix, length: 10, bottleneck: 64, dropout: 0.1}
  prompt: {kind: prompt, length: 8, init: text, text: "Answer this:"}
  bitfit: {kind: bitfit}
  loha: {kind: peft, tuner: LOHA, settings: {r: 4, alpha: 8}, targets: [key, value]}
  instruct:
    kind: instruction
    title: Instructions
    method: {kind: lora, r: 4, alpha: 8}
    tasks: [news, reviews]
    mixing: equal
    limit: 50
    wordings:
      names: {train: ["Name the {types} in: {text}"], unseen: ["{text} Which names?"]}
      free: {unseen: ["Say it: {source}"]}
    wording_rows: 5
  dpo: {kind: dpo, sft: full, pairs: worse, reward: judge, beta: 0.2, update: {kind: lora, r: 4}}
  ppo:
    kind: ppo
    sft: full
    reward: judge
    options: {kl_coefficient: 0.1, kl_target: 6.0, passes: 2, minibatches: 2, clip: 0.2, discount: 0.99, decay: 0.9}
preferences:
  worse: {source: {kind: corrupted, rule: drop, share: 0.5, seed: 3, rows: {train: 20, validation: 5, test: 5}}}
  human:
    source: {kind: files, paths: {train: human.jsonl}, columns: {prompt: question}, validation_share: 0.2}
    template: "Human: {prompt}"
rewards:
  judge: {pairs: worse, training: {learning_rate: 1.0e-3, max_steps: 20, batch_size: 4}, seed: 5}
  other: {pairs: human, training: {learning_rate: 1.0e-3, epochs: 1.0}}
training: {learning_rate: 1.0e-3, max_steps: 20, batch_size: 8}
evaluation: {engine: transformers}
compress: [bf16, prune-30, prune-30-layers, prune-2-4]
overrides:
  - {where: {method: ppo}, training: {learning_rate: 1.0e-4, max_steps: 5}}
  - {where: {method: dpo}, training: {learning_rate: 1.0e-4}, method: {beta: 0.1}}
measure: {latency_examples: 2}
"""
STUDIES = {"base": STUDY, "newer": NEWER}

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
    (folder / "topics.csv").write_text("A match,sports\nA bank,money\n" * 10, encoding="utf-8")
    (folder / "pairs.tsv").write_text("a\tb\tsame\n" + "A cat\tA dog\tno\nA cat\tOne cat\tyes\n" * 10, encoding="utf-8")
    (folder / "names.conll").write_text("Ann B-PER\nsings O\n\nRome B-LOC\nis O\nfar O\n\n" * 10, encoding="utf-8")
    free = [{"source": f"dogs: {i}", "target": f"{i} dogs."} for i in range(10)]
    (folder / "free.json").write_text(json.dumps(free), encoding="utf-8")
    human = [{"question": f"Why {i}?", "chosen": "Because.", "rejected": "No."} for i in range(10)]
    (folder / "human.jsonl").write_text("".join(json.dumps(row) + "\n" for row in human), encoding="utf-8")


def mutate(random: Random, folder: Path) -> Case:
    """A study with one or, rarely, two mutations: of its values, of its text, or of an overlay."""
    text = STUDIES[random.choice(list(STUDIES))]
    values, file = yaml.safe_load(text), folder / "study.yaml"
    (folder / "whole.yaml").write_text(text, encoding="utf-8")
    files, kind = ["study.yaml"], random.choice(["value"] * 6 + ["two values", "text", "text", "overlay"])
    if kind == "text":
        data, name = _mutated_text(text, random)
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
    whole = load_study(folder / "whole.yaml").model_dump(mode="json", by_alias=True)
    study = load_study(*(folder / name for name in case.commands[0][1:])).model_dump(mode="json", by_alias=True)
    mutated_keys = {re.split(r"[.:]", mutation)[0] for mutation in mutations.split(" + ")}
    others = {key for key, value in study.items() if value != whole[key]} - mutated_keys
    return f"{', '.join(sorted(others))} differ, too" if others else None


def _mutated_text(text: str, random: Random) -> tuple[bytes, str]:
    lines = text.splitlines()
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
