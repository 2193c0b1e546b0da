"""The stage `tokenise`: the rows of a task as token ids of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced_folder, write_json
from tunegrid.data.parquet import iterate_parquet, read_parquet, write_columns
from tunegrid.data.sources import SPLITS
from tunegrid.data.tokens import load_tokenizer
from tunegrid.results.records import write_record
from tunegrid.tasks import Task
from tunegrid.tasks.ceiling import ceiling
from tunegrid.tasks.label_words import check_label_words
from tunegrid.tasks.probes import ProbeSet
from tunegrid.tasks.probes.prompts import check_prompts
from tunegrid.tasks.tokenise import SplitTokeniser


def tokenise(
    task: Task, family: str, data: Path, model: Path, folder: Path, probes: Mapping[str, ProbeSet] | None = None
) -> None:
    """Writes `<split>.arrow` (columns `input_ids`, `labels` and `row`, in the order of the rows) and two records.

    `stats.json` says what was cut and lost on the way, `ceiling.json` what the model's vocabulary lets it score on the
    test set (`tasks.ceiling`). `unknown.parquet` counts the unknown tokens of each test source.

    The files are Arrow IPC: training maps them into memory instead of reading them. `row` is the index of the example
    in its split. A source that is too long may be several windows, one after the other. Windows that are not learnt
    from are absent from the training split; in the other splits, which are also predicted on, they have no labels (an
    empty list).

    Raises:
        TuneGridError: a length is longer than the model can read, label words do not fit the model's vocabulary or
            the task's lengths, or no row remains to train on.
    """
    check_positions(task, model)
    tokenizer = load_tokenizer(model)
    check_label_words(task, tokenizer, str(model))
    check_prompts(task, family, tokenizer, probes or {})
    with replaced_folder(folder) as new:
        stats = {}
        for split in SPLITS:
            batches = iterate_parquet(data / f"{split}.parquet")
            tokeniser = SplitTokeniser(task, family, tokenizer, training=split == "train")
            stats[split] = tokeniser.write(batches, new / f"{split}.arrow")
            if split != "test" and not tokeniser.learnable:
                raise TuneGridError(
                    f"{data / f'{split}.parquet'}: no row is left to learn from: in no window is a whole answer. "
                    "Set the task's max_source_length or window_overlap higher."
                )
        write_columns(new / "unknown.parquet", {"unknown": tokeniser.unknown})  # of the last split, the test set
        lengths = {"max_source_length": task.settings.max_source_length, "window_overlap": task.window_overlap()}
        write_json(new / "stats.json", {**lengths, "splits": stats})
        record = ceiling(task, tokenizer, read_parquet(data / "test.parquet"))
        write_record(new / "ceiling.json", record)


def check_positions(task: Task, model: Path) -> None:
    """Raises TuneGridError if a length has no position in the model: its training would fail, jobs later."""
    positions = json.loads((model / "config.json").read_text()).get("max_position_embeddings")
    if positions is None:
        return
    settings = task.settings
    lengths = {name: (getattr(settings, name), positions) for name in ("max_source_length", "max_target_length")}
    if task.labels() is None:
        special = load_tokenizer(model).num_special_tokens_to_add()  # of the answer, and not counted in the setting
        lengths["generation.max_new_tokens"] = settings.generation.max_new_tokens, positions - special
    for key, (length, most) in lengths.items():
        if length > most:
            raise TuneGridError(
                f"tasks: {key} of the {settings.kind} task is {length}, but {model} has {positions} positions. "
                f"Set it to {most} or less."
            )
