"""The `tunegrid` command: one subcommand per stage of the workflow, each of which a person can run by hand.

Usage: tunegrid COMMAND CONFIG [options]; `tunegrid COMMAND --help` explains each.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path

from tunegrid import __version__
from tunegrid.cli import deploy, stage_commands, studies, tools
from tunegrid.cli.command import Commands, prepare_to_compute
from tunegrid.common.errors import TuneGridError
from tunegrid.runtime import gpus, parent, warm
from tunegrid.runtime.attempts import AttemptFailed
from tunegrid.runtime.provenance import now
from tunegrid.runtime.stopping import Stopped
from tunegrid.runtime.supervisor import ATTEMPT_FAILED, CRASHED, EXPLAINED, STOPPED, Fork, supervise
from tunegrid.study.load import load_study
from tunegrid.study.study import Study


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0, 1 for an error that the message explains, 2 for wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    if options.stage is None:
        return run(options)
    if options.stage.died:
        return _supervise(options.stage, arguments, options)
    parent.stop_with_snakemake()
    if options.stage.computes_on and (code := warm.ask(arguments)) is not None:
        return code
    return run(options)


def run(options: argparse.Namespace) -> int:
    """Runs a command in this process."""
    stage = options.stage
    is_supervised = stage is not None and stage.died is not None
    terminal = _redirect(options.log) if stage is not None and options.log else sys.stderr
    try:
        return options.run(options) or 0
    except (AttemptFailed, Stopped, TuneGridError) as error:
        for stream in {terminal, sys.stderr}:
            print(f"tunegrid: {'' if isinstance(error, Stopped) else 'error: '}{error}", file=stream, flush=True)
        explained = EXPLAINED if is_supervised else 1
        return {AttemptFailed: ATTEMPT_FAILED, Stopped: STOPPED}.get(type(error), explained)
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception:
        if not is_supervised:
            raise
        traceback.print_exc()  # raised outside of the training, which reports its own errors; memory may have run out
        return CRASHED
    finally:
        gpus.release()


def _supervise(stage: stage_commands.Stage, arguments: list[str], options: argparse.Namespace) -> int:
    """Has another process do the work; if it dies, writes its failure."""
    started = now()
    try:
        study = load_study(*options.config)
        target = stage.checked_target(study, options)
        return supervise(
            stage.title.format(*target),
            options,
            lambda: warm.start(arguments) or Fork(lambda: run(options)),
            lambda reason: stage.record_death(study, options, reason, started),
        )
    except (OSError, TuneGridError) as error:
        print(f"tunegrid: error: {error}", file=sys.stderr)
        return 1


def record_death(arguments: list[str], reason: str, started: str) -> None:
    """Writes the result of a command whose process died."""
    options = parser().parse_args(arguments)
    options.stage.record_death(load_study(*options.config), options, reason, started)


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="tunegrid", description="Compare tuning methods of encoder-decoders.")
    root.add_argument("--version", action="version", version=__version__)
    commands = Commands(root.add_subparsers(metavar="COMMAND", required=True))
    studies.add_to(commands)
    stage_commands.add_to(commands)
    text = "Import the libraries once and fork for each job that asks (the workflow starts this)."
    commands.on_study("warm", _warm, text).add_argument("--socket", required=True)
    tools.add_to(commands)
    deploy.add_to(commands)
    return root


def _warm(study: Study, options: argparse.Namespace) -> None:
    prepare_to_compute(study)
    warm.listen(Path(options.socket), stage_commands.import_everything, _run_request)
    os._exit(0)  # the libraries may take seconds to shut down


def _run_request(arguments: list[str]) -> int:
    try:
        return run(parser().parse_args(arguments))
    except SystemExit as usage:  # argparse has said what is wrong, or printed the help
        return EXPLAINED if usage.code else 0


def _redirect(log: Path) -> object:
    """Sends the output of this process, of its libraries too, to a file; returns the terminal, for an error."""
    log.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.fdopen(os.dup(2), "w")
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    sys.stdout.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)
    return terminal
