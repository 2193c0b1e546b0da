"""Deaths of a whole study under Snakemake, from fetching to the report."""

from __future__ import annotations

import csv
import random
import signal
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from tests.deaths import restart
from tests.deaths.moments import Moments
from tests.deaths.processes import Started, descendants, end_orphans, kill_everything, orphans, send, until
from tests.deaths.record import Death
from tests.deaths.studies import WHOLE_CELLS, Prepared, environment
from tests.deaths.watch import LOCKED, RunFiles, Seen, stage_of_study, went_on_from
from tests.support.processes import heed_signals
from tunegrid.results.compare import compare
from tunegrid.study.cells import Cell

PATIENCE = 300.0  # seconds
TRIES = 5
# Tables without a time in them: they have to come out the same, to the letter.
TABLES = ("ceilings", "cells", "cuts", "data", "models", "pairs", "results", "search", "settings")


class WholeStudies:
    """The scene of deaths of whole studies."""

    study, cells = "whole", WHOLE_CELLS

    def __init__(self, folder: Path, prepared: Prepared, keep: Callable[[], list[int]]) -> None:
        self.folder, self.prepared, self.keep = folder, prepared, keep

    @cached_property
    def reference(self) -> tuple[Path, float, dict[Cell, int]]:
        """Runs a study undisturbed; returns its results, the seconds that it took, and the steps of its trainings."""
        folder, start = self.folder / "undisturbed" / self.study, time.monotonic()
        place = self.prepared.copy(folder / "study", results=False)
        started = self._start(restart.study(), place, folder / "log.txt")
        assert started.wait(PATIENCE) == 0, f"the undisturbed study failed: {folder}\n{started.text()[-3000:]}"
        seconds = time.monotonic() - start
        end_orphans(*self.keep())
        files = {cell: RunFiles(place, self.study, cell) for cell in self.cells}
        steps = {cell: files[cell].seen(files[cell].log.read_text()).step for cell in self.cells}
        return place / "results" / self.study, seconds, steps

    def _start(self, command: list[str], place: Path, log: Path) -> Started:
        return Started(command, place, environment(log.parent, restart.ROOT), log, heed_signals)

    def die(self, death: Death, chance: random.Random, folder: Path) -> None:
        death.where, death.of = f"study of {len(self.cells)} cells", self.reference[1]
        moments = Moments(chance, death.of)
        for attempt in range(TRIES):
            place, log = self.prepared.copy(folder / f"try-{attempt}", results=False), folder / f"log-{attempt}.txt"
            death.moment, death.note = moments.draw(), ""
            started = self._start(restart.study(), place, log)
            if started.wait(death.moment) is None and self._hit(death, chance, place, started):
                break
            moments.was_too_late()
            started.wait(PATIENCE)
            end_orphans(*self.keep())
        else:
            raise RuntimeError(f"{TRIES} times in a row it came too late")
        self._finish(death, place, folder, started)

    # -- deaths -------------------------------------------------------------------------------------------------------

    def _hit(self, death: Death, chance: random.Random, place: Path, started: Started) -> bool:
        """Ends the study in the way of this kind and notes its state; returns whether there was a process to hit."""
        death.stage = stage_of_study(started.text())
        if death.kind == "two-snakemakes":
            self._start_another(death, chance, place, started)
            return True
        if death.kind == "kill-all":
            kill_everything(started)
        elif death.kind == "kill-snakemake":
            send(signal.SIGKILL, started.pid)
        elif death.kind == "stop-snakemake":
            self._stop(death, chance, started)
        elif death.kind != "kill-job":
            raise ValueError(death.kind)
        elif not self._kill_a_job(death, chance, started):
            return False
        if death.kind == "kill-job":  # the study goes on: what was there is of interest only now
            self.seen = self._look(place)
        if started.wait(PATIENCE) is None:
            raise RuntimeError("Snakemake goes on for ever")
        if death.kind != "kill-job":
            self.seen = self._look(place)
        return True

    def _stop(self, death: Death, chance: random.Random, started: Started) -> None:
        number, everybody = chance.choice([signal.SIGINT, signal.SIGTERM]), chance.random() < 0.5
        family = [child.pid for child in descendants(started.pid)] if everybody else []
        send(number, started.pid, *family)
        death.note = f"{number.name} to {'all processes' if everybody else 'Snakemake alone'}"
        code = started.wait(PATIENCE)
        death.note += f", exit code {code}"

    def _kill_a_job(self, death: Death, chance: random.Random, started: Started) -> bool:
        """Kills (-9) one of the processes that compute, which the warm process forked, as soon as there is one."""
        while started.wait(0) is None:
            family = descendants(started.pid)
            working = [child for child in family if not descendants(child.pid) and self._computes(child)]
            if working:
                send(signal.SIGKILL, chance.choice(working).pid)
                return True
            time.sleep(0.02)
        return False

    @staticmethod
    def _computes(process) -> bool:
        """Tells whether a process is a fork of the warm process, by their command lines, which are the same."""
        try:
            parent = process.parent()
            return "warm" in process.cmdline() and parent is not None and "warm" in parent.cmdline()
        except Exception:  # it has ended meanwhile
            return False

    def _start_another(self, death: Death, chance: random.Random, place: Path, first: Started) -> None:
        """Starts a second Snakemake, as a first call or as a restart, while the first one is at work."""
        kind = chance.choice(["a first call", "a restart"])
        command = restart.study() if kind == "a first call" else restart.study_again()
        second = self._start(command, place, place.parent / "log-second.txt")
        other = second.wait(PATIENCE)
        code = first.wait(PATIENCE)
        refused = LOCKED.search(second.text()) is not None
        death.note = f"{kind} beside it: {'refused' if refused else 'let in'}, exit codes {code} and {other}"
        self.seen = self._look(place)

    def _look(self, place: Path) -> dict[Cell, Seen]:
        files = {cell: RunFiles(place, self.study, cell) for cell in self.cells}
        return {cell: run.seen(run.log.read_text() if run.log.exists() else "") for cell, run in files.items()}

    # -- restart ------------------------------------------------------------------------------------------------------

    def _finish(self, death: Death, place: Path, folder: Path, died: Started) -> None:
        """Restarts the study as a user would, and compares its results."""
        problems = []
        logs = {cell: RunFiles(place, self.study, cell).log for cell in self.cells}
        before = {cell: log.stat().st_mtime_ns if log.exists() else 0 for cell, log in logs.items()}
        for refused in range(5):
            started = self._start(restart.study_again(), place, folder / f"log-restart-{refused}.txt")
            code = started.wait(PATIENCE)
            if not code or LOCKED.search(started.text()) is None:
                break
            time.sleep(2)  # as long as a person takes to read who is still at work
        if refused:
            death.note += f", the restart was refused {refused} times"
        if code:
            problems.append(f"restart: exit code {code}: {started.text()[-300:]!r}")
        elif code is None:
            kill_everything(started)
            problems.append("the restart goes on for ever")
        again = {cell: log for cell, log in logs.items() if log.exists() and log.stat().st_mtime_ns != before[cell]}
        self._lost(death, again)
        results = place / "results" / self.study
        problems += compare(self.reference[0], results) if results.exists() else ["no results"]
        problems += self._tables(results)
        if left := list((results / "checkpoints").glob("*/*/*/*/checkpoint-*")):
            problems.append(f"checkpoints are left: {left}")
        death.identical = not problems
        until(lambda: not orphans(*self.keep()), 10)  # the warm process notices within a second that it is alone
        if left := end_orphans(*self.keep()):
            death.note += f", still running at the end: {left}"
        death.note = "; ".join([death.note, *problems[:5]])

    def _lost(self, death: Death, logs: dict[Cell, Path]) -> None:
        """Notes from which step each training of the restart went on; of several, the one that lost most is kept."""
        for cell, log in logs.items():
            seen, steps = self.seen[cell], self.reference[2][cell]
            origin = went_on_from(log.read_text(), steps)
            if seen.step == seen.sealed == 0 and not seen.recorded:
                continue  # it had not begun
            if seen.recorded:
                death.note += f", {cell} was recorded, and trained again from step {origin}"
            lost = (max(seen.sealed - origin, 0), max(seen.step - origin, 0))
            if death.went_on_from is None or lost >= (death.beyond, death.repeated):
                death.step, death.sealed, death.went_on_from = seen.step, seen.sealed, origin
                death.beyond, death.repeated = lost

    def _tables(self, results: Path) -> list[str]:
        problems = []
        for name in TABLES:
            files = [folder / "tables" / f"{name}.csv" for folder in (self.reference[0], results)]
            if not files[1].exists():
                problems.append(f"tables/{name}.csv is missing")
                continue
            rows = [list(csv.reader(file.open(newline=""))) for file in files]
            if rows[0] != rows[1]:
                problems.append(f"tables/{name}.csv differs")
        if not (results / "report/report.html").exists():
            problems.append("there is no report")
        return problems
