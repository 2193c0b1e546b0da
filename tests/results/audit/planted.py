"""Random tables of scores, consistent ones and ones with an error planted, and how many of them the audit accuses.

Of the planted errors that it does not find it counts those after which some test set still gives every score.

Usage, in a clone: python -m tests.results.audit.planted --seed 1 --count 200
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tunegrid.results.audit import grim
from tunegrid.results.audit.checks import Audit, audit_folder
from tunegrid.results.audit.classification import LabelScores, shares
from tunegrid.results.audit.folder import read_folder
from tunegrid.results.audit.printed import parse
from tunegrid.results.audit.search import fitting

KINDS = {"classification": 45, "answers": 23, "accuracy": 32}  # with how often each is drawn
LARGEST = 25_000  # test size
GLUE = "glue"  # accuracy and F1 alone, of a claimed test set
ERRORS = {"digit": 23, "transposed": 21, "another test": 23, "copied cell": 30, "out of range": 3}


@dataclass(frozen=True)
class Table:
    """Scores as printed, by row and column, and the claim about the test set: size and positives, or nothing."""

    kind: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    claim: str
    error: str = ""
    accused: int = -1  # the row with the error

    def write(self, folder: Path) -> None:
        """Writes the table and its claim as files of a folder."""
        folder.mkdir()
        lines = [("model", *self.columns), *((f"model {row}", *cells) for row, cells in enumerate(self.rows))]
        (folder / "scores.csv").write_text("".join(",".join(line) + "\n" for line in lines))
        if self.claim:
            (folder / "tables.csv").write_text(f"table,test_size,positives\nscores,{self.claim}\n")


def consistent(random: Random, kind: str | None = None) -> Table:
    """A table of scores that are computed from answers and rounded; 7 of 10 claim their test set."""
    kind, size = kind or random.choices(*zip(*KINDS.items(), strict=True))[0], _size(random)
    positives = max(1, int(size * random.choice([0.2, 0.5, 0.5, 0.65])))
    show = _printer(random)
    rows = tuple(tuple(map(show, _scores(kind, size, positives, random))) for _ in range(random.randint(3, 9)))
    known = random.random()
    with_positives = kind == GLUE or (kind == "classification" and known < 0.4)
    claim = (f"{size},{positives}" if with_positives else f"{size},") if known < 0.7 or kind == GLUE else ""
    metrics = {
        "classification": ("accuracy", "precision", "recall", "f1"),
        "answers": ("exact_match", "f1"),
        "accuracy": ("accuracy",),
        GLUE: ("accuracy", "f1"),
    }[kind]
    columns = tuple(metric + ("_percent" if show(Fraction(1)).startswith("100") else "") for metric in metrics)
    return Table(kind, columns, rows, claim)


def with_error(random: Random, kind: str | None = None) -> Table:
    """A consistent table with one error in one row."""
    while True:
        table, error = consistent(random, kind), random.choices(*zip(*ERRORS.items(), strict=True))[0]
        row = random.randrange(len(table.rows))
        cells = list(table.rows[row])
        place = random.randrange(len(cells))
        cells = _planted(table, row, place, error, random)
        if cells != table.rows[row]:
            rows = (*table.rows[:row], cells, *table.rows[row + 1 :])
            return Table(table.kind, table.columns, rows, table.claim, error, row)


def _planted(table: Table, row: int, place: int, error: str, random: Random) -> tuple[str, ...]:
    cells = list(table.rows[row])
    digits = [number for number, letter in enumerate(cells[place]) if letter.isdigit()]
    first = digits[0] if table.columns[place].endswith("_percent") else digits[1]
    match error:
        case "digit":
            number = random.choice([digit for digit in digits if digit >= first])
            cells[place] = cells[place][:number] + random.choice("0123456789") + cells[place][number + 1 :]
        case "transposed":
            number = random.randrange(len(digits) - 1)
            text, one, two = list(cells[place]), digits[number], digits[number + 1]
            if one >= first:
                text[one], text[two] = text[two], text[one]
            cells[place] = "".join(text)
        case "another test":
            decimals = len(cells[0].partition(".")[2])
            show = _shown(decimals, "percent" in table.columns[0], ROUND_HALF_UP)
            size = _size(random)
            other = _scores(table.kind, size, max(1, int(size * random.uniform(0.1, 0.9))), random)
            cells = list(map(show, other))
        case "copied cell":
            cells[place] = random.choice([other[place] for other in table.rows])
        case "out of range":
            cells[place] = str(Decimal(cells[place]) + (100 if "percent" in table.columns[place] else 1))
    return tuple(cells)


def _size(random: Random) -> int:
    return int(71 * (LARGEST / 71) ** random.random())


def _scores(kind: str, size: int, positives: int, random: Random) -> list[Fraction]:
    skill = random.uniform(0.6, 0.97)
    if kind == "answers":
        exact = sum(random.random() < skill for _ in range(size))
        return [
            Fraction(exact, size),
            Fraction(exact, size) + Fraction(random.uniform(0.2, 0.5)) * (1 - Fraction(exact, size)),
        ]
    true = sum(random.random() < skill + random.uniform(-0.02, 0.02) for _ in range(positives)) or 1
    false = sum(random.random() > skill for _ in range(size - positives))
    accuracy = Fraction(size - positives - false + true, size)
    f1 = Fraction(2 * true, positives + true + false)
    return {
        "classification": [accuracy, Fraction(true, true + false), Fraction(true, positives), f1],
        "accuracy": [accuracy],
        GLUE: [accuracy, f1],
    }[kind]


def _printer(random: Random) -> Callable[[Fraction], str]:
    return _shown(random.randint(1, 4), random.random() < 0.5, random.choice([ROUND_HALF_UP, ROUND_HALF_EVEN]))


def _shown(decimals: int, percent: bool, rounding: str) -> Callable[[Fraction], str]:
    def show(score: Fraction) -> str:
        value = score * (100 if percent else 1)
        return str((Decimal(value.numerator) / value.denominator).quantize(Decimal(1).scaleb(-decimals), rounding))

    return show


def audited(table: Table, folder: Path) -> Audit:
    """The audit of a table, without the searches that end in notes."""
    table.write(folder)
    return audit_folder(read_folder(folder), largest_pair=0, time_limit=30)


def possible(table: Table) -> bool:
    """Whether some test set, the claimed one if there is a claim, gives every score correctly rounded."""
    scores = [
        {
            column.removesuffix("_percent"): parse(cell, column.endswith("_percent"))
            for column, cell in zip(table.columns, row, strict=True)
        }
        for row in table.rows
    ]
    claimed, positives = (int(part or 0) for part in (table.claim or ",").split(","))
    for size in [claimed] if claimed else range(LARGEST, 0, -1):
        if not grim.common_roundings((row[table.columns[0].removesuffix("_percent")] for row in scores), size):
            continue
        if table.kind != "classification":
            return True
        rows = [LabelScores(*(row[metric] for metric in ("accuracy", "precision", "recall", "f1"))) for row in scores]
        share = Fraction(positives, size)
        between = (share, share) if positives else shares(rows) or (Fraction(0), Fraction(1))
        if next(fitting(rows, size, between, 0.5), None):
            return True
    return False


def accusations(audit: Audit, severity: str) -> list[str]:
    """The checks that found an error or a warning."""
    return [finding.check for finding in audit.findings if finding.severity == severity]


def main(arguments: list[str] | None = None) -> int:
    """Runs the script; 1 if a consistent table has an error."""
    options = argparse.ArgumentParser(prog="python -m tests.results.audit.planted", description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--count", type=int, default=200, help="how many tables of each kind (default: 200)")
    options.add_argument("--kind", choices=[*KINDS, GLUE], help="tables of this kind alone; default: all but glue")
    options.add_argument("--list", action="store_true", help="list what is wrongly accused, and what is missed")
    given = options.parse_args(arguments)
    counts: Counter[tuple[str, ...]] = Counter()
    with TemporaryDirectory() as folder:
        for number in range(given.count):
            for make in (consistent, with_error):
                table = make(Random(f"{given.seed} {make.__name__} {number}"), given.kind)
                audit = audited(table, Path(folder) / f"{make.__name__}-{number}")
                errors, warnings = accusations(audit, "error"), accusations(audit, "warning")
                end = "errors" if errors else "warnings alone" if warnings else "nothing"
                if make is with_error and end == "nothing":
                    counts["with_error", "nothing", "possible" if possible(table) else "impossible"] += 1
                counts[make.__name__, end] += 1
                counts[make.__name__, table.kind, table.error, end] += 1
                if given.list and (errors or warnings if make is consistent else not errors + warnings):
                    print(
                        number,
                        make.__name__,
                        table.kind,
                        table.error,
                        table.accused,
                        errors,
                        warnings,
                        table.claim,
                        table.rows,
                    )
    for key, count in sorted(counts.items()):
        print(f"{' '.join(filter(None, key)):50} {count:5}")
    return 1 if counts["consistent", "errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
