"""What all commands share: their declaration, the check of names, and the environment of those that compute."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.fields import did_you_mean
from tunegrid.runtime import cpu_kernels, cpu_tricks, light_imports
from tunegrid.study.load import load_study
from tunegrid.study.study import Study


class Commands:
    """The subcommands of `tunegrid`, to which each module of this package adds its own."""

    def __init__(self, subparsers: Any) -> None:
        self._subparsers = subparsers

    def add(self, name: str, run: Callable[[argparse.Namespace], int | None], text: str) -> argparse.ArgumentParser:
        """Adds a command; its arguments are added to the parser that this returns."""
        parser = self._subparsers.add_parser(name, help=text, description=text, allow_abbrev=False)
        parser.set_defaults(run=run, stage=None)
        return parser

    def on_study(
        self, name: str, run: Callable[[Study, argparse.Namespace], int | None], text: str
    ) -> argparse.ArgumentParser:
        """Adds a command whose first arguments are a study's files."""
        parser = self.add(name, lambda options: run(study_of(options), options), text)
        parser.add_argument("config", nargs="+", help="the study's YAML file; further files are laid over it")
        return parser


def study_of(options: argparse.Namespace) -> Study:
    """The study that a command is about, loaded once. Raises TuneGridError if it cannot be loaded."""
    if getattr(options, "study", None) is None:
        options.study = load_study(*options.config)
    return options.study


def known(given: Any, valid: object, what: str) -> Any:
    """Returns a name that the study has; raises TuneGridError, with the valid names, for any other."""
    if given not in valid:
        raise TuneGridError(f"the study has no {what} {given}. {did_you_mean(given, valid)}")
    return given


def number(fits: Callable[[float], bool], words: str) -> Callable[[str], float]:
    """The type of an option that is a number which `fits`; `words`: what any other text is, behind that text."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not fits(value):
            raise argparse.ArgumentTypeError(f"{text!r} {words}")
        return value

    return parse


def prepare_to_compute(study: Study, model: bool = False) -> None:
    """Sets the number of threads, forbids the network and leases a GPU, before the first heavy import: transformers.

    Args:
        model: a model computes, on the study's device.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(study.hardware.threads)
    cpu_tricks.switch(study.hardware.cpu_tricks)
    cpu_kernels.limit_caches()
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if model and study.hardware.device == "cuda":
        from tunegrid.runtime import gpus

        print(f"GPU: {gpus.lease()}", flush=True)
    light_imports.import_transformers()
