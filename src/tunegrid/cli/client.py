"""The entry of `tunegrid`. A job of a workflow hands its command line to the warm process without further imports.

A study has hundreds of jobs, and each pays for what its command imports: the study's settings alone take a quarter of a
second. So this module imports the standard library, and the supervisor of a training; all else when it is needed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tunegrid.cli.supervised import TITLES
from tunegrid.runtime import warm
from tunegrid.runtime.stopping import SIGNALS
from tunegrid.runtime.supervisor import UNAVAILABLE, supervise

# The commands that compute (see `stage.Stage`).
COMPUTING = frozenset(
    "pretrain tokenise tokenise-mixture tokenise-wordings train train-mixture train-reward search-trial evaluate "
    "evaluate-wordings sample-pairs evaluate-domains evaluate-probes evaluate-forgetting forgetting-untuned compress "
    "judge baseline baseline-domains".split()
)
# Commands that compute nothing with a model, and take less time where the libraries are there.
WITHOUT_MODEL = frozenset(("fetch-model", "tables", "report"))


class _NoWarmProcess(Exception):
    pass


def entry_point() -> None:
    """The command `tunegrid`: ends this process."""
    code = hand_over(sys.argv[1:])
    if code is None:
        from tunegrid.cli.dispatch import main

        code = main()
    # The work is done. A caller that heard of a signal now would have it done again.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def hand_over(arguments: Sequence[str]) -> int | None:
    """Has the warm process run a command; returns its exit code, or None if this process has to do it.

    The warm process checks the arguments, and prints what is wrong with them. It also ends with Snakemake, so that
    nothing has to watch that here. What needs the network it leaves to the command.
    """
    if not os.environ.get(warm.VARIABLE) or not arguments or arguments[0] not in COMPUTING | WITHOUT_MODEL:
        return None
    if arguments[0] in TITLES:
        return _supervise(list(arguments))
    code = warm.ask(list(arguments))
    return None if code == UNAVAILABLE else code


def _supervise(arguments: list[str]) -> int | None:
    """Supervises a command that the warm process runs; None: there is no warm process."""
    started, options = datetime.now(UTC), _options(arguments)
    if options is None:
        return None

    def start() -> warm.Worker:
        if (worker := warm.start(arguments)) is None:
            raise _NoWarmProcess
        return worker

    def record_death(reason: str) -> None:
        from tunegrid.cli.dispatch import record_death

        record_death(arguments, reason, started.isoformat(timespec="seconds"))

    try:
        return supervise(TITLES[arguments[0]].format(**vars(options)), options, start, record_death)
    except _NoWarmProcess:
        return None


def _options(arguments: Sequence[str]) -> argparse.Namespace | None:
    """The options that a supervisor needs; None: some are wrong or missing, which `main` explains."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("task", "model", "method", "seed", "factor", "reward", "pairs", "name"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--attempt", type=int, default=1)
    parser.add_argument("--attempts", type=int, default=1)
    parser.add_argument("--mem-mb", type=int)
    try:
        return parser.parse_known_args(arguments)[0]
    except argparse.ArgumentError:
        return None
