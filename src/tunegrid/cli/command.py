"""What the commands share: how one is declared, and the checks and the environment of those that compute."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.settings import did_you_mean
from tunegrid.runtime import cpu_kernels, light_imports
from tunegrid.study.load import load_study
from tunegrid.study.study import Study


class Commands:
    """The subcommands of `tunegrid`, to which each module of this package adds its own."""

    def __init__(self, subparsers: Any) -> None:
        self._subparsers = subparsers

    def add(self, name: str, run: Callable[[argparse.Namespace], int | None], text: str) -> argparse.ArgumentParser:
        """A command that says itself what its arguments are."""
        one = self._subparsers.add_parser(name, help=text, description=text)
        one.set_defaults(run=run)
        return one

    def on_study(
        self, name: str, run: Callable[[Study, argparse.Namespace], int | None], text: str
    ) -> argparse.ArgumentParser:
        """A command that gets a study."""
        one = self.add(name, lambda options: run(load_study(*options.config), options), text)
        one.add_argument("config", nargs="+", help="the study's YAML file; further files are laid over it")
        return one

    def job(
        self,
        name: str,
        run: Callable[[Study, argparse.Namespace], int | None],
        text: str,
        *names: str,
        heavy: bool = False,
    ) -> argparse.ArgumentParser:
        """A command that the workflow runs, with required options `names`; `heavy`: the warm process may do it."""
        one = self.on_study(name, run, text)
        for option in names:
            one.add_argument(f"--{option}", required=True)
        one.add_argument("--log", type=Path, help="write the output to this file instead")
        one.add_argument("--settings", help="digest of the settings to run with; refuse if the file has others")
        one.set_defaults(heavy=heavy)
        return one

    def supervised_job(self, name: str, run: Any, text: str, *names: str, supervised: Supervised) -> Any:
        """A job whose process may die: it is tried several times, and its failure is a result."""
        one = self.job(name, run, text, *names, heavy=True)
        one.add_argument("--attempt", type=int, default=1, help="the how-manieth attempt this is; default: 1")
        one.add_argument("--attempts", type=int, default=1, help="the last attempt's failure is a row; default: 1")
        one.add_argument("--mem-mb", type=int, help="the memory that the job may take, for messages")
        one.set_defaults(supervised=supervised)
        return one


@dataclass(frozen=True)
class Supervised:
    """What has to be known of a job for whoever watches it.

    Attributes:
        what: how messages call it.
        check: whether its arguments fit the study: raises TuneGridError before anything is started.
        record_failure: writes its results if its process died, given the reason and when it was started.
    """

    what: Callable[[argparse.Namespace], str]
    check: Callable[[Study, argparse.Namespace], object]
    record_failure: Callable[[Study, argparse.Namespace, str, str], None]


def known(given: object, valid: object, what: str) -> None:
    """Raises TuneGridError, with the valid names, if the study has nothing of this name."""
    if given not in valid:
        raise TuneGridError(f"the study has no {what} {given}. {did_you_mean(given, valid)}")


def same_settings(settings: dict, options: argparse.Namespace) -> None:
    """Raises TuneGridError if the file says something else now.

    A workflow that runs for days must not mix two versions of its configuration.
    """
    from tunegrid.runtime.provenance import digest

    if options.settings and options.settings != digest(settings):
        raise TuneGridError(
            f"{', '.join(options.config)}: its settings for this job have changed since the workflow started. "
            "Start the workflow again; it will run again what the change touches."
        )


def prepare_to_compute(study: Study, model: bool = False) -> None:
    """Before anything heavy is imported: the number of threads, no network from here on, and a GPU of its own.

    Then transformers, without what it would only import because it is installed.

    `model`: whether a model computes, on the study's device.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(study.hardware.threads)
    cpu_kernels.keep_few()
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if model and study.hardware.device == "cuda":
        from tunegrid.runtime import gpus

        print(f"GPU: {gpus.lease()}", flush=True)
    light_imports.import_transformers()
