"""Deaths in chains of stages beyond a plain run, typed by hand: learning from preferences, and instruction tuning."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from tests.deaths import restart
from tests.deaths.moments import Moments
from tests.deaths.processes import Started, WarmProcess, end_orphans, kill_everything, kill_some
from tests.deaths.record import Death
from tests.deaths.single import PATIENCE, TRIES, again
from tests.deaths.studies import TECHNIQUES, TECHNIQUES_MODELS, Prepared, environment
from tests.deaths.watch import SEAL, step_of, step_reached, went_on_from
from tunegrid.results.compare import compare

COMMANDS = {"kill-preferences": restart.preferences, "kill-instruction": restart.instruction}
RESULTS = Path("results") / TECHNIQUES["study"]


@dataclass
class Undisturbed:
    """Results of a chain that was not interrupted, its length in seconds, and the steps that each command trained."""

    results: Path
    seconds: float
    steps: list[int]


class Chains:
    """The scene of deaths in chains: the command that dies is repeated, then the others follow."""

    def __init__(self, folder: Path, prepared: Prepared, warm: WarmProcess) -> None:
        self.folder, self.prepared, self.warm = folder, prepared, warm
        self.undisturbed: dict[str, Undisturbed] = {}

    def reference(self, title: str, commands: list[list[str]]) -> Undisturbed:
        if title not in self.undisturbed:
            place = self.prepared.copy(self.folder / "undisturbed" / title, results=True)
            start, steps = time.monotonic(), []
            for number, command in enumerate(commands):
                started = self._start(command, place, place / f"log-{number}.txt")
                assert started.wait(PATIENCE) == 0, f"{command} failed undisturbed:\n{started.text()[-3000:]}"
                steps.append(step_reached(started.text()))
            self.undisturbed[title] = Undisturbed(place / RESULTS, time.monotonic() - start, steps)
        return self.undisturbed[title]

    def _start(self, command: list[str], place: Path, log: Path) -> Started:
        own = environment(log.parent, restart.ROOT, TUNEGRID_WARM=str(self.warm.address))
        return Started(command, place, own, log)

    def die(self, death: Death, chance: random.Random, folder: Path) -> None:
        model = TECHNIQUES_MODELS[death.number % len(TECHNIQUES_MODELS)]
        commands = COMMANDS[death.kind](model)
        death.where = f"{death.kind.removeprefix('kill-')} of {model}"
        reference = self.reference(death.where.replace(" ", "-"), commands)
        moments = Moments(chance, reference.seconds)
        for attempt in range(TRIES):
            place = self.prepared.copy(folder / f"try-{attempt}", results=True)
            number = self._kill(death, commands, place, folder / f"log-{attempt}", chance, moments)
            if number is not None:
                break
            end_orphans(self.warm.pid)
            shutil.rmtree(place)
        else:
            raise RuntimeError(f"death {death.number}: {TRIES} times in a row it came too late")
        self._restart(death, commands, number, place, folder / "log-restart", reference)

    def _kill(
        self, death: Death, commands: list[list[str]], place: Path, logs: Path, chance: random.Random, moments: Moments
    ) -> int | None:
        """Runs until a moment and kills; returns the number of the command that died, None if all had ended."""
        death.of, death.moment = moments.length, moments.draw()
        start = time.monotonic()
        for number, command in enumerate(commands):
            started = self._start(command, place, logs / f"{number}.txt")
            code = started.wait(start + death.moment - time.monotonic())
            if code is None:
                break
            assert code == 0, f"{place}: {started.text()[-3000:]}"
        else:
            moments.was_too_late()
            return None
        death.note = kill_some(started, self.warm, chance, PATIENCE)
        method = f" {command[command.index('--method') + 1]}" if command[1] == "train" else ""
        death.stage = command[1] + method
        sealed = [file.parent for file in (place / RESULTS).glob(f"checkpoints/**/checkpoint-*/{SEAL}")]
        if command[1].startswith("train"):
            death.step, death.sealed = step_reached(started.text()), max(map(step_of, sealed), default=0)
        return number

    def _restart(
        self, death: Death, commands: list[list[str]], died: int, place: Path, logs: Path, reference: Undisturbed
    ) -> None:
        problems = []
        for number, command in list(enumerate(commands))[died:]:
            started, code, refused = again(
                lambda attempt, n=number, c=command: self._start(c, place, logs / f"{n}-{attempt}.txt")
            )
            if refused:
                death.note += f", {command[1]} was refused {refused} times"
            if code != 0:
                kill_everything(started)
                problems.append(f"{command[1]} ends with {code}: {started.text()[-300:]!r}")
                break
            if number == died and death.step is not None:
                death.went_on_from = went_on_from(started.text(), reference.steps[number])
                death.repeated = max(death.step - death.went_on_from, 0)
                death.beyond = max((death.sealed or 0) - death.went_on_from, 0)
        else:
            problems += compare(reference.results, place / RESULTS)
        if list((place / RESULTS).glob("checkpoints/**/checkpoint-*")):
            problems.append("checkpoints are left")
        death.identical = not problems
        if left := end_orphans(self.warm.pid):
            death.note += f", still running at the end: {left}"
        death.note = "; ".join([death.note, *problems[:5]])
