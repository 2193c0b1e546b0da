#!/usr/bin/env bash
# statsmodels 0.15.0: after Holm's correction a missing p-value is a rejected hypothesis.
#
# Expected: multipletests refuses a p-value that is NaN, or leaves it undecided and corrects the others. Seen: with
# method="holm" its first array, whether each hypothesis is rejected, is True for it, while its corrected p-value is NaN;
# and it counts among the hypotheses that the others are corrected for. With "fdr_bh" all corrected values are NaN, and the
# first array says True for the others all the same. A test of two constant samples has such a p-value (scipy's ttest_rel).
# For a user: leave NaN out before the correction, and put it back as "not tested".

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 scipy==1.17.1 numpy pandas
environment/bin/pip list 2>/dev/null | grep -iE '^(statsmodels|scipy) '

environment/bin/python -W ignore - <<'PY'
import sys

import numpy as np
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests

missing = ttest_rel([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]).pvalue  # two models with the same scores
print(f"p-value of equal samples: {missing}")
seen = {}
for method in ("holm", "fdr_bh"):
    rejected, corrected, *_ = multipletests([0.01, missing, 0.02], method=method)
    print(f"{method}: rejected {rejected.tolist()}, corrected {corrected.round(4).tolist()}")
    seen[method] = rejected.tolist(), np.isnan(corrected).tolist()
rejected, corrected, *_ = multipletests([0.01, 0.02], method="holm")
print(f"holm without it: rejected {rejected.tolist()}, corrected {corrected.round(4).tolist()}")
if seen != {
    "holm": ([True, True, True], [False, True, False]),
    "fdr_bh": ([True, False, True], [True, True, True]),
}:
    sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
