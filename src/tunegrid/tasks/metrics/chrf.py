"""chrF as sacreBLEU computes it (Popović 2015), on 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunegrid.tasks.metrics.base import Metric, References

if TYPE_CHECKING:
    import numpy as np


class ChrF(Metric):
    """Corpus chrF. Its column is chrF of each sentence, of which corpus chrF is no mean: it has no interval."""

    name, title, label = "chrf", "chrF", "chrF"
    printed = False
    columns = ("chrf",)
    description = "sacreBLEU's corpus chrF, from 0 to 1."
    citation = "Popović 2015, chrF: character n-gram F-score for automatic MT evaluation"

    def examples(self, predictions: Sequence[str], references: References) -> dict[str, list[float]]:
        from sacrebleu.metrics import CHRF

        scorer, pairs = CHRF(), zip(predictions, references, strict=True)
        return {"chrf": [scorer.sentence_score(prediction, list(texts)).score / 100 for prediction, texts in pairs]}

    def statistics(self, table: Mapping[str, Any]) -> None:
        return None

    def aggregate(self, sums: np.ndarray) -> np.ndarray:
        raise NotImplementedError("corpus chrF is no function of sums over the sentences")

    def score(self, table: Mapping[str, Any]) -> float:
        from sacrebleu.metrics import CHRF

        references = [texts[0] for texts in table["references"]]
        return CHRF().corpus_score(list(table["prediction"]), [references]).score / 100

    def signature(self) -> str:
        from sacrebleu.metrics import CHRF

        scorer = CHRF()
        scorer.corpus_score([""], [[""]])  # the signature holds the number of references
        return str(scorer.get_signature())
