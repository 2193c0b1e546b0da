"""Models and studies whose plan is known: small enough for a hand, and the paper's."""

from tests.support import ROOT
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES, Shape
from tunegrid.study.plan.lengths import Lengths, SplitSize
from tunegrid.study.plan.tuned import Tuned

SETTINGS = {
    "full": {"kind": "full"},
    "lora": {"kind": "lora", "r": 2},
    "adapters": {"kind": "adapters", "reduction_factor": 4},
    "bitfit": {"kind": "bitfit"},
}


# A model that fits on a hand: width 8, one head of 4, feed-forward 16, two encoder layers, one decoder layer, 100 words.
HAND = Shape(FAMILIES["t5"], 8, 16, 1, 4, 2, 1, vocabulary=100, positions=None, tied=True, relative_buckets=32)


BLOCK, FEED_FORWARD = 4 * 8 * 4, 2 * 8 * 16  # weights of an attention block, of a feed-forward block


PAPER = """\
study: paper
title: As in the paper
description: For tests.
seeds: [1]
hardware: {device: cuda, threads: 4, precision: bf16}
resources: {gpu: h100}
grid: {tasks: [qa, translation, sentiment], models: [t5-base, bart-base, flan-t5-small], methods: [full, lora, adapters]}
tasks:
  qa:
    kind: qa
    source: {kind: hub, path: rajpurkar/squad, splits: {test: validation}, validation_share: 0.05}
    max_source_length: 512
    max_target_length: 32
    generation: {max_new_tokens: 32}
  translation:
    kind: translation
    source: {kind: hub, path: wmt/wmt16, name: de-en, splits: {validation: validation}}
    max_source_length: 128
    max_target_length: 256
    generation: {max_new_tokens: 256, num_beams: 4, length_penalty: 0.6}
  sentiment:
    kind: sentiment
    source: {kind: hub, path: stanfordnlp/imdb}
    max_source_length: 512
    max_target_length: 4
    generation: {max_new_tokens: 4}
models:
  t5-base: {family: t5, source: {kind: hub, id: google-t5/t5-base}}
  bart-base: {family: bart, source: {kind: hub, id: facebook/bart-base}}
  flan-t5-small: {family: flan-t5, source: {kind: hub, id: google/flan-t5-small}}
methods: {full: {kind: full}, lora: {kind: lora}, adapters: {kind: adapters}}
training: {learning_rate: 3.0e-4, epochs: 5, batch_size: 32}
overrides:
  - {where: {method: full}, training: {epochs: 3}}
  - {where: {task: translation}, training: {epochs: 1, batch_size: 256}}
"""


def architecture(name: str) -> str:
    return (ROOT / "resources" / "architectures" / f"{name}.json").read_text()


def method_of(kind: str, family: str):
    return METHODS[kind](METHODS[kind].Settings.model_validate(SETTINGS[kind]), FAMILIES[family])


def tuned(shape: Shape, kind: str, family: str = "t5") -> Tuned:
    method = method_of(kind, family)
    return Tuned.of(shape, method)


def batch(rows: int, source: int, target: int) -> SplitSize:
    return SplitSize(rows, rows, Lengths(source, 0.0, source), Lengths(target, 0.0, target))
