"""chrF as sacreBLEU computes it (Popović 2015), on 0 to 1."""

from sacrebleu.metrics import CHRF

from tunegrid.tasks.metrics.base import TextMetric


def sentence_chrf(prediction: str, reference: str) -> float:
    """chrF of one sentence (0 to 1)."""
    return CHRF().sentence_score(prediction, [reference]).score / 100


class ChrF(TextMetric):
    """Corpus `chrf`, with sacreBLEU's signature."""

    description = "sacreBLEU's corpus chrF, from 0 to 1."
    citation = "Popović 2015, chrF: character n-gram F-score for automatic MT evaluation"

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float | str]:
        scorer = CHRF()
        score = scorer.corpus_score(predictions, [references])
        return {"chrf": score.score / 100, "chrf_signature": str(scorer.get_signature())}
