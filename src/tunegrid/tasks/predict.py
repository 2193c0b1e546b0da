"""Predictions of rows: generated texts, or chosen labels, of whole sources or of their windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tunegrid.models.converted import Converted
from tunegrid.models.generate import Answer, choose_labels, generate
from tunegrid.tasks.base import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Predicted:
    """The predictions of one split.

    Attributes:
        texts: one per row.
        columns: more to keep of each row: the log-probability of each label (`score_<label>`), or which window
            answered (`window`, from 0) with which score (`window_score`) where rows have several. None: nothing.
        cut: how many predictions the longest answer ended, not the model; None where it chooses among labels.
        written: tokens that were generated for each entry of the token file, its end included; None among labels.
    """

    texts: list[str]
    columns: pd.DataFrame | None
    cut: int | None
    written: list[int] | None = None


def predict_rows(
    model: Any, tokenizer: PreTrainedTokenizerBase, task: Task, tokens: pyarrow.Table, rows: int, *, precision: str
) -> Predicted:
    """One prediction per row: free text by generation, or a label word. Of a row in windows, the best window's.

    Args:
        model: of transformers, or one that CTranslate2 has loaded, which has its own precision.
        tokens: the token ids of so many rows of one split, in their order.
    """
    sources = tokens.column("input_ids").to_pylist()
    owners = tokens.column("row").to_pylist()
    windows = Counter(owners)
    if windows.keys() != set(range(rows)):
        raise ValueError(f"{len(windows)} tokenised rows, but {rows} rows: tokenise again")
    if isinstance(model, Converted):
        write, choose = model.generate, model.choose_labels
    else:
        write, choose = (partial(function, model, precision=precision) for function in (generate, choose_labels))
    options = {"batch_size": task.settings.evaluation_batch_size}
    if (labels := task.labels()) is not None:
        if len(sources) != rows:
            raise ValueError("sources in windows can be answered, not classified")
        words = [task.word(label) for label in labels]
        return Predicted(*choose(tokenizer, sources, labels, words=words, **options), None)
    scored = {index for index, row in enumerate(owners) if windows[row] > 1}
    answers = write(tokenizer, sources, task.settings.generation, scored=scored, **options)
    if scored:
        return _best_windows(owners, answers, rows)
    unended, written = sum(not answer.ended for answer in answers), [answer.tokens for answer in answers]
    return Predicted([answer.text for answer in answers], None, unended, written)


def choose_words(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    sources: list[list[int]],
    words: Sequence[str],
    precision: str,
) -> np.ndarray:
    """Log-probability of each of some texts as the answer to each source, [sources, words]."""
    choose = model.choose_labels if isinstance(model, Converted) else partial(choose_labels, model, precision=precision)
    options = {"words": list(words), "batch_size": task.settings.evaluation_batch_size}
    return choose(tokenizer, sources, list(words), **options)[1].to_numpy()


def _best_windows(owners: list[int], answers: list[Answer], rows: int) -> Predicted:
    """Takes the answer with the highest score of each row; an empty one only where no window has another."""
    import pandas as pd

    of_row: list[list[Answer]] = [[] for _ in range(rows)]
    for owner, answer in zip(owners, answers, strict=True):
        of_row[owner].append(answer)

    def rank(answer: Answer) -> tuple[bool, float]:
        return bool(answer.text), 0.0 if answer.score is None else answer.score

    best = [max(windows, key=rank) for windows in of_row]
    chosen = [windows.index(answer) for windows, answer in zip(of_row, best, strict=True)]
    columns = pd.DataFrame({"window": chosen, "window_score": [answer.score for answer in best]})
    columns = columns.astype({"window": "int32", "window_score": "float64"})
    unended, written = sum(not answer.ended for answer in best), [answer.tokens for answer in answers]
    return Predicted([answer.text for answer in best], columns, unended, written)
