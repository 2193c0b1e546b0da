"""Seals anew what a test has changed on purpose."""

from pathlib import Path

from tunegrid.common.files import read_json, write_json
from tunegrid.models.seal import digests, fingerprint
from tunegrid.study.cells import Run
from tunegrid.study.study import Study


def seal_base(folder: Path) -> None:
    """Writes into the card of a base model what its files are now."""
    files = digests(folder)
    write_json(
        folder / "card.json", read_json(folder / "card.json") | {"fingerprint": fingerprint(files), "files": files}
    )


def seal_run(study: Study, run: Run) -> None:
    """Writes into the record of a run what its weights, and the base model that it belongs to, are now."""
    file = study.paths.run(run) / "train.json"
    record, card = read_json(file), read_json(study.paths.model_card(run.cell.model))
    record["weights"] = digests(file.parent / "weights")
    record["provenance"]["model_fingerprint"] = card["fingerprint"]
    write_json(file, record)
