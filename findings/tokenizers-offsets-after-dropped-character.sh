#!/usr/bin/env bash
# tokenizers 0.22.2: a BPE model without an unknown token moves offsets behind a character that it drops.
#
# Expected: offsets say which characters of the text a token stands for. Seen: BPE without `unk_token` drops a character
# that its vocabulary does not have, without a token and without a word, and the tokens behind it in the same word are given
# the places of the characters before theirs. For a user: give a BPE model an unknown token, or bytes; do not trust offsets
# of a tokenizer that drops characters.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check tokenizers==0.22.2
environment/bin/pip list 2>/dev/null | grep -E '^tokenizers '

environment/bin/python - <<'PY'
from tokenizers import Tokenizer, models, pre_tokenizers

text = "aöb ab"
vocabulary = {"a": 0, "b": 1}
for name, model in (
    ("without", models.BPE(vocab=vocabulary, merges=[])),
    ("with", models.BPE(vocab=vocabulary | {"?": 2}, merges=[], unk_token="?")),
):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    encoded = tokenizer.encode(text)
    pieces = [(token, text[begin:end]) for token, (begin, end) in zip(encoded.tokens, encoded.offsets)]
    print(f"{name} an unknown token: {pieces}")
    if name == "with":
        assert pieces == [("a", "a"), ("?", "ö"), ("b", "b"), ("a", "a"), ("b", "b")], pieces
    elif pieces != [("a", "a"), ("b", "ö"), ("a", "a"), ("b", "b")]:
        raise SystemExit("CHANGED: the offsets are others now")
PY
