"""How long the rows of a task are in a model's tokens: counted where the tokens are there, else estimated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist

from tunegrid.data.sources import SPLITS

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Lengths:
    """Token counts of the sources, or of the targets, of a split, as they are after the cut.

    Estimated ones are taken to be log-normal, which text lengths nearly are.

    Attributes:
        mean: tokens per row.
        spread: standard deviation divided by the mean.
        longest: tokens of the longest row.
    """

    mean: float
    spread: float
    longest: int

    @classmethod
    def estimate(cls, mean: float, spread: float, limit: int, rows: int) -> Lengths:
        """Estimates the lengths of rows with this mean and spread that are cut at a limit."""
        if spread <= 0:
            return cls(min(mean, limit), 0.0, min(math.ceil(mean), limit))
        sigma = math.sqrt(math.log1p(spread**2))
        centre = math.log(mean) - sigma**2 / 2
        at_limit = (math.log(limit) - centre) / sigma
        # The mean of min(X, limit) of a log-normal X.
        cut = mean * _NORMAL.cdf(at_limit - sigma) + limit * (1 - _NORMAL.cdf(at_limit))
        longest = math.exp(centre + sigma * _NORMAL.inv_cdf(rows / (rows + 1)))
        return cls(cut, spread, max(1, min(math.ceil(longest), limit)))

    def longest_of(self, rows: int) -> float:
        """Expected length of the longest of so many rows drawn at random."""
        if self.spread <= 0 or rows <= 1:
            return self.mean
        sigma = math.sqrt(math.log1p(self.spread**2))
        longest = math.exp(math.log(self.mean) - sigma**2 / 2 + sigma * _NORMAL.inv_cdf(rows / (rows + 1)))
        return max(self.mean, min(longest, self.longest))


@dataclass(frozen=True)
class SplitSize:
    """One split of a task in a model's tokens.

    Attributes:
        rows: examples.
        entries: rows of token ids: an example can have several.
    """

    rows: int
    entries: int
    source: Lengths
    target: Lengths

    @property
    def token_bytes(self) -> int:
        """Bytes of the token file: int32 ids, two offsets and a row number for each entry."""
        return round(self.entries * (4 * (self.source.mean + self.target.mean) + 3 * 4))

    def with_longer_sources(self, tokens: int) -> SplitSize:
        """The same split with further tokens in front of each source."""
        if not tokens:
            return self
        source = self.source
        mean = source.mean + tokens
        longer = Lengths(mean, source.spread * source.mean / mean, source.longest + tokens)
        return replace(self, source=longer)

    def of_rows(self, rows: int) -> SplitSize:
        """A split of so many rows that are like these."""
        return replace(self, rows=rows, entries=round(rows * self.entries / max(self.rows, 1)))

    def part(self, rows: int) -> SplitSize:
        """A part of the split: so many of its rows, drawn at random."""
        entries = round(self.entries * min(1.0, rows / max(self.rows, 1)))
        return SplitSize(min(rows, self.rows), max(entries, 1), self.source, self.target)


def mixed(parts: Sequence[tuple[SplitSize, float]]) -> SplitSize:
    """One split of rows of several tasks.

    Args:
        parts: the split of each task, and how many of its rows are taken (more than it has: some are repeated).
    """
    weights = [part.entries * rows / max(part.rows, 1) for part, rows in parts]
    entries = sum(weights) or 1.0

    def lengths(name: str) -> Lengths:
        each = [getattr(part, name) for part, _ in parts]
        mean = sum(weight * one.mean for weight, one in zip(weights, each, strict=True)) / entries
        square = (
            sum(weight * one.mean**2 * (1 + one.spread**2) for weight, one in zip(weights, each, strict=True)) / entries
        )
        spread = math.sqrt(max(square - mean**2, 0.0)) / mean if mean else 0.0
        return Lengths(mean, spread, max(one.longest for one in each))

    return SplitSize(round(sum(rows for _, rows in parts)), round(entries), lengths("source"), lengths("target"))


def counted(folder: Path, rows: dict[str, int]) -> dict[str, SplitSize] | None:
    """The sizes of a task's token files; None where one is missing or damaged, which the job that reads it says."""
    files = {split: folder / f"{split}.arrow" for split in SPLITS}
    if not all(file.is_file() for file in files.values()):
        return None
    import pyarrow
    import pyarrow.compute as compute

    sizes = {}
    for split, file in files.items():
        try:
            with pyarrow.memory_map(str(file)) as mapped, pyarrow.ipc.open_file(mapped) as reader:
                table = reader.read_all()
        except (OSError, pyarrow.ArrowException):
            return None
        found = []
        for name in ("input_ids", "labels"):
            lengths = compute.list_value_length(table.column(name))
            mean = compute.mean(lengths).as_py() or 0.0
            deviation = compute.stddev(lengths).as_py() or 0.0
            found.append(Lengths(mean, deviation / mean if mean else 0.0, compute.max(lengths).as_py() or 0))
        sizes[split] = SplitSize(rows.get(split, len(table)), len(table), *found)
    return sizes


def from_quantiles(stats: dict, limits: tuple[int, int]) -> dict[str, SplitSize] | None:
    """The sizes by the quantiles in a task's stats.json, which are of the lengths before any cut; None without them."""
    sizes = {}
    for split, one in stats["splits"].items():
        if any(not {"0.5", "0.9"} <= one.get(name, {}).keys() for name in ("source_length", "target_length")):
            return None
        found = []
        for name, limit in zip(("source_length", "target_length"), limits, strict=True):
            median, high = one[name]["0.5"], max(one[name]["0.9"], one[name]["0.5"])
            sigma = math.log(high / median) / _NORMAL.inv_cdf(0.9) if median else 0.0
            spread = math.sqrt(math.expm1(sigma**2))
            found.append(Lengths.estimate(median * math.exp(sigma**2 / 2), spread, limit, one["rows"]))
        sizes[split] = SplitSize(one["rows"], one["rows"], *found)
    return sizes
