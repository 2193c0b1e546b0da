#!/usr/bin/env bash
# transformers 4.57.6: pipeline("text2text-generation") answers with other settings than the folder's generation_config.json.
#
# Expected: a model whose saved generation_config.json says greedy decoding and at most 5 tokens is asked so, as by generate().
# Seen: the pipeline puts its own defaults, 4 beams and 256 tokens, in the place of both: a saved file leaves out what is the
# default (one beam), and max_new_tokens is replaced although it is there. No message says so.
# For a user: pass num_beams and max_new_tokens with each call.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check --extra-index-url https://download.pytorch.org/whl/cpu \
    transformers==4.57.6 torch==2.13.0
environment/bin/pip list 2>/dev/null | grep -E '^(transformers|torch) '

environment/bin/python -W ignore - <<'PY'
import sys

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GenerationConfig, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration, pipeline

words = ["<pad>", "</s>", "<unk>", *"abcdefghijklmnop"]
tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
)
torch.manual_seed(0)
size = dict(d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0)
model = T5ForConditionalGeneration(T5Config(vocab_size=len(words), **size)).eval()
model.generation_config = GenerationConfig(
    num_beams=1, max_new_tokens=5, decoder_start_token_id=0, eos_token_id=1, pad_token_id=0
)
model.save_pretrained("saved")
tokenizer.save_pretrained("saved")

asked = pipeline("text2text-generation", model="saved", device="cpu")
saved, used = asked.model.generation_config, asked.generation_config
print(f"saved: {saved.num_beams} beam(s), {saved.max_new_tokens} tokens")
print(f"used by the pipeline: {used.num_beams} beam(s), {used.max_new_tokens} tokens")
longest = max(len(tokenizer(asked(letter)[0]["generated_text"])["input_ids"]) for letter in "abcdef")
print(f"longest answer: {longest} words")
if (used.num_beams, used.max_new_tokens) != (4, 256) or longest <= 5:
    sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
