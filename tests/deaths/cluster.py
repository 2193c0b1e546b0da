"""Deaths on a cluster: a cell of the study of single runs under `snakemake --profile slurm`."""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

from tests.deaths import restart
from tests.deaths.processes import Started, end_orphans, kill_everything, until
from tests.deaths.record import Death
from tests.deaths.single import SingleRuns
from tests.deaths.studies import Prepared, environment
from tests.deaths.watch import RunFiles, went_on_from
from tunegrid.results.compare import compare
from tunegrid.study.cells import Cell

SCRIPT = restart.ROOT / "tests" / "slurm" / "cluster.sh"
PATIENCE = 1200.0  # seconds
TRIES = 5


class SlurmCells:
    """The scene of deaths on a cluster that `tests/slurm/cluster.sh up FOLDER` has brought up and no one else uses."""

    def __init__(self, prepared: Prepared, single: SingleRuns, cluster: Path) -> None:
        self.prepared, self.single, self.cluster = prepared, single, cluster.resolve()
        self.seconds: float | None = None

    def die(self, death: Death, chance: random.Random, folder: Path) -> None:
        cell = self.single.cell(death.number)
        reference = self.single.reference(cell)
        if self.seconds is None:
            self.seconds = self._undisturbed(cell, folder.with_name("undisturbed-slurm"))
        death.where, death.of = str(cell), self.seconds
        for attempt in range(TRIES):
            place = self.prepared.copy(folder / f"try-{attempt}", results=True)
            files = RunFiles(place, "runs", cell)
            death.moment = chance.uniform(0, death.of)
            started = self._start(cell, place, folder / f"log-{attempt}.txt")
            started.wait(death.moment)
            if job := self._wait_for_job(place, started):
                break
        else:
            raise RuntimeError(f"{TRIES} times in a row there was no job to end")
        number, state = job
        self._hit(death, chance, number, state)
        before = self._seen(death, files)
        while started.wait(1) is None:  # with its retries and what Slurm puts back into the queue it goes on by itself
            if time.monotonic() > self.begun + PATIENCE:
                kill_everything(started)
                raise RuntimeError(f"it goes on for ever: {started.text()[-1000:]}")
        code = started.wait(0)
        death.note += f", Snakemake's exit code {code}"
        problems = []
        if code:
            started = self._start(cell, place, folder / "log-restart.txt")
            if code := started.wait(PATIENCE):
                problems.append(f"restart: exit code {code}: {started.text()[-300:]!r}")
        if files.log.exists() and files.log.stat().st_mtime_ns != before and death.step is not None:
            death.went_on_from = went_on_from(files.log.read_text(), reference.steps)
            death.repeated = max(death.step - death.went_on_from, 0)
            death.beyond = max((death.sealed or 0) - death.went_on_from, 0)
        problems += compare(reference.results, place / "results/runs")
        if files.checkpoints():
            problems.append("checkpoints are left")
        death.identical = not problems
        end_orphans(self.single.warm.pid)
        death.note = "; ".join([death.note, *problems[:5]])

    def _undisturbed(self, cell: Cell, folder: Path) -> float:
        start = time.monotonic()
        place = self.prepared.copy(folder / "study", results=True)
        started = self._start(cell, place, folder / "log.txt")
        assert started.wait(PATIENCE) == 0, started.text()[-3000:]
        differences = compare(self.single.reference(cell).results, place / "results/runs")
        assert differences == [], f"on the cluster it differs: {differences}"
        return time.monotonic() - start

    def _start(self, cell: Cell, place: Path, log: Path) -> Started:
        self.begun = time.monotonic()
        slurm = {"SLURM_CONF": str(self.cluster / "slurm.conf")}
        return Started(restart.on_slurm(cell), place, environment(log.parent, restart.ROOT, **slurm), log)

    def _slurm(self, *command: str) -> str:
        own = os.environ | {"SLURM_CONF": str(self.cluster / "slurm.conf")}
        return subprocess.run(command, env=own, capture_output=True, text=True, timeout=60).stdout

    def _jobs(self) -> list[list[str]]:
        """Lists the jobs in the queue: [id, state, working directory]."""
        lines = self._slurm("squeue", "--noheader", "--format", "%A|%T|%Z").splitlines()
        return [line.strip().split("|") for line in lines]

    def _job(self, place: Path) -> tuple[str, str] | None:
        """Finds a job of the study in a folder: (id, state); None: there is none in the queue."""
        return next(((number, state) for number, state, folder in self._jobs() if folder == str(place)), None)

    def _wait_for_job(self, place: Path, started: Started) -> tuple[str, str] | None:
        until(lambda: started.wait(0) is not None or self._job(place), PATIENCE)
        return self._job(place)

    def _hit(self, death: Death, chance: random.Random, number: str, state: str) -> None:
        if death.kind == "scancel":
            self._slurm("scancel", number)
            death.note = f"of a {state.lower()} job"
            until(lambda: number not in [job[0] for job in self._jobs()], 60)
            return
        away = chance.uniform(0, 15)
        subprocess.run(["bash", str(SCRIPT), "node-dies", str(self.cluster)], check=True, timeout=60)
        time.sleep(away)
        subprocess.run(["bash", str(SCRIPT), "node-returns", str(self.cluster)], check=True, timeout=120)
        death.note = f"with a {state.lower()} job, for {away:.0f} s"

    def _seen(self, death: Death, files: RunFiles) -> int:
        """Notes the state that the death left; returns the modification time of the training's log."""
        if not files.log.exists():
            death.stage = "start-up"
            return 0
        seen = files.seen(files.log.read_text())
        death.stage, death.step, death.sealed = seen.stage, seen.step, seen.sealed
        return files.log.stat().st_mtime_ns
