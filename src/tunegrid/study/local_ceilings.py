"""Ceilings that are known before any job: recorded ones, and those of local tokenizers on local test rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tunegrid.common.errors import TuneGridError
from tunegrid.data.sources.base import ReadSource
from tunegrid.study.study import Study
from tunegrid.tasks import Row, RowError, Task

if TYPE_CHECKING:
    from tunegrid.tasks.ceiling import CeilingRecord

SAMPLE = 1_000  # test rows that are looked at, and texts of a set of bias probes


def local_ceilings(study: Study) -> dict[tuple[str, str], CeilingRecord]:
    """The ceilings, by task and model, of models whose tokenizer is here and of tasks whose test rows are.

    Of rows that are not tokenised yet the first 1,000 are looked at. Nothing is downloaded, and nothing is said of what
    cannot be read: the stages will say it.

    Raises:
        TuneGridError: a tokenizer marks languages, label words do not fit a vocabulary or the task's lengths, or a text
            of a bias probe is too long.
    """
    ceilings = {}
    folders = {model: folder for model in study.grid.models if (folder := _tokenizer_folder(study, model))}
    if not folders:
        return ceilings
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.token_ids import check_tokenizer
    from tunegrid.tasks.ceiling import ceiling
    from tunegrid.tasks.label_words import check_label_words
    from tunegrid.tasks.probes.prompts import check_prompts

    rows = {name: _test_rows(study, name) for name in study.grid.tasks}
    for model, folder in folders.items():
        try:
            tokenizer = load_tokenizer(folder)
        except TuneGridError:  # fetch-model says what is wrong
            continue
        check_tokenizer(tokenizer, f"models.{model}: {study.models[model].source.describe()}")
        for name in study.grid.tasks:
            task = study.task(name, model)
            check_label_words(task, tokenizer, model)
            check_prompts(task, study.models[model].family, tokenizer, study.probe_sets(name), SAMPLE)
            if rows[name]:
                ceilings[name, model] = ceiling(task, tokenizer, rows[name])
    return ceilings


def _tokenizer_folder(study: Study, model: str) -> Path | None:
    fetched, source = study.paths.model(model), study.models[model].source
    if (fetched / "config.json").is_file():
        return fetched
    return Path(source.path) if source.kind == "directory" else None


def _test_rows(study: Study, name: str) -> list[Row]:
    """The first test rows of a task; none where they are not on this machine."""
    from tunegrid.data.parquet import iterate_parquet

    file = study.paths.split(name, "test")
    if file.is_file():
        return next(iter(iterate_parquet(file, SAMPLE)), [])
    rows: list[Row] = []
    with suppress(TuneGridError, OSError):
        rows += islice(_source_rows(study.task(name)), SAMPLE)
    return rows


def _source_rows(task: Task) -> Iterator[Row]:
    from tunegrid.tasks.rows import canonical_row

    source = task.settings.source
    if not isinstance(source, ReadSource) or getattr(source, "hub_id", None) is not None:
        return
    rows = None if getattr(task.settings, "protocol", None) == "published" else source.read("test", task.settings.kind)
    for row in (source.read("train", task.settings.kind) if rows is None else rows) or ():
        with suppress(RowError):
            yield canonical_row(task, row)
