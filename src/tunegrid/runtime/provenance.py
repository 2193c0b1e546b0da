"""Record of the software, hardware and data behind a result."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tunegrid.common.fields import Closed, NonEmpty
from tunegrid.common.package_data import PACKAGE, families_folder, miniworld_folder
from tunegrid.common.records import DataCard, ModelCard, read_card
from tunegrid.runtime import cpu_kernels

# Packages that can alter a number in a result.
PACKAGES = (
    "accelerate", "adapters", "bitsandbytes", "datasets", "evaluate", "numpy", "pandas", "peft", "pyarrow", "sacrebleu",
    "safetensors", "scikit-learn", "tokenizers", "torch", "transformers", "tunegrid",
)  # fmt: skip


def now() -> str:
    """The current time, ISO 8601 with time zone."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance(
    *,
    started: str,
    threads: int,
    precision: str | None,
    accelerator: str | None,
    data: Path,
    model: Path | None,
    engine: str | None = None,
) -> Provenance:
    """The record of this process.

    Args:
        data, model: the cards of what it read.
        engine: package that predicted, without its version.
    """
    data_card, model_card = read_card(data, DataCard), read_card(model, ModelCard) if model else {}
    return Provenance(
        packages=installed_packages(),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        accelerator=accelerator,
        threads=threads,
        precision=precision,
        instruction_set=instruction_set() if model else None,
        fp32_library=cpu_kernels.chosen() if model and engine != "ctranslate2" else None,
        engine=f"{engine} {version(engine)}" if engine else None,
        git_commit=git_commit(),
        code_version=code_version(),
        data_fingerprint=data_card["fingerprint"],
        model_fingerprint=model_card.get("fingerprint"),
        data_revision=data_card.get("commit"),
        model_revision=model_card.get("commit"),
        started=started,
        finished=max(now(), started),  # somebody may have set the clock back
    )


@cache
def installed_packages() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def processor() -> str:
    """The CPU's name; Linux keeps it in a file, elsewhere Python knows it."""
    return cpu_kernels.cpuinfo("model name") or platform.processor() or platform.machine()


def instruction_set() -> str | None:
    """The instruction set that torch's own kernels use on this CPU, such as AVX512; ATEN_CPU_CAPABILITY lowers it.

    None where this process has not loaded torch. It is not loaded for this: the supervisor records the death of a
    run that found too little memory, in which torch may not load.
    """
    torch = sys.modules.get("torch")
    return torch.backends.cpu.get_cpu_capability() if torch else None


@cache
def code_version() -> str:
    """A hash of the package's source, families and generated world: different versions should not share a table."""
    root, tables = PACKAGE, (families_folder(), miniworld_folder())
    files = {str(file.relative_to(root)): file for file in root.rglob("*.py")}
    files |= {f"{folder.name}/{file.name}": file for folder in tables for file in folder.glob("*.yaml")}
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


class Provenance(Closed):
    """The software, hardware and data behind a result."""

    packages: dict[str, str] = Field(description="Installed version of each package that can alter a result.")
    python: str = Field(description="Version of Python.")
    platform: str = Field(description="Operating system and architecture, without the name of the machine.")
    processor: str = Field(description="Name of the CPU.")
    instruction_set: str | None = Field(
        None, description="Instruction set that torch's kernels used on the CPU, as AVX512; null: no model computed."
    )
    accelerator: str | None = Field(description="Name of the GPU; null on a CPU.")
    threads: int = Field(ge=1, description="Threads of one computation; part of the configuration, for it alters bits.")
    precision: str | None = Field(description="Precision of the computation: fp32, bf16, …; null where there is none.")
    fp32_library: Literal["mkl", "onednn"] | None = Field(
        None, description="What multiplied fp32 matrices on the CPU; null: a GPU did, or no model computed."
    )
    engine: NonEmpty | None = Field(
        None, description="Package that predicted the test rows, with its version; null: no model predicted any."
    )
    git_commit: str | None = Field(description="Commit of the repository; null outside of one.")
    code_version: NonEmpty = Field(description="Hash of the package's source.")
    data_fingerprint: str = Field(description="Fingerprint of the task's data, as in its card.json.")
    model_fingerprint: str | None = Field(description="Fingerprint of the base model; null for a trivial baseline.")
    data_revision: str | None = Field(None, description="Commit of the task's data on the Hub; null: not from there.")
    model_revision: str | None = Field(None, description="Commit of the base model on the Hub; null: not from there.")
    started: str = Field(description="Start, ISO 8601 with time zone.")
    finished: str = Field(description="End, ISO 8601 with time zone.")
