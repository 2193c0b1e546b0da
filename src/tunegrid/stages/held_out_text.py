"""The stage `held-out-text`: documents that no model of the study was pretrained on, for the loss of `forgetting`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced, replaced_folder, write_json
from tunegrid.common.records import ModelCard, read_card
from tunegrid.data import miniworld
from tunegrid.data.documents import documents_in
from tunegrid.data.miniworld import text_key
from tunegrid.runtime.provenance import digest
from tunegrid.study.study import Study

ANOTHER_STREAM = 2**32  # added to the seed of generated text: no seed of a pretraining is as large


def write_held_out_text(study: Study, folder: Path) -> None:
    """Writes `text.parquet`, a document or an exercise per row, and `card.json`.

    Raises:
        TuneGridError: the text cannot be read, or has too few documents.
    """
    import pandas as pd

    settings = study.forgetting
    if settings.text is None:
        rows, facts = _generated(study)
        source = f"the generated language world, seed {settings.seed} of its held-out text"
    else:
        rows, facts = [{"text": text} for text in islice(documents_in(Path(settings.text)), settings.documents)], {}
        source = f"the first documents of {settings.text}"
    if len(rows) < settings.documents:
        raise TuneGridError(
            f"forgetting: {settings.text} has {len(rows)} documents (texts between blank lines), and `documents` is "
            f"{settings.documents}. Set it to that, or give a longer text."
        )
    with replaced_folder(folder) as new:
        with replaced(new / "text.parquet") as temporary:
            pd.DataFrame(rows).to_parquet(temporary, index=False)
        card = {"source": source, "rows": {"test": len(rows)}, "fingerprint": digest(rows)}
        write_json(new / "card.json", card | facts)
    print(f"{len(rows)} rows of {source}", flush=True)


def _generated(study: Study) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """(rows of the generated world that are none of those of a model's pretraining, facts about them)."""
    settings = study.forgetting
    seen: set[str] = set()
    for seed, count in sorted(_pretrainings(study)):
        for easy in (False, True) if settings.objective == "exercises" else (False,):
            seen.update(
                text_key("\n".join(row.values())) for row in islice(_rows(settings.objective, seed, easy), count)
            )
    rows: dict[str, dict[str, str]] = {}
    left_out = 0
    for row in _rows(settings.objective, ANOTHER_STREAM + settings.seed):
        if len(rows) == settings.documents:
            break
        if (key := text_key("\n".join(row.values()))) in seen:
            left_out += 1
        else:
            rows.setdefault(key, row)
    return list(rows.values()), {"pretraining_rows": len(seen), "left_out": left_out}


def _pretrainings(study: Study) -> set[tuple[int, int]]:
    """(seed, rows that were drawn at most) of the pretraining of each model."""
    found = set()
    for model in study.grid.models:
        card = read_card(study.paths.model_card(model), ModelCard)
        facts = card.get("pretraining", card)
        recipe = facts["recipe"]
        documents = study.forgetting.objective == "infilling"
        count = recipe["documents"] if documents else recipe["exercises"] or recipe["documents"]
        found.add((recipe["seed"], count + facts["left_out"]))  # those that were left out had been drawn too
    return found


def _rows(objective: str, seed: int, easy: bool = False) -> Iterator[dict[str, str]]:
    """Yields what a pretraining with this seed reads, without end."""
    if objective == "infilling":
        return ({"text": text} for text in miniworld.documents(seed))
    return ({"source": source, "target": target} for source, target in miniworld.instructions(seed, easy))
