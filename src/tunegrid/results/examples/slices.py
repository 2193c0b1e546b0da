"""Slices of the test rows, and the score of every cell on each of them."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunegrid.data.overlap import NGRAM
from tunegrid.results.examples.read import TaskExamples
from tunegrid.results.read import ResultKey
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.tasks import TASKS

COLUMNS = {"slices": "study kind task model method metric dimension slice rows mean ci_low ci_high seeds_ok"}
RESAMPLES = 1_000  # of each slice
FEWEST = 10  # rows of a slice, or groups of rows, below which its scores have no interval
FIRST_WORDS = 8  # the commonest; all others are one slice


@dataclass(frozen=True)
class Dimension:
    """A way to divide the test rows: each row is in one slice."""

    title: str
    slices: tuple[str, ...]
    members: np.ndarray  # index of each row's slice, [rows]


def dimensions(examples: TaskExamples) -> list[Dimension]:
    """The ways to divide the rows of a task that make at least two slices."""
    found = (_length(examples), _first_word(examples), _label(examples), _unknown(examples), _seen(examples))
    return [dimension for dimension in found if dimension is not None and len(dimension.slices) > 1]


def slice_rows(
    examples: TaskExamples,
    units: np.ndarray | None,
    resamples: int | None = None,
    collapsed: Collection[ResultKey] = (),
) -> list[dict[str, Any]]:
    """Rows of `slices.csv`: the primary metric of each cell, untuned model and baseline on each slice, with interval.

    Args:
        units: group of each row in the bootstrap, see `StudyResults.units`.
        resamples: of each slice; None: RESAMPLES.
        collapsed: cells of which a seed collapsed.
    """
    metric = examples.task.primary
    statistics = {}
    for key, results in examples.groups.items():
        blocks = [result.statistics(metric.name) for result in results]
        if all(block is not None for block in blocks):
            statistics[key] = np.stack(blocks)
    rows = []
    for dimension in dimensions(examples) if statistics else ():
        for number, name in enumerate(dimension.slices):
            inside = dimension.members == number
            samples = [
                ExampleStatistics(values[:, inside], metric.aggregate, key.kind == "run", key in collapsed)
                for key, values in statistics.items()
            ]
            drawn = None if units is None else units[inside]
            resampled = resample_scores(samples, drawn, min(resamples or RESAMPLES, RESAMPLES))
            few = (inside.sum() if drawn is None else len(set(drawn))) < FEWEST
            for index, (key, values) in enumerate(statistics.items()):
                low, high = (None, None) if few else resampled.interval(index)
                row = key._asdict() | {"metric": metric.name, "dimension": dimension.title, "slice": name}
                row |= {"rows": int(inside.sum()), "mean": float(resampled.point[index])}
                rows.append(row | {"ci_low": low, "ci_high": high, "seeds_ok": len(values)})
    return rows


# The dimensions -----------------------------------------------------------------------------------------------------


def _length(examples: TaskExamples) -> Dimension | None:
    """Quarters of the rows by the number of words of their source."""
    columns = TASKS[examples.task.kind].source_columns
    if not len(examples.rows) or not all(column in examples.rows[0] for column in columns):
        return None
    words = np.array([sum(len(row[column].split()) for column in columns) for row in examples.rows])
    ends = sorted({int(np.quantile(words, share, method="lower")) for share in (0.25, 0.5, 0.75, 1)})
    starts = [int(words.min()), *(end + 1 for end in ends[:-1])]
    ranges = (f"{start}" if start == end else f"{start}–{end}" for start, end in zip(starts, ends, strict=True))
    return Dimension("Source length", tuple(f"{words} words" for words in ranges), np.searchsorted(ends, words))


def _first_word(examples: TaskExamples) -> Dimension | None:
    """The first word of a question; rare ones together."""
    column = TASKS[examples.task.kind].question_column
    if column is None or not len(examples.rows) or column not in examples.rows[0]:
        return None
    words = [(re.findall(r"\w+", row[column].lower()) or ["other"])[0] for row in examples.rows]
    common = [word for word, _ in sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))]
    kept = [word for word in common if word != "other"]
    kept = kept if len(common) <= FIRST_WORDS else kept[: FIRST_WORDS - 1]
    return _named("Question word", [word if word in kept else "other" for word in words], (*kept, "other"))


def _label(examples: TaskExamples) -> Dimension | None:
    if examples.task.labels is None or not examples.answered:
        return None
    labels = [references[0] for references in examples.answered[0].predictions["references"]]
    return _named("Label", labels, sorted(set(labels)))


def _unknown(examples: TaskExamples) -> Dimension | None:
    """Whether some model's vocabulary lacks a part of the source."""
    if not examples.unknown:
        return None
    some = np.sum(list(examples.unknown.values()), axis=0) > 0
    return _named("Unknown tokens", ["some" if each else "none" for each in some], ("none", "some"))


def _seen(examples: TaskExamples) -> Dimension | None:
    """Whether the text of a row is in the training rows."""
    if examples.overlap is None:
        return None
    same, seen = examples.overlap["same"], examples.overlap["seen"] > 0
    names = ("not seen", f"{NGRAM} words in a row", "same words")
    kinds = [names[2 if whole else int(part)] for whole, part in zip(same, seen, strict=True)]
    return _named("Seen in training", kinds, names)


def _named(title: str, values: Sequence[str], names: Sequence[str]) -> Dimension:
    present = set(values)
    kept = [name for name in names if name in present]
    index = {name: number for number, name in enumerate(kept)}
    return Dimension(title, tuple(kept), np.array([index[value] for value in values], dtype=np.int64))
