"""One file per metric, or for those of one formula: columns per example, their sums, the score.

To add a metric: a class like these in a new file, and its name here.
"""

from tunegrid.tasks.metrics.base import Metric
from tunegrid.tasks.metrics.bleu import Bleu
from tunegrid.tasks.metrics.chrf import ChrF, ChrFCounts
from tunegrid.tasks.metrics.confusion import MacroF1, Matthews
from tunegrid.tasks.metrics.cosine_similarity import CosineSimilarity
from tunegrid.tasks.metrics.entities import EntitiesExact, EntityF1, EntityPrecision, EntityRecall
from tunegrid.tasks.metrics.exact_text import ExactText
from tunegrid.tasks.metrics.label_counts import Accuracy, LabelF1, Precision, Recall
from tunegrid.tasks.metrics.rouge import Rouge1, Rouge2, RougeL, RougeLsum
from tunegrid.tasks.metrics.squad import ExactMatch, SquadF1

METRICS: dict[str, type[Metric]] = {
    "accuracy": Accuracy,
    "bleu": Bleu,
    "chrf": ChrF,
    "chrf_counts": ChrFCounts,
    "cosine_similarity": CosineSimilarity,
    "entities_exact": EntitiesExact,
    "entity_f1": EntityF1,
    "entity_precision": EntityPrecision,
    "entity_recall": EntityRecall,
    "exact_match": ExactMatch,
    "exact_text": ExactText,
    "label_f1": LabelF1,
    "macro_f1": MacroF1,
    "matthews": Matthews,
    "precision": Precision,
    "recall": Recall,
    "rouge1": Rouge1,
    "rouge2": Rouge2,
    "rouge_l": RougeL,
    "rouge_lsum": RougeLsum,
    "squad_f1": SquadF1,
}

__all__ = ["METRICS", "Metric"]
