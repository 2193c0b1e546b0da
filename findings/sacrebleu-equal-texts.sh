#!/usr/bin/env bash
# sacrebleu 2.6.0: chrF of 100 does not say that two texts are the same, and TER of 0 neither.
#
# Expected: chrF, a score of characters, is 100 for equal texts alone, and the metrics of one library treat small and
# capital letters alike. Seen: chrF leaves white space out by default, so that "now here" and "nowhere" score 100 against
# each other; with `whitespace=True` they do not. TER is 0 for "Das Haus" and "das haus", which BLEU and chrF tell apart:
# its default is `case_sensitive=False`, theirs are not. The signatures say so (`space:no`, `case:lc`).
# For a user: print the signature with the score, and count exact matches beside it.

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check sacrebleu==2.6.0
environment/bin/pip list 2>/dev/null | grep -iE '^(sacrebleu) '

environment/bin/python -W ignore - <<'PY'
import sys

from sacrebleu.metrics import BLEU, CHRF, TER

seen = []
for metric, answer, reference in (
    (CHRF(), "nowhere", "now here"),
    (CHRF(whitespace=True), "nowhere", "now here"),
    (TER(), "das haus ist alt", "Das Haus ist alt"),
    (BLEU(), "das haus ist alt", "Das Haus ist alt"),
    (CHRF(), "das haus ist alt", "Das Haus ist alt"),
):
    score = metric.corpus_score([answer], [[reference]]).score
    print(f"{answer!r} for {reference!r}: {score:.1f}   {metric.get_signature()}")
    seen.append(score)
if not (seen[0] == 100 and seen[1] < 90 and seen[2] == 0 and seen[3] < 90 and seen[4] < 90):
    sys.exit("CHANGED: the scores are others now")
PY
echo "As described above."
