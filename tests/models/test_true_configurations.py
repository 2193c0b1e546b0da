"""The paper's models at their true sizes: every count against arithmetic that is written out here, layer by layer."""

import csv
import json
import subprocess
import sys

import pytest

from tests.support import ROOT
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES, Shape
from tunegrid.models.flops import trainable_parameters
from tunegrid.models.shape import known_config

MODELS = {
    "t5-base": ("google-t5/t5-base", "t5"),
    "bart-base": ("facebook/bart-base", "bart"),
    "flan-t5-small": ("google/flan-t5-small", "flan-t5"),
}
# The methods of the paper study, prefix and prompt tuning.
SETTINGS = {
    "full": {},
    "lora": {"r": 16, "alpha": 32, "dropout": 0.05},
    "adapters": {"reduction_factor": 16},
    "prefix": {"length": 30, "bottleneck": 512},
    "prompt": {"length": 100, "init": "random"},
}

# T5-base: width 768, 12 heads of 64 (768), feed-forward 3072; 12 + 12 layers; vocabulary 32128, tied; no biases.
T5_ATTENTION = 4 * 768 * 768  # q, k, v, o
T5_FEED_FORWARD = 2 * 768 * 3072  # wi, wo
T5_ENCODER = 12 * (T5_ATTENTION + 768 + T5_FEED_FORWARD + 768) + 768 + 32 * 12  # scales; the last; position buckets
T5_DECODER = 12 * (T5_ATTENTION + 768 + T5_ATTENTION + 768 + T5_FEED_FORWARD + 768) + 768 + 32 * 12
T5_BASE = 32128 * 768 + T5_ENCODER + T5_DECODER

# BART-base: width 768, feed-forward 3072; 6 + 6 layers; vocabulary 50265, tied; 1024 + 2 positions a stack; biases.
BART_NORM = 768 + 768
BART_ATTENTION = 4 * (768 * 768 + 768) + BART_NORM
BART_FEED_FORWARD = 768 * 3072 + 3072 + 3072 * 768 + 768 + BART_NORM
BART_ENCODER = 1026 * 768 + BART_NORM + 6 * (BART_ATTENTION + BART_FEED_FORWARD)
BART_DECODER = 1026 * 768 + BART_NORM + 6 * (2 * BART_ATTENTION + BART_FEED_FORWARD)
BART_BASE = 50265 * 768 + BART_ENCODER + BART_DECODER

# Flan-T5-small: width 512, 6 heads of 64 (384, not 512), gated feed-forward 1024; 8 + 8 layers; 32128, head untied.
FLAN_ATTENTION = 3 * 512 * 384 + 384 * 512
FLAN_FEED_FORWARD = 2 * 512 * 1024 + 1024 * 512  # wi_0, wi_1, wo
FLAN_ENCODER = 8 * (FLAN_ATTENTION + 512 + FLAN_FEED_FORWARD + 512) + 512 + 32 * 6
FLAN_DECODER = 8 * (2 * (FLAN_ATTENTION + 512) + FLAN_FEED_FORWARD + 512) + 512 + 32 * 6
FLAN_T5_SMALL = 2 * 32128 * 512 + FLAN_ENCODER + FLAN_DECODER

