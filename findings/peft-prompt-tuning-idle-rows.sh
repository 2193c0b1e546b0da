#!/usr/bin/env bash
# peft 0.21.2: prompt tuning of an encoder-decoder counts twice the parameters that it trains.
#
# Expected: `num_virtual_tokens` vectors are trained. Seen: for SEQ_2_SEQ_LM the number of submodules is 2 by default, the table
# has twice the rows, and `print_trainable_parameters` counts them all; only the first half is ever used, the other half gets no
# gradient. Saved files and reported shares of trainable parameters are twice too large.
# For a user: PromptTuningConfig(…, num_transformer_submodules=1).
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
from peft import PromptTuningConfig, get_peft_model
from transformers import T5Config, T5ForConditionalGeneration

torch.manual_seed(0)
batch = {
    "input_ids": torch.randint(2, 100, (4, 9)),
    "attention_mask": torch.ones(4, 9, dtype=torch.long),
    "labels": torch.randint(2, 100, (4, 5)),
}
for submodules, expected in ((None, (20, 10)), (1, (10, 10))):
    base = T5ForConditionalGeneration(
        T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=64, num_heads=4, num_layers=2, decoder_start_token_id=0)
    )
    config = PromptTuningConfig(
        task_type="SEQ_2_SEQ_LM", num_virtual_tokens=10, num_transformer_submodules=submodules
    )
    model = get_peft_model(base, config)
    model(**batch).loss.backward()
    (table,) = (parameter for parameter in model.parameters() if parameter.requires_grad)
    outcome = len(table), int((table.grad.abs().sum(1) > 0).sum())
    print(f"num_transformer_submodules={submodules}: 10 virtual tokens, {outcome[0]} rows, {outcome[1]} with a gradient")
    if outcome != expected:
        sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
