"""Where and with what a result was computed."""

from __future__ import annotations

import hashlib
import json
import platform
import resource
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tunegrid.common.package_data import PACKAGE, families_folder
from tunegrid.results.records import Provenance
from tunegrid.runtime import cpu_kernels

# What can alter a number in a result.
PACKAGES = (
    "accelerate", "adapters", "datasets", "evaluate", "numpy", "pandas", "peft", "pyarrow", "sacrebleu", "safetensors",
    "scikit-learn", "tokenizers", "torch", "transformers", "tunegrid",
)  # fmt: skip


def now() -> str:
    """The current time, ISO 8601 with time zone."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance(
    *, started: str, threads: int, precision: str | None, accelerator: str | None, data: Path, model: Path | None
) -> Provenance:
    """The record of this process; `data` and `model` are the cards of what it read."""
    of_data, of_model = (json.loads(card.read_text()) if card else {} for card in (data, model))
    return Provenance(
        packages=installed_packages(),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        accelerator=accelerator,
        threads=threads,
        precision=precision,
        fp32_library=cpu_kernels.chosen() if model else None,
        git_commit=git_commit(),
        code_version=code_version(),
        data_fingerprint=of_data["fingerprint"],
        model_fingerprint=of_model.get("fingerprint"),
        data_revision=of_data.get("commit"),
        model_revision=of_model.get("commit"),
        started=started,
        finished=now(),
    )


def installed_packages() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def processor() -> str:
    """The CPU's name; Linux keeps it in a file, elsewhere Python knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


@cache
def code_version() -> str:
    """A hash of the package's source and its families: results of different versions should not share a table."""
    root, families = PACKAGE, families_folder()
    files = {str(file.relative_to(root)): file for file in root.rglob("*.py")}
    files |= {f"families/{file.name}": file for file in families.glob("*.yaml")}
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def git_commit() -> str | None:
    """The commit of the repository that the package runs from; `-dirty` where its files were changed since."""
    try:
        commit = _git(PACKAGE, "rev-parse", "HEAD")
        changed = _git(PACKAGE, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("-dirty" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()


def digest(value: Any) -> str:
    """A hash of anything that JSON can hold, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def file_digest(*files: Path) -> str:
    """A hash of the content of files, in the order given."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()[:16]


def reset_peak_memory() -> None:
    """From now on `peak_memory` is the highest from this moment on, so that what follows is measured by itself.

    Where the system does not let a process do that (no Linux, or /proc is read-only), the peak stays that of the whole
    process.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak becomes what is resident now


def peak_memory() -> int:
    """Peak memory of this process since `reset_peak_memory` (or its start), in bytes: the GPU's where one was used.

    Else it is the resident memory: the model, what is computed with it, and Python and the libraries. A fork of the
    warm process counts what it shares with the others, but of library files only what it touches.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated())
    # getrusage's number is the same but for one thing: a process inherits the peak of the one that started it.
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kibibytes on Linux, bytes on macOS
