"""Ratios of paired measurements, and the table of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import mean, median, stdev
from typing import Any

NUMBERS = ("times as fast [95 %]", "memory, script / ours", "tokens/s", "rows/s", "peak, GiB", "of the peak")
KEYS = ("part", "size", "precision", "task", "model", "method")


def ratio(pairs: Iterable[tuple[float, float]]) -> tuple[float, float, float]:
    """(median of other / own over the pairs, and the 95 % interval of their geometric mean; nan for a single pair).

    Ratios are compared on the logarithmic scale, where twice and half as fast are equally far from equal: Student's
    t over the logarithms of the pairs' ratios.
    """
    from scipy.stats import t

    logarithms = [math.log(other / own) for own, other in pairs]
    middle = math.exp(median(logarithms))
    if len(logarithms) < 2:
        return middle, math.nan, math.nan
    half = t.ppf(0.975, len(logarithms) - 1) * stdev(logarithms) / math.sqrt(len(logarithms))
    return middle, math.exp(mean(logarithms) - half), math.exp(mean(logarithms) + half)


def compared(measurements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per comparison of the script with TuneGrid: ratios of seconds and of peak memory, script over ours."""
    groups: dict[tuple, dict[str, dict[int, dict[str, Any]]]] = {}
    for row in measurements:
        key = tuple(row.get(name) for name in KEYS)
        groups.setdefault(key, {}).setdefault(row["side"], {})[row.get("repeat", 0)] = row
    rows = []
    for key, sides in groups.items():
        own = sides.pop("tunegrid", {})
        for side, others in sides.items():
            both = [(own[repeat], other) for repeat, other in others.items() if repeat in own]
            middle, low, high = ratio([(a["seconds"], b["seconds"]) for a, b in both])
            memory = median(b["peak_bytes"] / a["peak_bytes"] for a, b in both)  # 0: not known
            rows.append(
                dict(zip(KEYS, key, strict=True))
                | {"side": side, "pairs": len(both), "speed": middle, "low": low, "high": high, "memory": memory}
                | {"seconds": median(a["seconds"] for a, _ in both)}
                | {"tokens_per_second": median(a["tokens"] / a["seconds"] for a, _ in both)}
                | {"rows_per_second": median(a["rows"] / a["seconds"] for a, _ in both)}
                | {"peak_gib": median(a["peak_bytes"] for a, _ in both) / 2**30}
                | {"flops": median(a.get("flops", 0.0) / a["seconds"] for a, _ in both)}
            )
    return rows


def table(measurements: list[dict[str, Any]]) -> str:
    """Everything as Markdown."""
    timed = [row for row in measurements if row["part"] in ("training", "evaluation")]
    peaks: dict[str, float] = {}
    for row in measurements:
        if row["part"] == "peak":
            peaks[row["precision"]] = max(peaks.get(row["precision"], 0.0), row["gflops"] * 1e9)
    lines = []
    if timed:
        names = ("", "size", "task", "model", "method", "precision", "beside", *NUMBERS)
        lines += ["| " + " | ".join(names) + " |", "| --- " * 7 + "| ---: " * len(NUMBERS) + "|"]
        lines += [_line(row, peaks) for row in compared(timed)]
    for part in dict.fromkeys(row["part"] for row in measurements):
        rows = [row for row in measurements if row["part"] == part]
        if part not in ("training", "evaluation"):
            names = [name for name in dict.fromkeys(n for row in rows for n in row) if name != "part"]
            lines += ["", f"**{part}**", "", "| " + " | ".join(names) + " |", "| --- " * len(names) + "|"]
            lines += ["| " + " | ".join(_text(row.get(name)) for name in names) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _line(row: dict[str, Any], peaks: dict[str, float]) -> str:
    interval = "" if math.isnan(row["low"]) else f" [{row['low']:.2f}, {row['high']:.2f}]"
    words = [row[name] or "–" for name in ("part", "size", "task", "model", "method", "precision", "side")]
    tokens = f"{row['tokens_per_second']:,.0f}" if row["tokens_per_second"] else "–"
    numbers = [f"{row['speed']:.2f}{interval}", f"{row['memory']:.2f}" if row["memory"] else "–", tokens]
    known = row["flops"] and row["precision"] in peaks
    share = f"{row['flops'] / peaks[row['precision']]:.0%}" if known else "–"
    numbers += [f"{row['rows_per_second']:.1f}", f"{row['peak_gib']:.2f}", share]
    return "| " + " | ".join([*words, *numbers]) + " |"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return "" if value is None else str(value)
