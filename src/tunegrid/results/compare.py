"""Comparison of two results folders: bytes of weights and predictions, values of the records."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import read_json
from tunegrid.common.words import plural

# What may differ between two runs of the same thing: when, how fast, how much memory, what one
# answer costs, and which version of the code.
VOLATILE = (
    "_seconds",
    "_per_second",
    "peak_memory_bytes",
    "inference",
    "seconds",
    "started",
    "finished",
    "git_commit",
    "code_version",
)
DIFFERENT = dict.fromkeys((".safetensors", ".parquet", ".arrow"), "bytes differ") | {".csv": "rows differ"}
# How far the primary score of a run of the mini study may lie from that of another machine, measured as
# docs/ARTIFACT.md says; on the same machine, with the same versions and threads, everything is the same byte for byte.
TOLERANCE = 0.01
RESULTS = (
    "data", "domains", "models", "tokens", "preferences", "rewards", "search", "mixtures", "runs", "untuned",
    "baselines",
)  # fmt: skip


def compare(first: Path, second: Path) -> list[str]:
    """Differences between two results folders, one line each; an empty list means that the results are the same.

    Raises:
        TuneGridError: a folder holds no results.
    """
    files = [_files(folder) for folder in (first, second)]
    differences = [f"only in {first}: {name}" for name in sorted(files[0].keys() - files[1].keys())]
    differences += [f"only in {second}: {name}" for name in sorted(files[1].keys() - files[0].keys())]
    for name in sorted(files[0].keys() & files[1].keys()):
        differences += _compare_files(name, files[0][name], files[1][name])
    return differences


def moved_scores(first: Path, second: Path) -> str:
    """A sentence on the runs in both folders whose primary scores differ, and how far; "" if none does."""
    runs = [file.relative_to(first) for file in sorted((first / "runs").rglob("metrics.json"))]
    pairs = [(_primary(first / run), _primary(second / run)) for run in runs if (second / run).is_file()]
    moved = [abs(one - other) for one, other in pairs if one is not None and other is not None]
    apart = [distance for distance in moved if distance]
    if not apart:
        return ""
    far = sum(distance > TOLERANCE for distance in apart)
    beyond = f"{far} of them by more" if far else "none by more"
    return (
        f"Primary scores differ in {len(apart)} of {plural(len(moved), 'run')}, by {max(apart):.4f} at most; {beyond} "
        f"than {TOLERANCE:g}, which docs/ARTIFACT.md expects of another processor."
    )


def _primary(file: Path) -> float | None:
    """The primary score in a record of a run; None without one."""
    record: Any = read_json(file)
    with suppress(KeyError, TypeError, ValueError):
        return float(record["metrics"][record["primary"]]["value"])
    return None


def _files(folder: Path) -> dict[str, Path]:
    files = {
        str(file.relative_to(folder)): file
        for part in RESULTS
        for file in (folder / part).rglob("*")
        if file.is_file() and not any(piece.startswith(".") for piece in file.relative_to(folder).parts)
    }
    if not files:
        raise TuneGridError(f"{folder}: holds no results. A results folder is results/<study>.")
    return files


def _compare_files(name: str, first: Path, second: Path) -> list[str]:
    if first.suffix == ".json":
        values = [read_json(file) for file in (first, second)]
        try:
            return [f"{name}: {line}" for line in _compare_values("", *values)]
        except RecursionError:
            raise TuneGridError(
                f"{first}: not valid JSON (nested too deeply). Delete it and run its job again."
            ) from None
    if first.read_bytes() == second.read_bytes():
        return []
    return [f"{name}: the {DIFFERENT.get(first.suffix, 'content differs')}"]


def _compare_values(key: str, first: Any, second: Any) -> list[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        names = sorted(first.keys() | second.keys())
        stable = [name for name in names if not name.endswith(VOLATILE)]
        return [
            line
            for name in stable
            for line in _compare_values(f"{key}.{name}".lstrip("."), first.get(name), second.get(name))
        ]
    return [] if first == second else [f"{key}: {first!r:.60} and {second!r:.60}"]
