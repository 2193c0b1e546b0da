"""The script itself: what dies when, one after the other."""

from __future__ import annotations

import argparse
import random
import shutil
import time
from functools import cached_property
from pathlib import Path

from tests.deaths.kinds import KINDS, ON_SLURM, Kind, draw
from tests.deaths.processes import WarmProcess, adopt_orphans, end_orphans
from tests.deaths.record import Death, write
from tests.deaths.studies import Prepared, environment
from tests.support import ROOT

FEW = 20  # so many deaths meet three cells, more of them all nine: each costs an undisturbed run


class Script:
    """Everything happens in `folder`, which is removed at the end unless something was wrong."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        self.deaths: list[Death] = []

    def run(self) -> list[Death]:
        adopt_orphans()
        options = self.options
        kinds = [*KINDS, *(ON_SLURM if options.slurm else ())]
        drawn = draw(
            [one for one in kinds if not options.kinds or one.name in options.kinds], options.kills, options.seed
        )
        begin = time.monotonic()
        try:
            for number, kind in enumerate(drawn, start=1):
                if options.only not in (None, number):
                    continue
                if options.minutes and time.monotonic() - begin > 60 * options.minutes:
                    break
                self._one(number, kind)
        finally:
            for warm in self.__dict__.get("warm_processes", []):
                warm.stop()
            end_orphans()
            if all(death.survived for death in self.deaths):
                shutil.rmtree(self.folder, ignore_errors=True)
        return self.deaths

    def _one(self, number: int, kind: Kind) -> None:
        folder = self.folder / f"death-{number}"
        death = Death(number, self.options.seed, kind.name, "")
        field = getattr(self, kind.field)
        start = time.monotonic()
        try:
            field.die(death, random.Random(f"{self.options.seed} {number}"), folder)
        except Exception as error:  # of this script or of what it runs: a death that was not survived
            death.identical, death.note = False, f"{death.note}; {type(error).__name__}: {error}"[:2000]
            end_orphans(*(warm.pid for warm in self.__dict__.get("warm_processes", [])))
        death.seconds = time.monotonic() - start
        death.note = death.note.strip("; ,").replace("\n", " ")
        if death.survived:
            shutil.rmtree(folder)
        else:
            death.folder = str(folder)
        self.deaths.append(death)
        print(death.line(), flush=True)
        if self.options.csv:
            write(self.deaths, self.options.csv)

    # -- where it happens, made when it is first needed ---------------------------------------------------------------

    @cached_property
    def prepared(self) -> Prepared:
        return Prepared(self.folder / "prepared")

    @cached_property
    def warm_processes(self) -> list[WarmProcess]:
        return []

    @cached_property
    def single(self):
        from tests.deaths.single import SingleRuns

        warm = WarmProcess(self.prepared.folder, environment(self.folder / "warm", ROOT))
        self.warm_processes.append(warm)
        _ = self._base
        warm.ready()
        return SingleRuns(self.folder, self.prepared, warm, few=self.options.kills <= FEW)

    @cached_property
    def _base(self) -> None:
        self.prepared.make()

    @cached_property
    def whole(self):
        from tests.deaths.whole import WholeStudies

        _ = self._base
        return WholeStudies(self.folder, self.prepared, self._keep)

    def _keep(self) -> list[int]:
        """Processes of this script that no death is meant for."""
        return [warm.pid for warm in self.warm_processes]

    @cached_property
    def hub(self):
        from tests.deaths.downloads import Downloads

        _ = self._base
        return Downloads(self.folder, self.prepared, self._keep)

    @cached_property
    def slurm(self):
        from tests.deaths.cluster import SlurmCells

        return SlurmCells(self.prepared, self.single, self.options.slurm)
