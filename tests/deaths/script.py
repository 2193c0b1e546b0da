"""Carries out the deaths, one after the other."""

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

FEW = 20  # at most so many deaths share three cells instead of all nine, for each cell costs an undisturbed run


class Script:
    """Runs everything in `folder`, which is removed at the end unless a death was not survived."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        self.deaths: list[Death] = []

    def run(self) -> list[Death]:
        adopt_orphans()
        options = self.options
        kinds = [*KINDS, *(ON_SLURM if options.slurm else ())]
        drawn = draw(
            [kind for kind in kinds if not options.kinds or kind.name in options.kinds], options.kills, options.seed
        )
        begin = time.monotonic()
        try:
            for number, kind in enumerate(drawn, start=1):
                if options.only not in (None, number):
                    continue
                if options.minutes and time.monotonic() - begin > 60 * options.minutes:
                    break
                self._carry_out(number, kind)
        finally:
            for warm in self.__dict__.get("warm_processes", []):
                warm.stop()
            end_orphans()
            if all(death.survived for death in self.deaths):
                shutil.rmtree(self.folder, ignore_errors=True)
        return self.deaths

    def _carry_out(self, number: int, kind: Kind) -> None:
        folder = self.folder / f"death-{number}"
        death = Death(number, self.options.seed, kind.name, "")
        start = time.monotonic()
        try:
            getattr(self, kind.scene).die(death, random.Random(f"{self.options.seed} {number}"), folder)
        except Exception as error:  # of this script or of a command: the death was not survived
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

    # -- scenes, each made when it is first needed ---------------------------------------------------------------

    @cached_property
    def prepared(self) -> Prepared:
        return Prepared(self.folder / "prepared")

    @cached_property
    def warm_processes(self) -> list[WarmProcess]:
        return []

    @cached_property
    def warm(self) -> WarmProcess:
        warm = WarmProcess(self.prepared.folder, environment(self.folder / "warm", ROOT))
        self.warm_processes.append(warm)
        _ = self._base
        warm.ready()
        return warm

    @cached_property
    def single(self):
        from tests.deaths.single import SingleRuns

        return SingleRuns(self.folder, self.prepared, self.warm, few=self.options.kills <= FEW)

    @cached_property
    def chains(self):
        from tests.deaths.chains import Chains

        warm = self.warm
        self.prepared.make_techniques()
        return Chains(self.folder, self.prepared, warm)

    @cached_property
    def _base(self) -> None:
        self.prepared.make()

    @cached_property
    def whole(self):
        from tests.deaths.whole import WholeStudies

        _ = self._base
        return WholeStudies(self.folder, self.prepared, self._keep)

    def _keep(self) -> list[int]:
        """Returns the ids of this script's own processes, which no death may end."""
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
