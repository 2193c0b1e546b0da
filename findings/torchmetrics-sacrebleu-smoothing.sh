#!/usr/bin/env bash
# torchmetrics 1.9.0: SacreBLEUScore is not sacreBLEU's score where no four words in a row are right.
#
# Expected: the class is named after sacreBLEU and its documentation says that it follows it, so that its defaults give
# sacreBLEU's number. Seen: it takes sacreBLEU's tokens, but not its smoothing: where some order of n-grams has no match,
# sacreBLEU gives that order a small value (smooth:exp), and torchmetrics gives 0 for the whole corpus, with its own
# `smooth=True` too. Untuned models and small test sets have such scores.
# For a user: call sacrebleu, whose signature says what was computed.

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 sacrebleu==2.6.0 numpy
environment/bin/pip list 2>/dev/null | grep -iE '^(torchmetrics|torch|sacrebleu) '

environment/bin/python -W ignore - <<'PY'
import sys

import sacrebleu
from torchmetrics.text import SacreBLEUScore

answers = ["the cat is on mat today", "he reads a book slowly"]
references = ["the cat sat on the mat today", "he reads a blue book"]
lists = [[text] for text in references]
scores = [
    sacrebleu.corpus_bleu(answers, [references]).score,
    100 * float(SacreBLEUScore()(answers, lists)),
    100 * float(SacreBLEUScore(smooth=True)(answers, lists)),
]
print("sacreBLEU {:.2f}; SacreBLEUScore() {:.2f}; SacreBLEUScore(smooth=True) {:.2f}".format(*scores))
same = [text.replace(" on mat", " on the mat").replace("is on", "sat on") for text in answers]
again = sacrebleu.corpus_bleu(same, [references]).score, 100 * float(SacreBLEUScore()(same, lists))
print("with four words in a row: sacreBLEU {:.2f}; SacreBLEUScore() {:.2f}".format(*again))
if abs(again[0] - again[1]) > 0.01:
    sys.exit("CHANGED: the two differ also where every order has a match")
if not (scores[0] > 20 and scores[1] == scores[2] == 0):
    sys.exit("CHANGED: the scores are others now")
PY
echo "As described above."
