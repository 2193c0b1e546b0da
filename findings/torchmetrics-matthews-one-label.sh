#!/usr/bin/env bash
# torchmetrics 1.9.0: a classifier that always says the same has a Matthews correlation of up to 1.
#
# Expected: MatthewsCorrCoef of predictions that are all one label is 0, as in scikit-learn and in the metric's purpose: a
# guess without regard to the input has no correlation. Seen: where a factor of the denominator is 0, torchmetrics puts
# another formula in its place. If nine of ten rows are negative and all are called negative, the coefficient is 0.843, the
# value of a good classifier; if all rows are negative, it is 1. With five of ten it is 0 again.
# For a user: count the different predictions and labels first, or take sklearn.metrics.matthews_corrcoef.

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 scikit-learn==1.9.1 numpy
environment/bin/pip list 2>/dev/null | grep -iE '^(torchmetrics|torch|scikit-learn) '

environment/bin/python -W ignore - <<'PY'
import sys

import torch
from sklearn.metrics import matthews_corrcoef
from torchmetrics.classification import BinaryMatthewsCorrCoef, MulticlassMatthewsCorrCoef

seen = []
for positive in (0, 1, 2, 5):
    labels, predictions = torch.tensor([0] * (10 - positive) + [1] * positive), torch.zeros(10, dtype=int)
    both = [float(metric(predictions, labels)) for metric in (BinaryMatthewsCorrCoef(), MulticlassMatthewsCorrCoef(2))]
    peer = matthews_corrcoef(labels, predictions)
    print(f"{positive} of 10 rows positive, none called so: {both[0]:.3f}, {both[1]:.3f}; scikit-learn {peer:.3f}")
    seen.append([round(value, 3) for value in (*both, peer)])
if seen != [[1, 1, 0], [0.843, 0.843, 0], [0.474, 0.474, 0], [0, 0, 0]]:
    sys.exit("CHANGED: the values are others now")
PY
echo "As described above."
