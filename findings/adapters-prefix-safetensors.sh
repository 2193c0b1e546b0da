#!/usr/bin/env bash
# adapters 1.3.0: prefix tuning cannot be saved as safetensors.
#
# Expected: `save_adapter(folder, name, use_safetensors=True)` writes adapter.safetensors for every method of the library.
# Seen: the network that makes the prefixes is a submodule of each attention layer, so that its tensors have several names
# in the state, which safetensors refuses to write: RuntimeError. Without the option they are pickled once per layer.
# For a user: take the state from `AdapterLoader.save_to_state_dict`, keep each tensor under one name, and write that; the
# library loads it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check \
    adapters==1.3.0 transformers==4.57.6 safetensors torch==2.13.0 numpy
environment/bin/pip list 2>/dev/null | grep -E '^(adapters|transformers|safetensors|torch) '

environment/bin/python -W ignore - <<'PY'
import sys

import adapters
from transformers import T5Config, T5ForConditionalGeneration

model = T5ForConditionalGeneration(
    T5Config(vocab_size=100, d_model=16, d_kv=8, d_ff=24, num_heads=2, num_layers=2, decoder_start_token_id=0)
)
adapters.init(model)
for name, config in (("bottleneck", "double_seq_bn"), ("prefix", "prefix_tuning")):
    model.add_adapter(name, config=config)
    try:
        model.save_adapter(f"saved-{name}", name, with_head=False, use_safetensors=True)
    except RuntimeError as error:
        print(f"{name}: RuntimeError: {str(error).strip().splitlines()[0].split(': [')[0]}")
        outcome = "shared" if "share memory" in str(error) else "another error"
    else:
        print(f"{name}: saved")
        outcome = "saved"
    if outcome != {"bottleneck": "saved", "prefix": "shared"}[name]:
        sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
