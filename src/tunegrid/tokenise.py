"""The tokenise stage: rows to token ids, and an account of everything that was cut or lost on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.data import read_parquet
from tunegrid.errors import TuneGridError
from tunegrid.files import replaced_folder, write_json
from tunegrid.sources import SPLITS
from tunegrid.tasks import Row, Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH = 10_000  # rows tokenised and written at once: bounds the memory


def tokenise(task: Task, family: str, data: Path, model: Path, folder: Path) -> None:
    """Writes `<split>.arrow` (columns `input_ids` and `labels`, in the order of the rows) and `stats.json`.

    The files are Arrow IPC: training maps them into memory instead of reading them.
    """
    _check_positions(task, model)
    tokenizer = load_tokenizer(model)
    with replaced_folder(folder) as new:
        stats = {}
        for split in SPLITS:
            rows = read_parquet(data / f"{split}.parquet")
            stats[split] = _tokenise_split(task, family, tokenizer, rows, new / f"{split}.arrow")
        write_json(new / "stats.json", {"max_source_length": task.settings.max_source_length, "splits": stats})


def _check_positions(task: Task, model: Path) -> None:
    """Models that learn a vector per position have a longest input; beyond it training would fail, jobs later."""
    positions = json.loads((model / "config.json").read_text()).get("max_position_embeddings")
    for key in ("max_source_length", "max_target_length"):
        if positions is not None and (length := getattr(task.settings, key)) > positions:
            raise TuneGridError(
                f"tasks: {key} of the {task.settings.kind} task is {length}, but {model} has {positions} positions. "
                f"Set it to {positions} or less."
            )


def load_tokenizer(model: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint in the Hub's layout."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model, local_files_only=True)


def read_tokens(path: Path) -> Any:
    """The token ids of one split: a memory-mapped `pyarrow.Table`."""
    import pyarrow

    return pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all()


def _tokenise_split(
    task: Task, family: str, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], path: Path
) -> dict[str, Any]:
    import numpy as np
    import pyarrow

    ids = pyarrow.list_(pyarrow.int32())
    schema = pyarrow.schema([("input_ids", ids), ("labels", ids)])
    settings = task.settings
    source_lengths, target_lengths = [], []
    cut_sources = cut_targets = answers_lost = unknown = 0
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, schema) as writer:
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            sources = tokenizer([task.source_text(row, family) for row in batch])["input_ids"]
            targets = tokenizer(text_target=[task.target_text(row) for row in batch])["input_ids"]
            source_lengths += map(len, sources)
            target_lengths += map(len, targets)
            for i, row in enumerate(batch):
                if len(sources[i]) > settings.max_source_length:
                    sources[i], kept = cut_source(task, family, tokenizer, row)
                    cut_sources += 1
                    answers_lost += task.answer_lost(row, kept) and not task.answer_lost(row, row[task.cuttable])
                if len(targets[i]) > settings.max_target_length:
                    targets[i] = [*targets[i][: settings.max_target_length - 1], tokenizer.eos_token_id]
                    cut_targets += 1
                unknown += (sources[i] + targets[i]).count(tokenizer.unk_token_id)
            columns = {"input_ids": sources, "labels": targets}
            writer.write_batch(pyarrow.RecordBatch.from_pydict(columns, schema=schema))
    quantiles = (0.5, 0.9, 0.99, 1.0)
    return {
        "rows": len(rows),
        "source_length": dict(zip(map(str, quantiles), np.quantile(source_lengths, quantiles).tolist(), strict=True)),
        "target_length": dict(zip(map(str, quantiles), np.quantile(target_lengths, quantiles).tolist(), strict=True)),
        "sources_cut": cut_sources,
        "targets_cut": cut_targets,
        "answers_lost": answers_lost,
        "unknown_tokens": unknown,
    }


def cut_source(task: Task, family: str, tokenizer: PreTrainedTokenizerBase, row: Row) -> tuple[list[int], str]:
    """(token ids of at most `max_source_length`, what was kept of the column that was cut).

    Only the end of `task.cuttable` is cut, never the question or the instruction around it.
    """
    limit = task.settings.max_source_length
    text = row[task.cuttable]
    while True:
        ids = tokenizer(task.source_text({**row, task.cuttable: text}, family))["input_ids"]
        if len(ids) <= limit or not text:
            # With nothing left to cut, the template alone is too long: only its end can go.
            return (ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]), text
        offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        keep = max(len(offsets) - (len(ids) - limit), 0)
        text = text[: offsets[keep][0]].rstrip() if keep < len(offsets) else text[:-1]
