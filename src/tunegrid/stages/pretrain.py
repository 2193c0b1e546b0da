"""The stage `pretrain`: a small model, pretrained on text of the study's tasks or on generated text."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from tunegrid.common.files import replaced_folder
from tunegrid.data import miniworld
from tunegrid.data.miniworld import text_key
from tunegrid.data.parquet import iterate_parquet
from tunegrid.data.sources import Split
from tunegrid.runtime.provenance import installed_packages, processor
from tunegrid.runtime.torch_device import pick_device
from tunegrid.stages.fetch_model import accept
from tunegrid.study.study import Study
from tunegrid.tasks import Row


def pretrain_model(study: Study, name: str, folder: Path) -> None:
    """Pretrains a model on text without anything of the validation and test rows of the study's tasks."""
    from tunegrid.models.pretrain.loop import prepare, pretrain

    settings = study.models[name]
    source = settings.source
    generated = source.text == "miniworld"
    held_out, device = held_out_keys(study), pick_device(study.hardware)
    with replaced_folder(folder) as new:
        prepared = prepare(
            source,
            settings.family,
            miniworld.documents(source.seed) if generated else _task_texts(study, source.seed),
            (lambda easy: miniworld.instructions(source.seed, easy)) if generated else None,
            held_out,
        )
        facts = pretrain(prepared, new, partial(print, flush=True), device)
        recipe = source.model_dump(exclude={"kind", "licence"})
        machine = {"processor": processor(), "threads": study.hardware.threads, "packages": installed_packages()}
        accept(
            study, name, new, {"licence": source.licence, "recipe": recipe, "held_out": len(held_out)} | facts | machine
        )


def held_out_keys(study: Study) -> set[str]:
    """The keys of all texts of the validation and test rows of the study's tasks."""
    return {
        text_key(text)
        for task in study.grid.tasks
        for split in ("validation", "test")
        for row in _rows(study, task, split)
        for text in study.task(task).texts(row)
    }


def _task_texts(study: Study, seed: int) -> Iterator[str]:
    """The texts of all training rows, each once, in seeded order."""
    texts: set[str] = set()
    for task in study.grid.tasks:
        for row in _rows(study, task, "train"):
            texts.update(study.task(task).texts(row))
    ordered = sorted(texts)
    random.Random(seed).shuffle(ordered)
    return iter(ordered)


def _rows(study: Study, task: str, split: Split) -> Iterator[Row]:
    return chain.from_iterable(iterate_parquet(study.paths.split(task, split)))
