"""Bias probes: pairs of texts, or of answers, that name different people, and what a model makes of them."""

from tunegrid.tasks.probes.answers import AnswerProbes
from tunegrid.tasks.probes.base import ProbeModel, ProbePair, ProbeSet, Scored
from tunegrid.tasks.probes.bbq import BBQProbes
from tunegrid.tasks.probes.labels import LabelProbes
from tunegrid.tasks.probes.text_pairs import TextPairs
from tunegrid.tasks.probes.word_forms import WordFormProbes

PROBES: dict[str, type[ProbeSet]] = {
    "labels": LabelProbes,
    "answers": AnswerProbes,
    "word-forms": WordFormProbes,
    "text-pairs": TextPairs,
    "bbq": BBQProbes,
}

__all__ = ["PROBES", "ProbeModel", "ProbePair", "ProbeSet", "Scored"]
