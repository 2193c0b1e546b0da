"""BLEU as sacreBLEU computes it (Papineni et al. 2002; Post 2018), on 0 to 1 as the paper prints it."""

from sacrebleu.metrics import BLEU

from tunegrid.tasks.metrics.base import TextMetric


def bleu_statistics(predictions: list[str], references: list[str]) -> list[list[int]]:
    """What corpus BLEU sums, per sentence: [hypothesis length, reference length, 4 n-gram matches, 4 totals]."""
    # Effective order only silences a warning about sentence-level use; it does not change the counts.
    scorer = BLEU(effective_order=True)
    scores = (scorer.sentence_score(*pair) for pair in zip(predictions, ([text] for text in references), strict=True))
    return [[score.sys_len, score.ref_len, *score.counts, *score.totals] for score in scores]


class Bleu(TextMetric):
    """Corpus `bleu`, with sacreBLEU's signature."""

    description = "sacreBLEU's corpus BLEU, from 0 to 1."
    citation = "Post 2018, A Call for Clarity in Reporting BLEU Scores"

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float | str]:
        scorer = BLEU()
        score = scorer.corpus_score(predictions, [references])
        return {"bleu": score.score / 100, "bleu_signature": str(scorer.get_signature())}
