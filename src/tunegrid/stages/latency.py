"""What one answer of a tuned model costs: latency, throughput and operations, as it was predicted and merged.

Measured after the test set was predicted and apart from it, so that it alters neither predictions nor their time. All
methods and models of a task answer the same test examples, drawn evenly over the test set (which may be sorted), with
the task's own generation settings. How long an answer is, is up to the model: so there are seconds per token too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunegrid.data.tokens import take_rows
from tunegrid.methods import Method
from tunegrid.models import Shape
from tunegrid.models.flops import PREDICTION_FORMULA, counted, prediction_flops
from tunegrid.results.records import InferenceCost, Speed
from tunegrid.runtime import measure
from tunegrid.tasks import Task
from tunegrid.tasks.predict import Predicted, predict_rows

if TYPE_CHECKING:
    import pyarrow
    from transformers import PreTrainedTokenizerBase

WARM_UP = 2  # examples that are answered before the first one counts


@dataclass(frozen=True)
class Bench:
    """The examples that every form of a model answers, and how.

    Attributes:
        singles: token ids of one example each, answered one after the other.
        batch: token ids of `batch_rows` examples, answered at once.
    """

    tokenizer: PreTrainedTokenizerBase
    task: Task
    precision: str
    singles: list[pyarrow.Table]
    single_rows: list[int]
    batch: pyarrow.Table
    batch_rows: list[int]

    @classmethod
    def of(
        cls,
        tokenizer: PreTrainedTokenizerBase,
        task: Task,
        tokens: pyarrow.Table,
        rows: int,
        *,
        precision: str,
        examples: int,
    ) -> Bench:
        """The bench of a test set of so many rows; `examples`: how many are answered alone."""
        singles, batch = spread(rows, examples), spread(rows, task.settings.evaluation_batch_size)
        alone = [take_rows(tokens, [row]) for row in singles]
        return cls(tokenizer, task, precision, alone, singles, take_rows(tokens, batch), batch)

    def measure(self, model: Any) -> tuple[Speed, list[tuple[int, str]]]:
        """(speed of a model, its answers as (row, text))."""
        import numpy as np

        for tokens in self.singles[:WARM_UP]:
            self._predict(model, tokens, 1)
        seconds, per_token, answers = [], [], []
        for row, tokens in zip(self.single_rows, self.singles, strict=True):
            start = measure.clock()
            predicted = self._predict(model, tokens, 1)
            seconds.append(measure.clock() - start)
            if predicted.written is not None:  # of several windows in one batch, the longest answer
                per_token.append(seconds[-1] / max(predicted.written))
            answers.append((row, predicted.texts[0]))
        start = measure.clock()
        predicted = self._predict(model, self.batch, len(self.batch_rows))
        batch_seconds = measure.clock() - start
        speed = Speed(
            latency_seconds=float(np.median(seconds)),
            latency_p90_seconds=float(np.quantile(seconds, 0.9)),
            token_seconds=float(np.median(per_token)) if per_token else None,
            batch_examples_per_second=len(self.batch_rows) / batch_seconds,
        )
        return speed, answers + list(zip(self.batch_rows, predicted.texts, strict=True))

    def _predict(self, model: Any, tokens: pyarrow.Table, rows: int) -> Predicted:
        return predict_rows(model, self.tokenizer, self.task, tokens, rows, precision=self.precision)


def spread(rows: int, wanted: int) -> list[int]:
    """So many rows (or all), evenly over the whole."""
    count = min(rows, wanted)
    return [index * rows // count for index in range(count)]


def inference_cost(
    model: Any,
    method: Method,
    shape: Shape,
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    tokens: pyarrow.Table,
    predicted: Predicted,
    *,
    precision: str,
    examples: int,
) -> InferenceCost:
    """Measures a model that has predicted the test set; a method that can be merged is merged in place, at the end.

    Args:
        predicted: what it predicted.
        examples: how many examples are answered alone; 0: no speed is measured, only operations are counted.
    """
    start = measure.clock()
    rows = len(predicted.texts)
    lengths, texts = _lengths(tokenizer, task, tokens, predicted)
    lengths = [(source + method.added_tokens, written) for source, written in lengths]
    facts: dict[str, Any] = dict.fromkeys(InferenceCost.model_fields)
    facts |= {"flops": prediction_flops(shape, method.counted(model), lengths, texts, rows)}
    facts |= {"flops_formula": PREDICTION_FORMULA, "latency_examples": 0, "batch_examples": 0}
    if predicted.written is not None:
        facts["generated_tokens"] = sum(predicted.written) / rows
    bench = None
    if examples:
        bench = Bench.of(tokenizer, task, tokens, rows, precision=precision, examples=examples)
        facts |= {"latency_examples": len(bench.singles), "batch_examples": len(bench.batch_rows)}
        facts["unmerged"], answers = bench.measure(model)
    before = measure.clock()
    merged = method.merge(model)
    facts["merge"] = "undefined" if merged is None else "plain" if merged is model else "merged"
    if facts["merge"] == "merged":
        facts["merge_seconds"] = measure.clock() - before
        facts["merged_flops"] = prediction_flops(shape, counted(merged), lengths, texts, rows)
        if bench:
            facts["merged"], again = bench.measure(merged.eval())
            facts |= dict(zip(("merged_compared", "merged_differences"), differences(answers, again), strict=True))
    return InferenceCost(**facts | {"measuring_seconds": measure.clock() - start})


def differences(first: Sequence[tuple[int, str]], second: Sequence[tuple[int, str]]) -> tuple[int, int]:
    """(rows that both answered, those of them with another answer), a row that was answered twice counting once."""
    differ = {row for (row, text), (_, other) in zip(first, second, strict=True) if text != other}
    return len({row for row, _ in first}), len(differ)


def _lengths(
    tokenizer: PreTrainedTokenizerBase, task: Task, tokens: pyarrow.Table, predicted: Predicted
) -> tuple[list[tuple[int, float]], int]:
    """(source tokens and written tokens of each entry, texts per entry)."""
    import pyarrow.compute as compute

    sources = compute.list_value_length(tokens.column("input_ids")).to_pylist()
    if predicted.written is not None:
        return list(zip(sources, predicted.written, strict=True)), task.settings.generation.num_beams
    words = [len(tokenizer(text_target=task.word(label))["input_ids"]) for label in task.labels()]
    return [(source, sum(words) / len(words)) for source in sources], len(words)