# (model, method) -> (parameters that are trained, modules that are injected)
EXPECTED = {
    ("t5-base", "full"): (T5_BASE, 0),
    ("bart-base", "full"): (BART_BASE, 0),
    ("flan-t5-small", "full"): (FLAN_T5_SMALL, 0),
    # LoRA: 16 x (inputs + outputs) for each linear layer; 12 + 2 x 12 attention blocks (6 + 2 x 6, 8 + 2 x 8), a
    # feed-forward block in each of 24 (12, 16) layers.
    ("t5-base", "lora"): (36 * 4 * 16 * (768 + 768) + 24 * 2 * 16 * (768 + 3072), 36 * 4 + 24 * 2),
    ("bart-base", "lora"): (18 * 4 * 16 * (768 + 768) + 12 * 2 * 16 * (768 + 3072), 18 * 4 + 12 * 2),
    ("flan-t5-small", "lora"): (24 * 4 * 16 * (512 + 384) + 16 * 3 * 16 * (512 + 1024), 24 * 4 + 16 * 3),
    # Adapters: two a layer, down to a 16th of the width and up again, each with a bias.
    ("t5-base", "adapters"): (2 * 24 * (768 * 48 + 48 + 48 * 768 + 768), 48),
    ("bart-base", "adapters"): (2 * 12 * (768 * 48 + 48 + 48 * 768 + 768), 24),
    ("flan-t5-small", "adapters"): (2 * 16 * (512 * 32 + 32 + 32 * 512 + 512), 32),
    # Prefixes: for encoder, decoder and cross-attention 30 vectors, a layer to 512, one to all keys and values of a stack.
    ("t5-base", "prefix"): (3 * (30 * 768 + 769 * 512 + 513 * 12 * 2 * 768), 36),
    ("bart-base", "prefix"): (3 * (30 * 768 + 769 * 512 + 513 * 6 * 2 * 768), 18),
    ("flan-t5-small", "prefix"): (3 * (30 * 512 + 513 * 512 + 513 * 8 * 2 * 384), 24),
    ("t5-base", "prompt"): (100 * 768, 1),
    ("bart-base", "prompt"): (100 * 768, 1),
    ("flan-t5-small", "prompt"): (100 * 512, 1),
}


def test_the_arithmetic_gives_the_totals_that_the_models_are_known_for():
    assert (T5_BASE, BART_BASE, FLAN_T5_SMALL) == (222_903_552, 139_420_416, 76_961_152)
    assert EXPECTED["t5-base", "lora"][0] == 6_488_064
    assert EXPECTED["bart-base", "adapters"][0] == 1_789_056


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", SETTINGS)
def test_each_pair_trains_what_is_worked_out_by_hand(model, kind):
    """On the meta device: the libraries' own modules at the true sizes, without their memory."""
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    hub_id, family = MODELS[model]
    config = known_config(hub_id)
    method = METHODS[kind](METHODS[kind].Settings(kind=kind, **SETTINGS[kind]), FAMILIES[family])
    with torch.device("meta"):
        base = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(**config))
        total = sum(parameter.numel() for parameter in base.parameters())
        injected = method.inject(base)
    trained, modules = EXPECTED[model, kind]
    assert total == EXPECTED[model, "full"][0]
    assert trainable_parameters(injected) == trained
    assert len(method.injected_modules(injected)) == modules
    # What the plan of a study and the check before a run go by.
    shape = Shape.from_config(FAMILIES[family], config)
    assert (method.trainable_count(shape), method.expected_modules(shape)) == (trained, modules)
    assert method.added_count(shape) == (0 if kind == "full" else trained)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "method"), [("flan-t5-small", "adapters"), ("bart-base", "lora")])
def test_a_true_checkpoint_trains_and_generates_at_512_tokens(tmp_path, model, method):
    """From the script that makes checkpoints to the benchmark that uses them, as a person would run it."""
    command = [
        sys.executable, ROOT / "benchmarks/true_shapes.py", tmp_path, "--models", model, "--methods", method,
        "--steps", "1", "--batch-size", "1", "--target", "4", "--threads", "1", "--output", tmp_path / "result.csv",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    checkpoint = tmp_path / model
    assert json.loads((checkpoint / "config.json").read_text()) == known_config(MODELS[model][0])
    assert {"model.safetensors", "tokenizer.json"} <= {file.name for file in checkpoint.iterdir()}
    with (tmp_path / "result.csv").open() as file:
        (row,) = csv.DictReader(file)
    trained, modules = EXPECTED[model, method]
    assert (int(row["parameters"]), int(row["trainable"]), int(row["injected"])) == (
        EXPECTED[model, "full"][0],
        trained,
        modules,
    )
    assert min(float(row["seconds_per_step"]), float(row["generation_seconds"])) > 0
    assert float(row["training_gib"]) < 4
    assert row["model"] in done.stdout
