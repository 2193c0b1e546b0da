"""The record of each death, and the table of all of them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass
class Death:
    """One death, and what followed.

    Attributes:
        where: the cell of a single run, or the study.
        moment, of: seconds from the start to the death, and the seconds that an undisturbed run took.
        step: the last step that the log reports.
        sealed: step of the newest whole checkpoint at the restart (of several runs: of the one that lost most).
        went_on_from: the step that the restarted training went on from; None: no training was under way.
        repeated: number of steps that were done twice.
        beyond: number of repeated steps that a whole checkpoint held; has to be zero.
        identical: whether all results equal those of the undisturbed run.
        note: what was killed or damaged, messages, differences.
        folder: where the death can be examined, if it was not survived.
    """

    number: int
    seed: int
    kind: str
    where: str
    moment: float = 0.0
    of: float = 0.0
    stage: str = ""
    step: int | None = None
    sealed: int | None = None
    went_on_from: int | None = None
    repeated: int = 0
    beyond: int = 0
    identical: bool = False
    note: str = ""
    seconds: float = 0.0
    folder: str = ""

    @property
    def survived(self) -> bool:
        return self.identical and self.beyond == 0

    def line(self) -> str:
        """Formats the death as a line of the script's output."""
        end = "identical" if self.identical else "DIFFERENT"
        lost = f", {self.beyond} steps lost that were sealed" if self.beyond else ""
        steps = ""
        if self.went_on_from is not None:
            steps = f" step {self.step}, sealed {self.sealed}, went on from {self.went_on_from}:"
        return (
            f"{self.number:4}  {self.kind:<18} {self.where:<26} {self.moment:5.1f} of {self.of:4.1f} s  {self.stage}:{steps} "
            f"{end}{lost}  ({self.seconds:.0f} s){f'  [{self.note}]' if self.note else ''}"
        )


def write(deaths: Iterable[Death], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Death)])
        writer.writeheader()
        writer.writerows(asdict(death) | {"moment": f"{death.moment:.3f}", "of": f"{death.of:.3f}"} for death in deaths)


def read(path: Path) -> list[Death]:
    def value(kind: str, text: str) -> object:
        if text == "" and "None" in kind:
            return None
        if kind == "bool":
            return text == "True"
        return {"int": int, "float": float}.get(kind.split(" ")[0], str)(text)

    kinds = {field.name: str(field.type) for field in fields(Death)}
    with path.open(newline="") as file:
        return [Death(**{name: value(kinds[name], text) for name, text in row.items()}) for row in csv.DictReader(file)]


def table(deaths: list[Death], titles: dict[str, str]) -> str:
    """Formats deaths by kind as a Markdown table: how many, how many ended identical, the greatest loss, the moments."""
    head = ["kind", "tried", "identical", "sealed steps lost", "steps repeated", "moments, of the whole time", "stages"]
    rows = [
        _row(titles[kind], of_kind) for kind in titles if (of_kind := [death for death in deaths if death.kind == kind])
    ]
    rows.append(_row("all", deaths))
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def coverage(deaths: list[Death]) -> str:
    """Counts the deaths of single runs by method and by family of models."""
    from tests.deaths.studies import METHODS, MODELS

    names = [tuple(death.where.split("_")) for death in deaths if death.where.count("_") == 2]
    counts = {name: sum(name in cell for cell in names) for name in (*METHODS, *MODELS)}
    return "Single runs: " + ", ".join(f"{name} {count}" for name, count in counts.items())


def _row(title: str, deaths: list[Death]) -> list[str]:
    shares = [min(death.moment / death.of, 1.0) for death in deaths if death.of]
    stages = Counter(death.stage for death in deaths)
    return [
        title,
        str(len(deaths)),
        str(sum(death.identical for death in deaths)),
        str(max(death.beyond for death in deaths)),
        str(max(death.repeated for death in deaths)),
        f"{min(shares):.0%} to {max(shares):.0%}" if shares else "",
        ", ".join(f"{stage} {count}" for stage, count in stages.most_common(6)),
    ]
