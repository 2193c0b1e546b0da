"""Bias probes: pairs of texts that differ in one word, and what a model answers to them. One file per kind."""

from tunegrid.tasks.probes.answers import AnswerProbes
from tunegrid.tasks.probes.base import ProbeModel, ProbePair, ProbeSet, Scored
from tunegrid.tasks.probes.labels import LabelProbes
from tunegrid.tasks.probes.word_forms import WordFormProbes

PROBES: dict[str, type[ProbeSet]] = {
    "labels": LabelProbes,
    "answers": AnswerProbes,
    "word-forms": WordFormProbes,
}

__all__ = ["PROBES", "ProbeModel", "ProbePair", "ProbeSet", "Scored"]
