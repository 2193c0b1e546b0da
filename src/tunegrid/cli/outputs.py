"""What a command writes must be none of what it reads: checked before anything is opened for writing."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import check_output_file, kind_of
from tunegrid.study import lock
from tunegrid.study.cells import MIXTURES
from tunegrid.study.study import Study

# Parts of a results folder that jobs write and read.
PARTS = (
    "baselines",
    "cards",
    "checkpoints",
    "data",
    "domains",
    "forgetting",
    "locks",
    MIXTURES,
    "models",
    "preferences",
    "report",
    "rewards",
    "runs",
    "search",
    "tables",
    "tokens",
    "untuned",
)


def output_path(text: str) -> Path:
    """The value of an option that names a file or folder to write, for argparse."""
    if not text:
        raise argparse.ArgumentTypeError("is empty: name a file or folder")
    return Path(text)


def check_output(output: Path | None, inputs: Iterable[Path], results: Path | None = None) -> None:
    """Raises TuneGridError if a file cannot be written, is an input of the command, or is among the study's results.

    Args:
        results: the study's results folder.
    """
    if output is None:
        return
    check_output_file(output)
    if kind_of(output) == "file":
        for file in inputs:
            if file.exists() and os.path.samefile(file, output):
                raise TuneGridError(
                    f"{output}: is an input of this command, which writing would destroy. Name another file."
                )
    place = Path(os.path.realpath(output))
    if results and any(place.is_relative_to(os.path.realpath(results / part)) for part in PARTS):
        raise TuneGridError(f"{output}: is among the study's results ({results}/). Name a file elsewhere.")


def check_study_output(study: Study, configs: Sequence[str], output: Path | None, *inputs: Path | None) -> None:
    """`check_output` for a command on a study: its inputs are the study's files, their lock, its local data and models.

    Args:
        inputs: further files that the command reads.
    """
    files = [*map(Path, configs), lock.lock_file(configs[0]), *filter(None, inputs)]
    for part in (*study.tasks.values(), *study.models.values(), *study.preferences.values()):
        for source in (part.source, *getattr(part, "evaluate_on", {}).values()):
            files += source.files()
    files += [settings.path for settings in study.probes.values()]
    if study.forgetting and study.forgetting.text:
        files.append(Path(study.forgetting.text))
    check_output(output, files, study.paths.root)


def check_tables_output(folder: Path, *outputs: Path | None) -> None:
    """Raises TuneGridError if outputs are one file, or a table's file in the audited folder, where it would be one."""
    given = [output for output in outputs if output is not None]
    for output in given:
        place = Path(os.path.realpath(output))
        if place.suffix.lower() in (".csv", ".tsv") and place.parent == Path(os.path.realpath(folder)):
            raise TuneGridError(
                f"{output}: is in the folder that is audited, where such files are its tables. Name a file elsewhere."
            )
        check_output(output, folder.glob("*") if folder.is_dir() else ())
    same = len(given) == 2 and os.path.realpath(given[0]) == os.path.realpath(given[1])
    if same and kind_of(given[0]) in ("file", None):
        raise TuneGridError(f"{given[0]}: is named for two outputs. Name two files.")
