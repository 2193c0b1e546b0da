"""The cost of one answer of a tuned model: latency, throughput and operations, as it was predicted and merged.

It is measured after the test set was predicted and apart from it, so it changes neither predictions nor their time. All
methods and models of a task answer the same test examples, spread evenly over the test set (which may be sorted), with
the task's own generation settings. The model decides how long its answers are: so there are seconds per token too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tunegrid.data.tokens import take_rows
from tunegrid.methods import Method
from tunegrid.models import Shape
from tunegrid.models.converted import Converted
from tunegrid.models.flops import PREDICTION_FORMULA, Stacks, counted, prediction_flops
from tunegrid.results.records.evaluation import InferenceCost, Speed
from tunegrid.runtime import measure
from tunegrid.tasks import Task
from tunegrid.tasks.predict import Predicted, predict_rows

if TYPE_CHECKING:
    import pyarrow
    from transformers import PreTrainedTokenizerBase

WARM_UP = 2  # examples that are answered before the first one counts


@dataclass(frozen=True)
class TunedModel:
    """A tuned model, with all that its answers and their cost depend on.

    Attributes:
        model: of transformers, or one that CTranslate2 has loaded.
        stacks: its parameters, by which operations are counted; None: those of `model`, counted by the method.
    """

    model: Any
    method: Method
    shape: Shape
    tokenizer: PreTrainedTokenizerBase
    task: Task
    precision: str
    stacks: Stacks | None = None

    def predict(self, tokens: pyarrow.Table, rows: int, many: bool = True) -> Predicted:
        """Predictions for rows of token ids; `many`: computed as is fastest for many of them, not for one."""
        if isinstance(self.model, Converted):
            self.model.answer_many(many)
        return predict_rows(self.model, self.tokenizer, self.task, tokens, rows, precision=self.precision)


@dataclass(frozen=True)
class Examples:
    """The test examples that every form of a model answers.

    Attributes:
        singles: row and token ids of the examples that are answered one after the other.
        batch_rows, batch: rows and token ids of the examples that are answered at once.
    """

    singles: list[tuple[int, pyarrow.Table]]
    batch_rows: list[int]
    batch: pyarrow.Table

    @classmethod
    def choose(cls, tokens: pyarrow.Table, rows: int, *, singles: int, batch: int) -> Examples:
        """Chooses numbers of examples out of the rows of a test set."""
        batch_rows = spread(rows, batch)
        alone = [(row, take_rows(tokens, [row])) for row in spread(rows, singles)]
        return cls(alone, batch_rows, take_rows(tokens, batch_rows))

    def measure(self, tuned: TunedModel) -> tuple[Speed, list[tuple[int, str]]]:
        """(speed of a model, its answers as (row, text))."""
        import numpy as np

        for _, tokens in self.singles[:WARM_UP]:
            tuned.predict(tokens, 1, many=False)
        seconds, per_token, answers = [], [], []
        for row, tokens in self.singles:
            start = measure.clock()
            predicted = tuned.predict(tokens, 1, many=False)
            seconds.append(measure.clock() - start)
            if predicted.written is not None:  # of several windows in one batch, the longest answer
                per_token.append(seconds[-1] / max(predicted.written))
            answers.append((row, predicted.texts[0]))
        start = measure.clock()
        predicted = tuned.predict(self.batch, len(self.batch_rows), many=False)
        batch_seconds = measure.clock() - start
        speed = Speed(
            latency_seconds=float(np.median(seconds)),
            latency_p90_seconds=float(np.quantile(seconds, 0.9)),
            token_seconds=float(np.median(per_token)) if per_token else None,
            batch_examples_per_second=len(self.batch_rows) / batch_seconds,
        )
        return speed, answers + list(zip(self.batch_rows, predicted.texts, strict=True))


def spread(rows: int, size: int) -> list[int]:
    """Indices of a sample of rows (or of all), evenly over the whole."""
    count = min(rows, size)
    return [index * rows // count for index in range(count)]


def inference_cost(tuned: TunedModel, tokens: pyarrow.Table, predicted: Predicted, examples: int) -> InferenceCost:
    """Measures a model that has predicted the test set; a method that can be merged is merged in place, at the end.

    Args:
        tokens: token ids of the test set.
        predicted: what it predicted.
        examples: how many examples are answered alone; 0: no speed is measured, only operations are counted.
    """
    start, method, shape, rows = measure.clock(), tuned.method, tuned.shape, len(predicted.texts)
    lengths, texts = _lengths(tuned, tokens, predicted)
    lengths = [(source + method.added_tokens, written) for source, written in lengths]
    facts: dict[str, Any] = dict.fromkeys(InferenceCost.model_fields)
    facts |= {"flops": prediction_flops(shape, tuned.stacks or method.counted(tuned.model), lengths, texts, rows)}
    facts |= {"flops_formula": PREDICTION_FORMULA, "latency_examples": 0, "batch_examples": 0}
    if predicted.written is not None:
        facts["generated_tokens"] = sum(predicted.written) / rows
    chosen = None
    if examples:
        chosen = Examples.choose(tokens, rows, singles=examples, batch=tuned.task.settings.evaluation_batch_size)
        facts |= {"latency_examples": len(chosen.singles), "batch_examples": len(chosen.batch_rows)}
        facts["unmerged"], answers = chosen.measure(tuned)
    if isinstance(tuned.model, Converted):
        return InferenceCost(**facts | {"merge": "converted", "measuring_seconds": measure.clock() - start})
    before = measure.clock()
    merged = method.merge(tuned.model)
    facts["merge"] = "undefined" if merged is None else "plain" if merged is tuned.model else "merged"
    if facts["merge"] == "merged":
        facts["merge_seconds"] = measure.clock() - before
        facts["merged_flops"] = prediction_flops(shape, counted(merged), lengths, texts, rows)
        if chosen:
            facts["merged"], merged_answers = chosen.measure(replace(tuned, model=merged.eval()))
            compared, changed = differences(answers, merged_answers)
            facts |= {"merged_compared": compared, "merged_differences": changed}
    return InferenceCost(**facts | {"measuring_seconds": measure.clock() - start})


def differences(first: Sequence[tuple[int, str]], second: Sequence[tuple[int, str]]) -> tuple[int, int]:
    """(rows that both answered, rows with different answers); a row that was answered twice counts once."""
    differ = {row for (row, text), (_, other) in zip(first, second, strict=True) if text != other}
    return len({row for row, _ in first}), len(differ)


def _lengths(tuned: TunedModel, tokens: pyarrow.Table, predicted: Predicted) -> tuple[list[tuple[int, float]], int]:
    """(source tokens and written tokens of each entry, texts per entry)."""
    import pyarrow.compute as compute

    sources = compute.list_value_length(tokens.column("input_ids")).to_pylist()
    if predicted.written is not None:
        return list(zip(sources, predicted.written, strict=True)), tuned.task.settings.generation.num_beams
    words = [len(tuned.tokenizer(text_target=tuned.task.word(label))["input_ids"]) for label in tuned.task.labels()]
    return [(source, sum(words) / len(words)) for source in sources], len(words)
