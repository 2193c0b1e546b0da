"""The stage `fetch_model`: a checkpoint in the Hub's layout, with a card that describes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced_folder, write_json
from tunegrid.models.shape import Shape
from tunegrid.runtime.provenance import file_digest
from tunegrid.study.study import Study


def fetch_model(study: Study, name: str, folder: Path) -> None:
    """Copies or downloads a model into a folder.

    Raises:
        TuneGridError: it cannot be had, or is not of the family that the study says.
    """
    source = study.models[name].source
    with replaced_folder(folder) as new:
        facts = source.fetch(new)
        _check_family(study, name, new)
        write_card(study, name, new, facts)


def _check_family(study: Study, name: str, folder: Path) -> None:
    family = study.family(name)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        where = study.models[name].source.describe()
        raise TuneGridError(f"models.{name}: {where}: config.json: not valid JSON: {error}") from None
    Shape.of_model(name, family, config, study.known_families().values())


def write_card(study: Study, name: str, folder: Path, facts: dict[str, Any]) -> None:
    """Writes the card of a model, with a fingerprint of its files."""
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
