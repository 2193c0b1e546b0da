"""BLEU as sacreBLEU computes it (Papineni et al. 2002; Post 2018), on 0 to 1 as the paper prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunegrid.common.citations import PAPINENI_2002, POST_2018, Formula
from tunegrid.tasks.metrics.base import Metric, References

if TYPE_CHECKING:
    import numpy as np


class Bleu(Metric):
    """Corpus BLEU, from the counts of every sentence: [hypothesis length, reference length, 4 matches, 4 totals]."""

    name, title, label = "bleu", "BLEU Score", "BLEU"
    columns = ("bleu_statistics",)
    description = "sacreBLEU's corpus BLEU, from 0 to 1."
    citation = "Post 2018, A Call for Clarity in Reporting BLEU Scores"
    formula = Formula(
        "BLEU",
        r"\mathrm{BLEU} = \min(1,\, e^{1 - r / c}) \, (p_1\, p_2\, p_3\, p_4)^{1/4}",
        "BLEU is the smaller of one and e to the one minus r over c, times the geometric mean of p one to p four",
        "Of the whole test set: p are the shares of the predictions' n-grams of 1 to 4 words that occur in the "
        "references, c and r the lengths of all predictions and of all references. sacreBLEU with its default "
        "settings, from 0 to 1.",
        (PAPINENI_2002, POST_2018),
    )

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[list[int]]]:
        from sacrebleu.metrics import BLEU

        # Effective order only silences a warning about sentence-level use; it does not change the counts.
        scorer, pairs = BLEU(effective_order=True), zip(predictions, references, strict=True)
        scores = (scorer.sentence_score(prediction, list(texts)) for prediction, texts in pairs)
        return {"bleu_statistics": [[score.sys_len, score.ref_len, *score.counts, *score.totals] for score in scores]}

    def statistics(self, table: Mapping[str, Any]) -> np.ndarray:
        import numpy as np

        counts = list(table["bleu_statistics"])
        return np.array(counts, dtype=np.float64).reshape(len(counts), 10)

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        """sacreBLEU's formula with its smoothing `exp`, of many sums at once.

        Each order without a match counts as 1 / (2^k · total), k being how many such orders there were so far; without
        any match, or with hypotheses all too short for some order, BLEU is 0 (sacreBLEU takes log 0 for -9999999999).
        """
        import numpy as np

        hypothesis, reference = sums[..., 0], sums[..., 1]
        correct, total = sums[..., 2:6], sums[..., 6:10]
        unmatched = correct == 0
        halvings = np.cumsum(unmatched, axis=-1)
        scored = np.where(unmatched, 0.5**halvings, correct)
        possible = (total > 0).all(axis=-1) & ~unmatched.all(axis=-1)
        log_precision = np.log(scored / np.where(total > 0, total, 1)).mean(axis=-1)
        brevity = np.minimum(0.0, 1 - reference / np.where(hypothesis > 0, hypothesis, 1))
        return np.where(possible, np.exp(brevity + log_precision), 0.0)

    def score(self, table: Mapping[str, Any]) -> float:
        """sacreBLEU's own number, to the last digit; `aggregate` may round it otherwise."""
        from sacrebleu.metrics import BLEU

        hypothesis, reference, *counts = (int(count) for count in self.statistics(table).sum(axis=0))
        return BLEU.compute_bleu(counts[:4], counts[4:], hypothesis, reference, smooth_method="exp").score / 100

    def undefined(self, table: Mapping[str, Any]) -> str | None:
        longest = int((self.statistics(table)[:, 6:10].sum(axis=0) > 0).sum())
        return None if longest == 4 else f"no prediction has {longest + 1} words"

    def signature(self) -> str:
        from sacrebleu.metrics import BLEU

        scorer = BLEU()
        scorer.corpus_score([""], [[""]])  # the signature holds the number of references
        return str(scorer.get_signature())
