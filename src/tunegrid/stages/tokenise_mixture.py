"""The stage `tokenise_mixture`: the rows of several tasks, each in one of its wordings, as token ids of a model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tunegrid.common.files import read_object, replaced_folder, write_json
from tunegrid.data.parquet import count_rows, iterate_parquet
from tunegrid.data.tokens import load_tokenizer
from tunegrid.runtime.provenance import digest
from tunegrid.stages.tokenise import check_positions
from tunegrid.study.cells import MixtureCell
from tunegrid.study.mixtures import mixed_tasks, mixture_settings, settings_of
from tunegrid.study.study import Study
from tunegrid.tasks.label_words import check_label_words
from tunegrid.tasks.mixture import assign_wordings, mixed_counts, write_mixture


def tokenise_mixture(study: Study, cell: MixtureCell, folder: Path) -> None:
    """Writes `train.arrow` and `validation.arrow` as `tokenise` does, `stats.json` and the mixture's `card.json`.

    `stats.json` says for each split, task and wording how many examples there are and what was cut of them.

    Raises:
        TuneGridError: as `tokenise`, for any task of the mixture.
    """
    paths, settings = study.paths, settings_of(study, cell)
    tasks, tokenizer = mixed_tasks(study, cell), load_tokenizer(paths.model(cell.model))
    for mixed in tasks:
        check_positions(mixed.task, paths.model(cell.model))
        check_label_words(mixed.task, tokenizer, str(paths.model(cell.model)))
    stats: dict[str, Any] = {}
    with replaced_folder(folder) as new:
        for split in ("train", "validation"):
            rows = {mixed.name: count_rows(paths.split(mixed.name, split)) for mixed in tasks}
            # The loss on validation rows is of all of them.
            counts = mixed_counts(rows, settings.mixing, settings.limit) if split == "train" else rows

            def parts(split: str = split, rows: Any = rows, counts: Any = counts) -> Iterator[Any]:
                for mixed in tasks:
                    read = partial(iterate_parquet, paths.split(mixed.name, split))
                    times = assign_wordings(rows[mixed.name], counts[mixed.name], len(mixed.templates))
                    for wording, of_wording in enumerate(times):
                        yield mixed, wording, read, of_wording

            stats[split] = write_mixture(parts(), tokenizer, new / f"{split}.arrow", split == "train")
        write_json(new / "stats.json", {"splits": stats})
        cards = {mixed.name: read_object(paths.data_card(mixed.name))["fingerprint"] for mixed in tasks}
        card = {
            "source": f"a mixture of {', '.join(cards)}",
            "fingerprint": digest([mixture_settings(study, cell), cards]),
            "tasks": cards,
            "rows": {split: sum(part["rows"] for part in parts) for split, parts in stats.items()},
        }
        write_json(new / "card.json", card)
