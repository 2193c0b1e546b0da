"""Seals: SHA-256 of every file that a model is loaded from, so that none is loaded that was damaged or exchanged.

A base model is sealed in its card.json, the weights of a run in its train.json.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import read_object
from tunegrid.common.records import ModelCard, read_card

# What transformers, peft and adapters read; a README, say, may be edited.
SEALED = (".safetensors", ".json", ".model", ".txt")
FINGERPRINTED = (".safetensors", ".json", ".model")
CARD = "card.json"


def digests(folder: Path) -> dict[str, str]:
    """Hexadecimal SHA-256 of the files of a folder that are loaded, by their paths in it; its card is none of them."""
    files = sorted(file for file in folder.rglob("*") if file.suffix in SEALED and file.is_file())
    return {name: _digest(file) for file in files if (name := file.relative_to(folder).as_posix()) != CARD}


def fingerprint(files: Mapping[str, str]) -> str:
    """The fingerprint of a checkpoint with these digests, as its card and the records of its runs have it."""
    total = hashlib.sha256()
    for name in sorted(files):
        if name.endswith(FINGERPRINTED):
            total.update(bytes.fromhex(files[name]))
    return total.hexdigest()[:16]


def check_base(folder: Path) -> None:
    """Compares the files of a base model with its card.

    Raises:
        TuneGridError: a file is damaged, missing, another one or not of the model; or there is no card.
    """
    card = folder / CARD
    content = read_object(card)
    recorded, known = content.get("files"), content.get("fingerprint")
    remedy = "Get the model again: tunegrid fetch-model (or pretrain) with the study's configuration."
    if not _is_seal(recorded) or fingerprint(recorded) != known:
        raise TuneGridError(f"{card}: its fingerprint ({known}) is not that of the files that it lists. {remedy}")
    _compare(folder, recorded, card, remedy)


def check_trained_from(base: Path, run: Path, trained_on: str | None) -> None:
    """Checks that a base model is the one that a run was tuned from.

    Args:
        run: the run's folder, for messages.
        trained_on: the fingerprint of its base model.

    Raises:
        TuneGridError: it is another one.
    """
    now = read_card(base / CARD, ModelCard)["fingerprint"]
    if trained_on != now:
        raise TuneGridError(
            f"{base}: is another model (fingerprint {now}) than the one that {run} was tuned from ({trained_on}): its "
            "answers would mean nothing. Put that one back, or train again."
        )


def check_weights(folder: Path, recorded: Mapping[str, str] | None, record: Path, remedy: str) -> None:
    """Compares a run's saved weights with what its record says of them.

    Args:
        recorded: SHA-256 by path; None: the record has none.
        record: where that stands, for messages.
        remedy: what to do, in a sentence.

    Raises:
        TuneGridError: a file is damaged, missing, another one or not of the run, or there is nothing to compare with.
    """
    if recorded is None:
        raise TuneGridError(f"{record}: has no digests of the weights. {remedy}")
    _compare(folder, recorded, record, remedy)


def _compare(folder: Path, recorded: Mapping[str, str], record: Path, remedy: str) -> None:
    for name, expected in recorded.items():
        file = folder / name
        if not file.is_file():
            raise TuneGridError(f"{file}: is missing, but {record} lists it. {remedy}")
        if (now := _digest(file)) != expected:
            raise TuneGridError(
                f"{file}: is damaged, or another file than the one that was saved: its SHA-256 is {now[:16]}…, but "
                f"{record} says {expected[:16]}…. {remedy}"
            )
    if more := sorted(digests(folder).keys() - recorded.keys()):
        raise TuneGridError(f"{folder / more[0]}: does not belong there: {record} does not list it. Remove it.")


def _digest(file: Path) -> str:
    """SHA-256 of a file. A process reads an unchanged file once: T5-base takes 0.7 s."""
    state = file.stat()
    return _digest_of_state(file.resolve(), state.st_ino, state.st_size, state.st_mtime_ns)


@cache
def _digest_of_state(file: Path, inode: int, size: int, modified: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_seal(recorded: object) -> bool:
    if not isinstance(recorded, dict):
        return False
    return all(
        isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
        for value in recorded.values()
    )
