#!/usr/bin/env bash
# adapters 1.3.0: an adapter of T5 that shares a parameter between its layers is saved without it.
#
# Expected: what `save_adapter` writes and `load_adapter` reads is the adapter. Seen: Compacter's layers share `phm_rule`,
# which is trained; BART's file has it, T5's has not, and T5 loads with a new random one: no error, no warning, other
# answers. What is saved are the names with `.shared_parameters.` in them: T5 keeps these parameters at its root, where
# nothing stands before the first point; BART keeps them in `model`.
# For a user: compare the loaded adapter's answers with those before saving, or save the parameters with
# requires_grad yourself.
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
from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

SMALL = {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4}
MODELS = {
    "T5": (
        T5ForConditionalGeneration,
        T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=64, num_heads=4, num_layers=2, decoder_start_token_id=0),
    ),
    "BART": (
        BartForConditionalGeneration,
        BartConfig(vocab_size=100, d_model=32, encoder_ffn_dim=64, decoder_ffn_dim=64, **SMALL),
    ),
}
ids = torch.tensor([[5, 6, 7, 8, 1]])


def answer(model):
    with torch.inference_mode():
        return model.eval()(input_ids=ids, decoder_input_ids=ids).logits


for name, (family, settings) in MODELS.items():
    torch.manual_seed(0)
    model = family(settings)
    base = {key: value.clone() for key, value in model.state_dict().items()}
    adapters.init(model)
    model.add_adapter("task", config="compacter[reduction_factor=4]")
    model.set_active_adapters("task")
    for key, parameter in model.named_parameters():
        if key not in base:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_adapter(name, "task")

    torch.manual_seed(1)
    loaded = family(settings)
    loaded.load_state_dict(base)
    adapters.init(loaded)
    loaded.load_adapter(name, set_active=True)
    before, after = answer(model), answer(loaded)
    distance = float((before - after).abs().max() / before.abs().max())
    shared = [key for key in torch.load(f"{name}/pytorch_adapter.bin", weights_only=True) if "shared_parameters" in key]
    print(f"{name}: shared parameters in the file: {len(shared)}; logits differ by {distance:.3g} of the largest")
    if (len(shared), distance > 1e-4) != ((0, True) if name == "T5" else (1, False)):
        sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
