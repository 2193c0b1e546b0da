"""Runs Snakemake as a user does: the project's Snakefile, in a folder of its own."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.support import ROOT
from tests.support.dry_runs import dry_run
from tests.support.processes import heed_signals

MINI = ROOT / "config" / "mini.yaml"
PRETRAINING = ROOT / "config" / "pretrain-mini.yaml"
TINY = Path(__file__).with_name("tiny.yaml")


class Workflow:
    """The workflow in a folder, with configuration files."""

    def __init__(self, folder: Path, *configs: Path) -> None:
        self.folder, self.configs = folder, configs

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess:
        command = self._command(*arguments)
        if {"--dry-run", "-n"} & {*arguments}:
            return dry_run(command[2:], self.folder, self._environment())
        return self._run(command)

    def start(self, *arguments: str) -> subprocess.Popen:
        """Starts Snakemake in a process group of its own."""
        return subprocess.Popen(
            self._command(*arguments),
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=heed_signals,
        )

    def _command(self, *arguments: str) -> list[str]:
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--cores",
            "2",
            *arguments,
        ]
        if self.configs:
            command += ["--configfile", *map(str, self.configs)]
        return command

    def tunegrid(self, command: str, *arguments: str) -> subprocess.CompletedProcess:
        return self._run([sys.executable, "-m", "tunegrid", command, *map(str, self.configs), *arguments])

    def tunegrid_alone(self, command: str, *arguments: str) -> subprocess.CompletedProcess:
        """Runs a command that takes no study."""
        return self._run([sys.executable, "-m", "tunegrid", command, *arguments])

    def planned(self, *arguments: str) -> Counter:
        """Counts the jobs of each rule that a dry run lists."""
        result = self.snakemake("--dry-run", "-p", *arguments)
        assert result.returncode == 0, result.stdout
        return Counter(re.findall(r"^(?:local)?rule (\S+):$", result.stdout, flags=re.MULTILINE))

    def _run(self, command: list[str]) -> subprocess.CompletedProcess:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _environment(self) -> dict[str, str]:
        return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
