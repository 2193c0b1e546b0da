#!/usr/bin/env bash
# transformers 4.57.6: four accumulated batches of 8 are another gradient than one of 32, for T5.
#
# Expected: since the accumulation of gradients was mended (each token weighs the same), the step of the Trainer is the same for
# 1 × 32 and for 4 × 8. Seen: that holds for models whose forward takes `num_items_in_batch`; T5's does not, so its batches
# weigh the same whatever their number of target tokens, and the gradient of texts of unequal lengths differs by 16 %. Nothing is
# said.
# For a user: compute the loss with reduction="sum" and divide by the tokens of all accumulated batches.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check transformers==4.57.6 accelerate==1.15.0 torch==2.13.0 numpy
environment/bin/pip list 2>/dev/null | grep -E '^(transformers|accelerate|torch) '

environment/bin/python -W ignore - <<'PY'
import sys

import torch
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, T5Config, T5ForConditionalGeneration

torch.manual_seed(1)
rows = [
    {
        "input_ids": torch.randint(2, 100, (9,)).tolist(),
        "labels": torch.randint(2, 100, (length,)).tolist() + [-100] * (20 - length),
    }
    for length in torch.tensor([2, 20])[torch.randint(0, 2, (32,))].tolist()
]
gradients = []
for batch_size, accumulated in ((32, 1), (8, 4)):
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=100,
            d_model=32,
            d_kv=8,
            d_ff=64,
            num_heads=4,
            num_layers=2,
            decoder_start_token_id=0,
            dropout_rate=0.0,
        )
    )
    before = torch.cat([parameter.detach().flatten().clone() for parameter in model.parameters()])
    arguments = Seq2SeqTrainingArguments(
        "out",
        max_steps=1,
        per_device_train_batch_size=batch_size,
        gradient_accumulation_steps=accumulated,
        max_grad_norm=0,
        optim="sgd",
        learning_rate=1.0,
        lr_scheduler_type="constant",
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    Seq2SeqTrainer(model, arguments, train_dataset=rows).train()
    gradients.append(before - torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))
whole, parts = gradients
difference = ((parts - whole).norm() / whole.norm()).item()
print(f"the gradient of 4 x 8 rows differs from that of 1 x 32 by {difference:.0%}")
if difference < 0.01:
    sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
