"""Tables to audit, read from a folder or made of a study: scores by row, and what is claimed or known about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tunegrid.results.audit.printed import Printed
from tunegrid.tasks import metrics

# Column, without `_percent` -> name in a sentence.
METRICS = {metric.name: metric.label for metric in metrics.METRICS.values()} | {"exact_match": "exact match"}
LOWEST = {metric.name: metric.lowest for metric in metrics.METRICS.values()}
WHOLE = ("exact_match", "accuracy")  # means of zeros and ones


@dataclass(frozen=True)
class ScoreRow:
    """A row of a table: what sentences call it, its scores by metric, and the counts behind them where given."""

    name: str
    values: Mapping[str, Printed]
    model: str = ""
    examples: int | None = None
    positives: int | None = None
    tuned: bool = True  # False: an untuned model or a baseline, as far as that is known
    predictions: Callable[[], tuple[str, ...]] | None = None  # reads the predictions, where they are known


@dataclass(frozen=True)
class Known:
    """Scores of a model to compare with, and where they come from."""

    model: str
    tuned: bool
    values: Mapping[str, Printed]
    conditions: str
    source: str = ""  # of a published score


@dataclass(frozen=True)
class ScoreTable:
    """A table of scores and what is claimed or known about it."""

    title: str
    rows: tuple[ScoreRow, ...]
    data: str = ""  # "the test set of …": the data on which the scores are claimed to be measured
    test_size: int | None = None
    positives: int | None = None
    train_size: int | None = None
    known: tuple[Known, ...] = ()
    aside: tuple[str, ...] = ()  # columns of numbers that are not scores
    primary: tuple[str, ...] = ("bleu", "exact_match")  # below one point only where a run failed
    labels: int | None = 2  # of a classifier; None: not one
    cells: tuple[ScoreRow, ...] = ()  # means over seeds, where `rows` are single seeds

    def with_scores(self, *metrics: str) -> list[ScoreRow]:
        """The rows that have a score in all of these metrics."""
        return [row for row in self.rows if all(metric in row.values for metric in metrics)]


def names(rows: Iterable[ScoreRow]) -> tuple[str, ...]:
    """The names of the rows."""
    return tuple(row.name for row in rows)


def word(metric: str) -> str:
    """The name of a metric in a sentence."""
    return METRICS.get(metric, metric)
