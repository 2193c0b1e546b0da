"""Deaths of a single run: `tunegrid train` and `tunegrid evaluate`, typed by hand."""

from __future__ import annotations

import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.deaths import harm, restart
from tests.deaths.moments import Moments
from tests.deaths.processes import (
    Started,
    WarmProcess,
    descendants,
    end_orphans,
    kill_everything,
    kill_some,
    send,
    until,
)
from tests.deaths.record import Death
from tests.deaths.studies import Prepared, environment, run_cells
from tests.deaths.watch import LOCKED, RunFiles, step_of, went_on_from
from tunegrid.results.compare import compare
from tunegrid.study.cells import Cell

TRIES = 25  # until a death comes when there is something to harm
PATIENCE = 300.0  # seconds
WARM = 0.9  # share of the commands that need not import the libraries


@dataclass
class Undisturbed:
    """Results and costs of a run that was not interrupted."""

    results: Path
    seconds: float
    steps: int
    bytes: int  # the most that the run added to the disk at any moment


def again(start: Callable[[int], Started]) -> tuple[Started, int | None, int]:
    """Repeats a command that died, until no other one is at work on the same; returns (command, exit code, refusals)."""
    for refused in range(5):
        started = start(refused)
        code = started.wait(PATIENCE)
        if code == 0 or LOCKED.search(started.text()) is None:
            break
        time.sleep(1)  # as long as a person takes to read who is at work
    return started, code, refused


