"""Dry runs of Snakemake, each in a fork of a process that has imported what they need and has done nothing else.

A process of its own takes three times as long, for its imports. A fork of a worker of pytest is not what a new process is:
threads, Snakemake's logger and changed environments are in it.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

PRELOADED = ["snakemake.cli", "snakemake.report", "tunegrid.stages.console", "tunegrid.stages.workflow"]


def dry_run(command: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess:
    """Runs Snakemake; returns the exit code, and standard output and error together as `stdout`.

    Args:
        command: words of a command line, whose first one is the name of the program.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with tempfile.NamedTemporaryFile() as output:
        process = context.Process(target=_run, args=(command, folder, dict(environment), output.name))
        process.start()
        process.join()
        return subprocess.CompletedProcess(command, process.exitcode, output.read().decode())


def _run(command: list[str], folder: Path, environment: dict[str, str], output: str) -> None:
    from snakemake.cli import main

    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = command
    main(command[1:])
