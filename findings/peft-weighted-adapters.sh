#!/usr/bin/env bash
# peft 0.21.2: the linear combination of two LoRA adapters is not that of what they add to the model.
#
# Expected: add_weighted_adapter of two adapters with weights of a half adds the mean of what they add, as averaged
# weights do; at least with combination_type="linear". Seen: "linear" averages the matrices A and B by themselves, each with
# the square root of its weight, so that their product has terms of one adapter's B with the other's A, as large as the
# rest: for unrelated adapters it is about as far from the mean as nothing at all. "cat" is exact; "svd", the default, keeps
# as many ranks as the larger adapter has, and loses what does not fit.
# For a user: combination_type="cat", or merge each adapter into a copy of the base and average these.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check peft==0.21.2 transformers==4.57.6 torch==2.13.0 numpy
environment/bin/pip list 2>/dev/null | grep -E '^(peft|transformers|torch) '

environment/bin/python -W ignore - <<'PY'
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import T5Config, T5ForConditionalGeneration

torch.manual_seed(0)
base = T5ForConditionalGeneration(
    T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=64, num_heads=4, num_layers=2, decoder_start_token_id=0)
)
config = LoraConfig(r=4, lora_alpha=4, target_modules=["q", "v"], task_type="SEQ_2_SEQ_LM")
model = get_peft_model(base, config, adapter_name="first")
model.add_adapter("second", config)
for name, parameter in model.named_parameters():
    if "lora_" in name:
        torch.nn.init.normal_(parameter, std=0.2)
layers = [module for module in model.modules() if hasattr(module, "lora_A")]


def added(name):
    """What an adapter adds to the weights of all layers."""
    return torch.cat([layer.get_delta_weight(name).detach().flatten() for layer in layers])


mean = (added("first") + added("second")) / 2
errors = {}
for kind in ("cat", "svd", "linear"):
    model.add_weighted_adapter(["first", "second"], [0.5, 0.5], kind, combination_type=kind)
    errors[kind] = float((added(kind) - mean).norm() / mean.norm())
    print(f"{kind}: differs from the mean of the two by {errors[kind]:.2%} of its size")
if not (errors["cat"] < 1e-5 and errors["svd"] > 0.1 and errors["linear"] > 0.8):
    sys.exit("CHANGED: the errors are others now")
PY
echo "As described above."
