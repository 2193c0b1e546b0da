#!/usr/bin/env bash
# peft 0.21.2: prefix tuning of T5 generates with another model than the one that was trained.
#
# Expected: the logits of each step of `generate()` are those of one forward pass over the same decoder tokens, as for LoRA.
# Seen: they differ from the first step on, by a fifth to a half of the largest logit, with no error and no warning. So what
# is trained (forward passes) is not what is evaluated (generation).
# For a user: take prefix tuning from the adapters library, and hold generation against a forward pass for any tuner.
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
from peft import LoraConfig, PrefixTuningConfig, get_peft_model
from transformers import T5Config, T5ForConditionalGeneration

torch.manual_seed(0)
source = {"input_ids": torch.randint(2, 100, (4, 9)), "attention_mask": torch.ones(4, 9, dtype=torch.long)}
for name, config in (
    ("LoRA", LoraConfig(task_type="SEQ_2_SEQ_LM", r=4, init_lora_weights=False)),
    ("prefix tuning", PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5)),
):
    base = T5ForConditionalGeneration(
        T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=64, num_heads=4, num_layers=2, decoder_start_token_id=0)
    )
    model = get_peft_model(base, config).eval()
    with torch.no_grad():
        answer = model.generate(
            **source, max_new_tokens=6, min_new_tokens=6, return_dict_in_generate=True, output_logits=True
        )
        forward = model(**source, decoder_input_ids=answer.sequences[:, :-1]).logits
    difference = (torch.stack(answer.logits, 1) - forward).abs().amax((0, 2)) / forward.abs().max()
    print(f"{name}: difference by step, of the largest logit: {[f'{step:.0e}' for step in difference.tolist()]}")
    if (difference.max() < 1e-4) != (name == "LoRA"):
        sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
