#!/usr/bin/env bash
# safetensors 0.8.0: the same tensors with the same metadata are another file in each process.
#
# Expected: a file is a function of what is saved in it, so that its hash says whether two runs have the same weights. Seen:
# the entries of the metadata are written in an order that changes from process to process. With one entry, as
# transformers writes, nothing is seen of it; but safetensors.torch.save_model writes an entry for each further name of a
# tied tensor, and T5 has three: its embedding is that of encoder and decoder and the LM head too.
# For a user: compare tensors, not files; or save with at most one entry of metadata.

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check safetensors==0.8.0 torch==2.13.0 numpy packaging
environment/bin/pip list 2>/dev/null | grep -iE '^(safetensors|torch) '

cat > save.py <<'PY'
import hashlib
import sys

import torch
from safetensors.torch import save, save_model


class Tied(torch.nn.Module):
    """Four names of one embedding, as T5 has them."""

    def __init__(self):
        super().__init__()
        self.shared = torch.nn.Embedding.from_pretrained(torch.ones(3, 2))
        self.encoder, self.decoder, self.lm_head = (torch.nn.Module() for _ in range(3))
        for part in (self.encoder, self.decoder, self.lm_head):
            part.weight = self.shared.weight


tensors = {"a": torch.zeros(3), "b": torch.ones(2)}
save_model(Tied(), "tied.safetensors")
kinds = {
    "none": save(tensors),
    "one": save(tensors, {"format": "pt"}),
    "eight": save(tensors, {letter: letter for letter in "abcdefgh"}),
    "tied": open("tied.safetensors", "rb").read(),
}
print(*(f"{name}:{hashlib.sha256(content).hexdigest()[:12]}" for name, content in kinds.items()))
PY
for _ in 1 2 3 4 5 6 7 8; do environment/bin/python -W ignore save.py >> saved.txt; done
environment/bin/python - <<'PY'
import sys

lines = [dict(pair.split(":") for pair in line.split()) for line in open("saved.txt")]
counts = {name: len({line[name] for line in lines}) for name in lines[0]}
print(f"different files of {len(lines)} processes, by entries of metadata: {counts}")
if counts["none"] != 1 or counts["one"] != 1 or counts["eight"] == 1 or counts["tied"] == 1:
    sys.exit("CHANGED: the files are the same, or differ for another reason")
PY
echo "As described above."