class SingleRuns:
    """The scene of deaths of single runs."""

    def __init__(self, folder: Path, prepared: Prepared, warm: WarmProcess, *, few: bool = False) -> None:
        self.folder, self.prepared, self.warm, self.few = folder, prepared, warm, few
        self.undisturbed: dict[Cell, Undisturbed] = {}

    def cell(self, number: int) -> Cell:
        """Chooses the cell of a death: each in turn; with `few`, three that have every method and every family once."""
        cells = run_cells()[:: 4 if self.few else 2] + ([] if self.few else run_cells()[1::2])
        return cells[number % len(cells)]

    # -- undisturbed --------------------------------------------------------------------------------------------------

    def reference(self, cell: Cell) -> Undisturbed:
        if cell not in self.undisturbed:
            self.undisturbed[cell] = self._run_through(cell, self.folder / "undisturbed" / str(cell))
        return self.undisturbed[cell]

    def _run_through(self, cell: Cell, folder: Path) -> Undisturbed:
        self.prepared.copy(folder, results=True)
        before, peak, done = harm.size(folder / "results"), [0], threading.Event()

        def measure() -> None:
            while not done.wait(0.01):
                peak.append(max(peak.pop(), harm.size(folder / "results")))

        watcher = threading.Thread(target=measure)
        watcher.start()
        start = time.monotonic()
        try:
            for number, command in enumerate(restart.stages(cell)):
                started = self._start(command, folder, folder / f"log-{number}.txt", warm=True)
                assert started.wait(PATIENCE) == 0, f"the undisturbed run failed: {folder}\n{started.text()[-3000:]}"
        finally:
            done.set()
            watcher.join()
        files = RunFiles(folder, "runs", cell)
        steps = files.seen((folder / "log-0.txt").read_text()).step
        return Undisturbed(folder / "results/runs", time.monotonic() - start, steps, peak[0] - before)

    @property
    def imports(self) -> float:
        """Estimates the seconds that the two commands take longer where each has to import the libraries itself."""
        return 2 * self.prepared.seconds

    def _start(self, command: list[str], folder: Path, log: Path, *, warm: bool, before=None) -> Started:
        more = {"TUNEGRID_WARM": str(self.warm.address)} if warm else {}
        return Started(command, folder, environment(log.parent, restart.ROOT, **more), log, before)

    # -- deaths -------------------------------------------------------------------------------------------------------

    def die(self, death: Death, chance: random.Random, folder: Path) -> None:
        cell = self.cell(death.number)
        death.where = str(cell)
        warm = chance.random() < WARM
        moments = Moments(chance, self.reference(cell).seconds + (0.0 if warm else self.imports))
        with harm.small_disk(folder / "disk", wanted=death.kind == "disk-full") as mounted:
            for attempt in range(TRIES):
                place = folder / "disk" / f"try-{attempt}"
                self.prepared.copy(place, results=True)
                if death.kind == "disk-full":
                    died = self._fill(death, cell, place, folder / f"log-{attempt}", chance, mounted)
                else:
                    died = self._kill(death, cell, place, folder / f"log-{attempt}", chance, moments, warm=warm)
                if died:
                    break
                end_orphans(self.warm.pid)
                shutil.rmtree(place)
            else:
                raise RuntimeError(f"death {death.number}: {TRIES} times in a row it came too early or too late")
            self._restart(death, cell, place, folder / "log-restart", chance)
            if not death.survived:
                shutil.copytree(folder / "disk", folder / "died", symlinks=True)

    def _kill(
        self, death: Death, cell: Cell, place: Path, logs: Path, chance: random.Random, moments: Moments, *, warm: bool
    ) -> bool:
        """Runs until a moment and kills; returns whether the moment was of use."""
        death.of, death.moment = moments.length, moments.draw()
        start = time.monotonic()
        for number, command in enumerate(restart.stages(cell)):
            started = self._start(command, place, logs / f"{number}.txt", warm=warm)
            code = started.wait(start + death.moment - time.monotonic())
            if code is None:
                break
            assert code == 0, f"{place}: {started.text()[-3000:]}"
        else:
            moments.was_too_late()
            return False
        death.note = "" if warm else "cold, "
        death.note += self._hit(death, started, chance)
        if death.kind == "damaged-checkpoint":  # no process may write there any more
            until(lambda: not self.warm.at_work(), PATIENCE)
        self._look(death, cell, place, number, started.text())
        if (
            death.kind == "sigterm-training" and started.wait(0) == 0
        ):  # it came when all was done: there is nothing to restart
            self.died_in += 1
        if death.kind == "damaged-checkpoint":
            sealed = RunFiles(place, "runs", cell).sealed()
            if number == 1 or death.stage == "end of the training":
                moments.was_too_late()
                return False
            if not sealed:
                moments.was_too_early()
                return False
            death.note += ", " + harm.damage(sealed[-1], chance)
            death.sealed = step_of(sealed[-2]) if len(sealed) > 1 else 0
        return True

    def _hit(self, death: Death, started: Started, chance: random.Random) -> str:
        """Ends the command in the way of this kind; returns which processes were hit."""
        if death.kind == "sigterm-training":
            at_work = [*self.warm.at_work(), *(child.pid for child in descendants(started.pid))]
            if everybody := chance.random() < 0.5:
                send(signal.SIGTERM, *at_work)
            send(signal.SIGTERM, started.pid)
            code = started.wait(PATIENCE)
            return f"to {'all processes' if everybody else 'the command'}, exit code {code}"
        if death.kind not in ("kill-training", "disk-full", "damaged-checkpoint"):
            raise ValueError(death.kind)
        return kill_some(started, self.warm, chance, PATIENCE)

    def _fill(self, death: Death, cell: Cell, place: Path, logs: Path, chance: random.Random, mounted: bool) -> bool:
        """Runs with little space on the disk; returns whether it was too little."""
        reference = self.reference(cell)
        if mounted:
            free = chance.randrange(reference.bytes)
            filler, before, warm = harm.fill(place.parent, free), None, True
            death.note = f"{free} bytes free of {reference.bytes}"
        else:  # a limit of the process, which the warm one does not take over
            free = chance.randrange(1000, 100_000)
            before, warm = harm.limited(free), False
            death.note = f"files of at most {free} bytes"
        death.of, start = reference.seconds + (0.0 if warm else self.imports), time.monotonic()
        for number, command in enumerate(restart.stages(cell)):
            started = self._start(command, place, logs / f"{number}.txt", warm=warm, before=before)
            code = started.wait(PATIENCE)
            # A run that is recorded as failed for lack of space is no result: it has to be repeated.
            if code != 0 or RunFiles(place, "runs", cell).status() != "ok":
                break
        else:
            code = None
        death.moment = time.monotonic() - start
        if mounted:
            filler.unlink()
        if code is None:
            return False
        self._look(death, cell, place, number, started.text())
        if RunFiles(place, "runs", cell).status() not in ("ok", None):
            death.note += ", recorded as a failed run"
        return True

    def _look(self, death: Death, cell: Cell, place: Path, number: int, log: str) -> None:
        """Notes the state that the death left, in the command of this number."""
        files = RunFiles(place, "runs", cell)
        self.died_in = number
        if number == 1:
            scored = (files.run / "predictions.parquet").exists()
            death.stage = "scores" if scored else "prediction" if log else "start-up of the evaluation"
            death.step = death.sealed = None
            return
        seen = files.seen(log)
        death.stage, death.step, death.sealed = seen.stage, seen.step, seen.sealed
        if seen.recorded:
            death.note += ", the training was recorded"

    # -- restart ------------------------------------------------------------------------------------------------------

    def _restart(self, death: Death, cell: Cell, place: Path, logs: Path, chance: random.Random) -> None:
        warm, reference = chance.random() < WARM, self.reference(cell)
        problems = []
        for number, command in list(enumerate(restart.stages(cell)))[self.died_in :]:
            started, code, refused = again(
                lambda attempt, n=number, c=command: self._start(c, place, logs / f"{n}-{attempt}.txt", warm=warm)
            )
            if refused:
                death.note += f", {command[1]} was refused {refused} times"
            if code != 0:
                kill_everything(started)
                problems.append(f"{command[1]} ends with {code}")
                break
            if number == 0:
                death.went_on_from = went_on_from(started.text(), reference.steps)
                death.repeated = max((death.step or 0) - death.went_on_from, 0)
                death.beyond = max((death.sealed or 0) - death.went_on_from, 0)
                if death.kind == "sigterm-training" and death.repeated:
                    problems.append(f"{death.repeated} steps were not saved at SIGTERM")
        if not any("ends with" in problem for problem in problems):
            problems += compare(reference.results, place / "results/runs")
        files = RunFiles(place, "runs", cell)
        if files.checkpoints():
            problems.append("checkpoints are left")
        death.identical = not problems
        if left := end_orphans(self.warm.pid):
            death.note += f", still running at the end: {left}"
        if litter := [file.name for file in files.run.glob(".*")]:
            death.note += f", left in the run's folder: {litter}"
        death.note = "; ".join([death.note, *problems[:5]])
