#!/usr/bin/env bash
# adapters 1.3.0: `merge_adapter` of a bottleneck adapter does nothing, and does not say so.
#
# Expected: a bottleneck adapter has a non-linearity and cannot be merged, so merging one is an error. Seen: the call returns as
# for LoRA, whose weights it adds to the base's; of the bottleneck's nothing is merged: no parameter of the base changes.
# Who merges, removes the adapter and saves the model has saved the untuned base.
# For a user: compare the answers of the merged model with those of the tuned one before the adapter is thrown away.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check adapters==1.3.0 transformers==4.57.6 torch==2.13.0 numpy
environment/bin/pip list 2>/dev/null | grep -E '^(adapters|transformers|torch) '

environment/bin/python -W ignore - <<'PY'
import sys

import adapters
import torch
from transformers import T5Config, T5ForConditionalGeneration

torch.manual_seed(0)
for config in ("lora", "double_seq_bn"):
    model = T5ForConditionalGeneration(
        T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=64, num_heads=4, num_layers=2, decoder_start_token_id=0)
    ).eval()
    adapters.init(model)
    model.add_adapter("task", config=config)
    for name, parameter in model.named_parameters():
        if "lora" in name or "adapters" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    model.set_active_adapters("task")
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    model.merge_adapter("task")
    changed = sum(not torch.equal(before[name], parameter) for name, parameter in model.named_parameters())
    print(f"{config}: merge_adapter returned; parameters changed: {changed}")
    if (changed > 0) != (config == "lora"):
        sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
