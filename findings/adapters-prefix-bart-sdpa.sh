#!/usr/bin/env bash
# adapters 1.3.0: prefix tuning of BART depends on the attention implementation.
#
# Expected: `attn_implementation` changes speed and last bits, not what a model computes. Seen: with "eager" generation and one
# forward pass over the same tokens agree; with "sdpa", which is the default, they differ from the first step on (with a
# cache) or in the first step (without one): a decoder of which one token is computed is not taken for causal, a longer one
# is, and then the prefix is masked as if it were a part of the text.
# For a user: load BART with attn_implementation="eager" for prefix tuning.
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
from transformers import BartConfig, BartForConditionalGeneration

source = {"input_ids": torch.arange(4, 40).reshape(4, 9), "attention_mask": torch.ones(4, 9, dtype=torch.long)}
for implementation in ("eager", "sdpa"):
    torch.manual_seed(0)
    model = BartForConditionalGeneration(
        BartConfig(
            vocab_size=100,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            forced_eos_token_id=None,
            attn_implementation=implementation,
        )
    )
    adapters.init(model)
    model.add_adapter("prefix", config="prefix_tuning")
    model.set_active_adapters("prefix")
    for name, parameter in model.named_parameters():
        if "prefix" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    model.eval()
    for cached in (True, False):
        with torch.no_grad():
            answer = model.generate(
                **source,
                max_new_tokens=6,
                min_new_tokens=6,
                num_beams=1,
                use_cache=cached,
                return_dict_in_generate=True,
                output_logits=True,
            )
            forward = model(**source, decoder_input_ids=answer.sequences[:, :-1]).logits
        difference = (torch.stack(answer.logits, 1) - forward).abs().amax((0, 2)) / forward.abs().max()
        print(f"{implementation}, {'cached' if cached else 'uncached'}: {[f'{step:.0e}' for step in difference.tolist()]}")
        if (difference.max() < 1e-4) != (implementation == "eager"):
            sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
