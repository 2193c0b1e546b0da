#!/usr/bin/env bash
# torch 2.13.0: one step of AdamW turns a wide `orthogonal` layer into zeros.
#
# Expected: torch.nn.utils.parametrizations.orthogonal keeps a weight orthogonal whatever the optimiser does to the
# parameter behind it: that is what a parametrization is for. Seen: for a weight that is not square the default map,
# `householder`, keeps signs of 1 and -1 on the diagonal of that parameter and reads them with `.int()`. They get no
# gradient, but weight decay shrinks them to 0.99999, which `.int()` makes 0: after one step of torch.optim.AdamW with
# its defaults every row is zero, the layer puts out nothing, and no gradient brings it back. Without weight decay, or
# with orthogonal_map="cayley" or "matrix_exp", it stays orthogonal.
# For a user: name another map, or leave such parameters out of weight decay. Libraries that tune low-rank subspaces
# (representation fine-tuning) make such layers with the default map.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy
environment/bin/pip list 2>/dev/null | grep -E '^torch '

environment/bin/python -W ignore - <<'PY'
import sys

import torch
from torch.nn.utils.parametrizations import orthogonal

KEPT = {("householder", 0.01): False, ("householder", 0.0): True, ("cayley", 0.01): True, ("matrix_exp", 0.01): True}

for (name, decay), expected in KEPT.items():
    torch.manual_seed(0)
    layer = orthogonal(torch.nn.Linear(64, 8, bias=False), orthogonal_map=name)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=1e-3, weight_decay=decay)
    layer(torch.randn(16, 64)).square().mean().backward()
    optimiser.step()
    weight = layer.weight.detach()
    kept = bool((weight @ weight.T - torch.eye(8)).abs().max() < 1e-4)
    print(f"{name}, weight decay {decay}: orthogonal after one step: {kept}; norm of the weight {weight.norm():.3f}")
    if kept != expected:
        sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
