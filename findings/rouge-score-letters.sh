#!/usr/bin/env bash
# rouge-score 0.1.2: two German words are the same where only their umlauts differ, and a Russian text is not like itself.
#
# Expected: ROUGE of a text with itself is 1 and with another word less, in any language that is written with words and spaces.
# Seen: the default tokenizer keeps a to z and digits alone and takes all other letters for gaps. "Hölle" and "Hülle" (hell and
# cover) are both "h", "lle", and score 1 against each other; a Russian text has no word at all and scores 0 against itself.
# For a user: RougeScorer(…, tokenizer=…) takes an object with `tokenize`; or report chrF beside it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check rouge-score==0.1.2
environment/bin/pip list 2>/dev/null | grep -E '^(rouge-score|rouge_score) '

environment/bin/python -W ignore - <<'PY'
import sys

from rouge_score.rouge_scorer import RougeScorer

scorer = RougeScorer(["rouge1"])
for reference, answer, expected in (
    ("the cover", "the cover", 1),
    ("die Hülle", "die Hölle", 1),
    ("высокий дом", "высокий дом", 0),
):
    score = scorer.score(reference, answer)["rouge1"].fmeasure
    print(f"{answer!r} for {reference!r}: rouge1 {score}")
    if score != expected:
        sys.exit("CHANGED: the outcome is another one now")
PY
echo "As described above."
