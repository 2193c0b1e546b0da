"""Running Snakemake as a user does: the project's Snakefile, in a folder of its own."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
MINI = ROOT / "config" / "mini.yaml"
TINY = Path(__file__).with_name("tiny.yaml")


class Workflow:
    """The workflow in a folder, with some configuration files."""

    def __init__(self, folder: Path, *configs: Path) -> None:
        self.folder, self.configs = folder, configs

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess:
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
        return self._run(command)

    def tunegrid(self, command: str, *arguments: str) -> subprocess.CompletedProcess:
        return self._run([sys.executable, "-m", "tunegrid", command, *map(str, self.configs), *arguments])

    def planned(self, *arguments: str) -> Counter:
        """Rule -> number of jobs that a dry run lists."""
        result = self.snakemake("--dry-run", *arguments)
        assert result.returncode == 0, result.stdout
        return Counter(re.findall(r"^(?:local)?rule (\S+):$", result.stdout, flags=re.MULTILINE))

    def _run(self, command: list[str]) -> subprocess.CompletedProcess:
        bin_folder = Path(sys.executable).parent
        environment = os.environ | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(
            command, cwd=self.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
