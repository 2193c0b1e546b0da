"""The model stages: a checkpoint in the Hub's layout, fetched or pretrained, with a card that says what it is."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced_folder, write_json
from tunegrid.data.parquet import iterate_parquet
from tunegrid.data.sources import Split
from tunegrid.models.shape import Shape
from tunegrid.runtime import gpus
from tunegrid.runtime.provenance import file_digest
from tunegrid.study.study import Study
from tunegrid.tasks import Row

BATCH = 10_000  # rows of a task read at once


def fetch_model(study: Study, name: str, folder: Path) -> None:
    """Copies or downloads a model into a folder.

    Raises:
        TuneGridError: it cannot be had, or is not of the family that the study says.
    """
    source = study.models[name].source
    with replaced_folder(folder) as new:
        facts = source.fetch(new)
        _check_family(study, name, new)
        _write_card(study, name, new, facts)


def pretrain_model(study: Study, name: str, folder: Path) -> None:
    """Pretrains a model on text that holds nothing of the validation and test rows of the study's tasks."""
    from tunegrid.data import miniworld
    from tunegrid.models.pretrain.loop import pretrain

    settings = study.models[name]
    source = settings.source
    held_out = set()
    for task, split in ((task, split) for task in study.grid.tasks for split in ("validation", "test")):
        for row in _rows(study, task, split):
            held_out |= {miniworld.text_key(row[column]) for column in study.task(task).text_columns}
    generated = source.text == "miniworld"
    with replaced_folder(folder) as new:
        facts = pretrain(
            source,
            settings.family,
            miniworld.documents(source.seed) if generated else _task_texts(study, source.seed),
            miniworld.instructions(source.seed) if generated else None,
            held_out,
            new,
            study.hardware.threads,
            lambda line: print(line, flush=True),
            gpus.torch_device(study.hardware),
        )
        _write_card(study, name, new, facts)


def _task_texts(study: Study, seed: int) -> Iterator[str]:
    """The texts of all training rows, each once, in seeded order."""
    texts: set[str] = set()
    for task in study.grid.tasks:
        for row in _rows(study, task, "train"):
            texts |= {row[column] for column in study.task(task).text_columns}
    ordered = sorted(texts)
    random.Random(seed).shuffle(ordered)
    return iter(ordered)


def _rows(study: Study, task: str, split: Split) -> Iterator[Row]:
    return chain.from_iterable(iterate_parquet(study.paths.split(task, split), BATCH))


def _check_family(study: Study, name: str, folder: Path) -> None:
    family = study.family(name)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        where = study.models[name].source.describe()
        raise TuneGridError(f"models.{name}: {where}: config.json: not valid JSON: {error}") from None
    Shape.of_model(name, family, config, study.known_families().values())


def _write_card(study: Study, name: str, folder: Path, facts: dict[str, Any]) -> None:
    settings = study.models[name]
    files = sorted(file for file in folder.iterdir() if file.suffix in (".safetensors", ".json", ".model"))
    card = {
        "model": name,
        "family": settings.family,
        "source": settings.source.describe(),
        **facts,
        "fingerprint": file_digest(*files),
    }
    write_json(folder / "card.json", card)
