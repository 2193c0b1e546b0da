"""The tokenise stage: rows to token ids, and an account of everything that was cut or lost on the way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.tasks import Row, Task
from tunegrid.tasks.windows import fit_source

if TYPE_CHECKING:
    import pyarrow
    from transformers import PreTrainedTokenizerBase

# Texts tokenised at once: what the tokenizer makes of a text takes a hundred times the memory of its ids.
ENCODED = 1_000
QUANTILES = (0.5, 0.9, 0.99, 1.0)
# What is counted of each split. `unknown_tokens` counts tokens; the windows are counted one by one, all else is rows.
COUNTS = (
    "sources_cut",
    "targets_cut",
    "answers_lost",
    "unknown_tokens",
    "rows_with_windows",
    "windows",
    "windows_without_answer",
    "windows_abstaining",
    "special_tokens_as_text",
)


class SplitTokeniser:
    """The token ids of one split, and the account of what was done to its rows."""

    def __init__(self, task: Task, family: str, tokenizer: PreTrainedTokenizerBase, training: bool) -> None:
        self.task, self.family, self.tokenizer, self.training = task, family, tokenizer, training
        self.special = special_token_names(tokenizer)
        self.counts: Counter[str] = Counter()
        self.rows = 0
        self.unknown: list[int] = []  # unknown tokens of the source of each row
        self.learnable = 0  # entries with labels

    def write(self, batches: Iterable[list[Row]], path: Path) -> dict[str, Any]:
        """Writes the split and returns what stats.json says of it. Lengths are those before any cut, in tokens."""
        import numpy as np
        import pyarrow

        ids = pyarrow.list_(pyarrow.int32())
        schema = pyarrow.schema([("input_ids", ids), ("labels", ids), ("row", pyarrow.int32())])
        lengths: dict[str, list[Any]] = {"source_length": [], "target_length": []}
        with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, schema) as writer:
            for batch in batches:
                rows = as_text(batch, self.special)
                self.counts["special_tokens_as_text"] += sum(new != old for new, old in zip(rows, batch, strict=True))
                sources = encode(self.tokenizer, "text", [self.task.source_text(row, self.family) for row in rows])
                targets = encode(self.tokenizer, "text_target", [self.task.target_text(row) for row in rows])
                for name, encoded in zip(lengths, (sources, targets), strict=True):
                    lengths[name].append(np.fromiter(map(len, encoded), np.int32, len(encoded)))
                columns = self._columns(rows, sources, targets)
                writer.write_batch(pyarrow.RecordBatch.from_pydict(columns, schema=schema))
        quantiles = {name: np.quantile(np.concatenate(chunks), QUANTILES).tolist() for name, chunks in lengths.items()}
        return {
            "rows": self.rows,
            **{name: dict(zip(map(str, QUANTILES), values, strict=True)) for name, values in quantiles.items()},
            **{name: self.counts[name] for name in COUNTS},
        }

    def _columns(self, rows: Sequence[Row], sources: list[list[int]], targets: list[list[int]]) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {"input_ids": [], "labels": [], "row": []}
        unknown = self.tokenizer.unk_token_id
        for row, source, target in zip(rows, sources, targets, strict=True):
            entries = self._entries(row, source, target)
            # Of a row in windows each token once; of one that was cut, what was kept.
            seen = (source, target) if len(entries) > 1 else entries[0]
            counts = [(ids or []).count(unknown) for ids in seen]
            self.counts["unknown_tokens"] += sum(counts)
            self.unknown.append(counts[0])
            for source_ids, labels in entries:
                if labels is None and self.training:
                    continue
                self.learnable += labels is not None
                columns["input_ids"].append(source_ids)
                columns["labels"].append(labels or [])
                columns["row"].append(self.rows)
            self.rows += 1
        return columns

    def _entries(self, row: Row, source: list[int], target: list[int]) -> list[tuple[list[int], list[int] | None]]:
        """(token ids of a source, labels or None) of each window of a row; of a row that is not split, of the row."""
        task = self.task
        if len(source) <= task.settings.max_source_length:
            return [(source, self._cut_target(target))]
        windows, cut = fit_source(task, self.family, self.tokenizer, row, source)
        if cut:
            self.counts["sources_cut"] += 1
            self._count_lost(row, [windows[0].text])
            return [(windows[0].ids, self._cut_target(target))]
        slices = [window.text for window in windows]
        texts = task.window_targets(row, slices)
        self._count_lost(row, slices)
        self.counts["rows_with_windows"] += 1
        self.counts["windows"] += len(windows)
        self.counts["windows_without_answer"] += texts.count(None) + texts.count("")
        self.counts["windows_abstaining"] += texts.count("")
        cut = self.counts["targets_cut"]
        targets = [
            None if text is None else self._cut_target(encode(self.tokenizer, "text_target", [text])[0])
            for text in texts
        ]
        self.counts["targets_cut"] = min(self.counts["targets_cut"], cut + 1)  # of rows, not of windows
        return [(window.ids, labels) for window, labels in zip(windows, targets, strict=True)]

    def _count_lost(self, row: Row, kept: list[str]) -> None:
        lost = all(self.task.answer_lost(row, text) for text in kept)
        self.counts["answers_lost"] += lost and not self.task.answer_lost(row, row[self.task.truncatable])

    def _cut_target(self, target: list[int]) -> list[int]:
        if len(target) <= (limit := self.task.settings.max_target_length):
            return target
        self.counts["targets_cut"] += 1
        return [*target[: limit - 1], self.tokenizer.eos_token_id]


def tokenise_unlabelled(
    task: Task, family: str, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]
) -> pyarrow.Table:
    """Token ids of rows without answers, as the file of a test split has them, but without labels."""
    import pyarrow

    texts = as_text(list(rows), special_token_names(tokenizer))
    encoded = encode(tokenizer, "text", [task.source_text(row, family) for row in texts])
    columns: dict[str, list[Any]] = {"input_ids": [], "row": []}
    for number, (row, ids) in enumerate(zip(texts, encoded, strict=True)):
        windows, _ = fit_source(task, family, tokenizer, row, ids)
        columns["input_ids"] += [window.ids for window in windows]
        columns["row"] += [number] * len(windows)
    return pyarrow.table(columns)


def encode(
    tokenizer: PreTrainedTokenizerBase, name: str, texts: Sequence[str], special_tokens: bool = True
) -> list[list[int]]:
    """Token ids of texts, in parts of ENCODED.

    Args:
        name: the tokenizer's argument, `text` or `text_target`.
        special_tokens: whether the tokenizer encloses a text with its special tokens.
    """
    parts = (texts[start : start + ENCODED] for start in range(0, len(texts), ENCODED))
    options = {"return_attention_mask": False, "verbose": False, "add_special_tokens": special_tokens}
    return [ids for part in parts for ids in tokenizer(**{name: part}, **options)["input_ids"]]


def special_token_names(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    """Matches the name of a special token.

    A user's text may say `</s>` or `<extra_id_0>` and mean just that; the tokenizer would read it as the token. So a
    space goes between its first character and the rest: `< /s>`. (The tokenizer's own `split_special_tokens` does not
    help with T5, whose vocabulary has these names as pieces too. Prompts are not touched: the `</s>` in BART's prompt
    is the token.)
    """
    names = sorted((name for name in tokenizer.all_special_tokens if len(name) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names)) or "(?!)")


def as_text(value: Any, special: re.Pattern[str]) -> Any:
    """A text, texts, a row or rows with the names of special tokens in them taken apart, see `special_token_names`."""
    if isinstance(value, dict):
        return {name: as_text(item, special) for name, item in value.items()}
    if isinstance(value, list):
        return [as_text(item, special) for item in value]
    return special.sub(lambda name: f"{name[0][0]} {name[0][1:]}", value) if isinstance(value, str) else value
