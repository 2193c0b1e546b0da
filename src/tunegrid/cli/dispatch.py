"""The `tunegrid` command: one subcommand per stage of the workflow, each of which a person can run by hand.

Usage: tunegrid COMMAND CONFIG [options]; `tunegrid COMMAND --help` explains each.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from tunegrid import __version__
from tunegrid.cli import deploy, new, stage_commands, stage_options, studies, tools
from tunegrid.cli.command import Commands, prepare_to_compute, study_of
from tunegrid.cli.outputs import check_output, check_study_output
from tunegrid.cli.stage import Stage
from tunegrid.cli.supervised import TITLES
from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import open_stream
from tunegrid.common.hub.source import OnHub
from tunegrid.runtime import gpus, parent, warm
from tunegrid.runtime.attempts import AttemptFailed
from tunegrid.runtime.provenance import code_version, git_commit, installed_packages, now
from tunegrid.runtime.stopping import Stopped
from tunegrid.runtime.supervisor import (
    ATTEMPT_FAILED,
    CRASHED,
    EXPLAINED,
    STOPPED,
    UNAVAILABLE,
    Fork,
    supervise,
)
from tunegrid.study.lock import lock_file
from tunegrid.study.study import Study


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0, 1 for an error that the message explains, 2 for wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a title may hold what the terminal's encoding cannot write
            stream.reconfigure(errors="backslashreplace")
    options = parse(arguments)
    if options.stage is None:
        return run(options)
    if options.stage.died:
        return _supervise(options.stage, arguments, options)
    parent.stop_with_snakemake()
    if options.stage.computes_on and (code := warm.ask(arguments)) is not None:
        return code
    return run(options)


def parse(arguments: list[str], root: argparse.ArgumentParser | None = None) -> argparse.Namespace:
    """Parses a command line. Files of a study, and the folder of an export, may also follow options.

    Args:
        root: the parser of all commands; None: one is made.
    """
    root = root or parser()
    options, further = root.parse_known_args(arguments)
    if further and (not hasattr(options, "config") or any(text.startswith("-") for text in further)):
        root.error(f"unrecognized arguments: {' '.join(further)}")
    if further and hasattr(options, "folder"):
        *options.config, options.folder = *options.config, str(options.folder), *further[:-1], Path(further[-1])
    elif further:
        options.config += further
    return options


def run(options: argparse.Namespace) -> int:
    """Runs a command in this process."""
    stage = options.stage
    is_supervised = stage is not None and stage.died is not None
    terminal = sys.stderr
    try:
        if stage is not None and options.log:
            _check_log(options)
            terminal = _redirect(options.log)
        code = options.run(options) or 0
        if sys.stdout:
            sys.stdout.flush()
        return code
    except (AttemptFailed, Stopped, TuneGridError) as error:
        _print_error(f"{'' if isinstance(error, Stopped) else 'error: '}{error}", terminal)
        explained = EXPLAINED if is_supervised else 1
        return {AttemptFailed: ATTEMPT_FAILED, Stopped: STOPPED}.get(type(error), explained)
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        _discard_output()
        return 0
    except Exception as error:
        if isinstance(error, OSError) and not is_supervised:
            _print_error(f"error: {_explain(error)}", terminal)
            return 1
        if not is_supervised:
            raise
        traceback.print_exc()  # raised outside of the training, which reports its own errors; memory may have run out
        return CRASHED
    finally:
        gpus.release()


def _print_error(message: str, terminal: Any) -> None:
    for stream in {terminal, sys.stderr}:
        with suppress(OSError):  # a full disk must not hide the message from the terminal
            print(f"tunegrid: {message}", file=stream, flush=True)


def _explain(error: OSError) -> str:
    """What the system refused, for a person: a file that cannot be read or written, or standard output."""
    if isinstance(error.filename, str | bytes):
        return f"{os.fsdecode(error.filename)}: {error.strerror or error}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF):
        _discard_output()  # what is still to be printed would fail again at the end
        return f"the output cannot be written ({error.strerror})."
    return f"{error.strerror or error}."


def _discard_output() -> None:
    """Sends what is printed from now on to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _supervise(stage: Stage, arguments: list[str], options: argparse.Namespace) -> int:
    """Has another process do the work; if it dies, writes its failure."""
    started = now()
    try:
        if options.log:
            _check_log(options)
        study = study_of(options)
        stage.checked_target(study, options)
        return supervise(
            TITLES[stage.command].format(**vars(options)),
            options,
            lambda: warm.start(arguments) or Fork(lambda: run(options)),
            lambda reason: stage.record_death(study, options, reason, started),
        )
    except (OSError, TuneGridError) as error:
        print(f"tunegrid: error: {error}", file=sys.stderr)
        return 1


def record_death(arguments: list[str], reason: str, started: str) -> None:
    """Writes the result of a command whose process died."""
    options = parse(arguments)
    options.stage.record_death(study_of(options), options, reason, started)


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="tunegrid", description="Compare tuning methods of encoder-decoders.")
    root.add_argument("--version", action="version", version=__version__)
    commands = Commands(root.add_subparsers(metavar="COMMAND", required=True))
    new.add_to(commands)
    studies.add_to(commands)
    stage_options.add_to(commands)
    text = "Import the libraries once and fork for each job that asks (the workflow starts this)."
    commands.on_study("warm", _warm, text).add_argument("--socket", required=True)
    tools.add_to(commands)
    deploy.add_to(commands)
    return root


def _warm(study: Study, options: argparse.Namespace) -> None:
    """Serves jobs from a process that has done once what each of them would do.

    A job whose study's files have changed since then loads the study again.
    """
    prepare_to_compute(study)
    root, files = parser(), [*map(Path, options.config), lock_file(options.config[0])]
    contents = _contents(files)

    def serve(arguments: list[str]) -> int:
        try:
            job = parse(arguments, root)
        except SystemExit as usage:  # argparse has said what is wrong, or printed the help
            return EXPLAINED if usage.code else 0
        if getattr(job, "config", None) == options.config and _contents(files) == contents:
            job.study = study
        return UNAVAILABLE if _needs_network(job) else run(job)

    warm.listen(Path(options.socket), _prepare, serve)
    os._exit(0)  # the libraries may take seconds to shut down


def _prepare() -> None:
    stage_commands.import_everything()
    for fact in (installed_packages, code_version, git_commit):  # what every record says of the software
        fact()


def _contents(files: list[Path]) -> list[bytes | None]:
    return [file.read_bytes() if file.is_file() else None for file in files]


def _needs_network(options: argparse.Namespace) -> bool:
    """Whether a job fetches a model from the Hub; the warm process is offline."""
    if options.stage is None or options.stage.command != "fetch-model":
        return False
    try:
        model = study_of(options).models.get(options.model)
    except TuneGridError:  # the job says so, in its log too
        return False
    return model is not None and isinstance(model.source, OnHub)


def _check_log(options: argparse.Namespace) -> None:
    """Raises TuneGridError if the log is a file of the study."""
    check_output(options.log, map(Path, options.config))
    try:
        study = study_of(options)
    except TuneGridError:
        return  # the command says so later, in its log too
    check_study_output(study, options.config, options.log)


def _redirect(log: Path) -> object:
    """Sends the output of this process, of its libraries too, to the log; returns the terminal, for an error."""
    file = open_stream(log)
    terminal = os.fdopen(os.dup(2), "w", errors="backslashreplace")
    if sys.stdout:
        sys.stdout.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)
    return terminal
