"""chrF as sacreBLEU computes it (Popović 2015), on 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tunegrid.common.citations import POPOVIC_2015, Formula
from tunegrid.tasks.metrics.base import Metric, References, ratio

if TYPE_CHECKING:
    import numpy as np


# Pairs of a prediction and its references whose counts are kept. The sentences' scores and the corpus' are of the same
# pairs, and the runs of a study, which the audit scores again, answer many rows alike.
KEPT = 2**15


@lru_cache(KEPT)
def _counts(prediction: str, *references: str) -> tuple[int, ...]:
    """sacreBLEU's counts of a sentence, with the reference that it scores highest with.

    For n-grams of 1 to 6 characters: how many the prediction has, the reference has, and both. Raises TypeError for
    what is no text.
    """
    from sacrebleu.metrics import CHRF

    scorer = CHRF()
    scorer._check_sentence_score_args(prediction, list(references))
    (counts,) = scorer._extract_corpus_statistics([prediction], [[reference] for reference in references])
    return tuple(map(int, counts))


def _score(counts: Sequence[int]) -> float:
    """chrF of counts, on 0 to 1."""
    from sacrebleu.metrics import CHRF

    return CHRF()._compute_score_from_stats(counts).score / 100


class ChrF(Metric):
    """Corpus chrF. Its column is chrF of each sentence, of which corpus chrF is no mean: it has no interval."""

    name, title, label = "chrf", "chrF", "chrF"
    printed = False
    columns = ("chrf",)
    description = "sacreBLEU's corpus chrF, from 0 to 1."
    citation = "Popović 2015, chrF: character n-gram F-score for automatic MT evaluation"

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[float]]:
        pairs = zip(predictions, references, strict=True)
        return {"chrf": [_score(_counts(prediction, *texts)) for prediction, texts in pairs]}

    def statistics(self, table: Mapping[str, Any]) -> None:
        return None

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        raise NotImplementedError("corpus chrF is no function of sums over the sentences")

    def score(self, table: Mapping[str, Any]) -> float:
        pairs = zip(table["prediction"], table["references"], strict=True)
        counts = [_counts(prediction, texts[0]) for prediction, texts in pairs]
        return _score([sum(column) for column in zip(*counts, strict=True)])

    def signature(self) -> str:
        from sacrebleu.metrics import CHRF

        scorer = CHRF()
        scorer.corpus_score([""], [[""]])  # the signature holds the number of references
        return str(scorer.get_signature())


class ChrFCounts(ChrF):
    """Corpus chrF with the counts of each sentence: it has an interval, and can be the primary metric.

    `chrf_statistics` holds, for n-grams of 1 to 6 characters, how many the prediction has, the reference has, and both.
    """

    printed = True
    columns = ("chrf", "chrf_statistics")
    formula = Formula(
        "chrF",
        r"\mathrm{chrF} = \dfrac{(1 + \beta^2)\, P R}{\beta^2 P + R}, \quad \beta = 2",
        "chrF is one plus beta squared, times P R, over beta squared P plus R, with beta two",
        "P and R are the means, over n-grams of 1 to 6 characters without white space, of the shares of the "
        "predictions' n-grams that are in the references, and of the references' that are in the predictions; each is "
        "summed over all examples. sacreBLEU with its default settings, from 0 to 1.",
        (POPOVIC_2015,),
    )

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[Any]]:
        pairs = zip(predictions, references, strict=True)
        counts = [list(_counts(prediction, texts[0])) for prediction, texts in pairs]
        return super().examples(predictions, references) | {"chrf_statistics": counts}

    def statistics(self, table: Mapping[str, Any]) -> np.ndarray:
        import numpy as np

        counts = list(table["chrf_statistics"])
        return np.array(counts, dtype=np.float64).reshape(len(counts), 18)

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        """sacreBLEU's formula, of many sums at once: orders that a side has no n-gram of are left out of the means."""
        import numpy as np

        predicted, expected, common = (sums[..., part::3] for part in range(3))
        counted = (predicted > 0) & (expected > 0)
        orders = np.maximum(counted.sum(axis=-1), 1)
        precision, recall = (
            np.where(counted, common / np.where(counted, total, 1), 0).sum(axis=-1) / orders
            for total in (predicted, expected)
        )
        return ratio(5 * precision * recall, 4 * precision + recall)
