"""How cost grows with training examples, source tokens and cells: a table, a CSV and a figure.

Usage: python benchmarks/growth.py [--parts examples tokens cells] [--mini-results FOLDER] [--output FOLDER]

| part | what grows | the rest |
| --- | --- | --- |
| examples | training examples: 1, 4, 16 times 32 | T5-small's configuration, translation, one epoch in batches of 16 |
| tokens | source tokens of an example: 64 to 512 | the same, 32 examples in batches of 4, one label word as target |
| cells | cells of the mini study: 1, 3, 9, 27 | its data, models and token ids are there: from training to report |

Each measurement is a process of its own. Slopes are those of a line through the logarithms: 1 is in proportion.
"""

import argparse
import csv
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from peers import measure, whole_study, work

TITLES = {"examples": "training examples", "tokens": "source tokens per example", "cells": "cells of the study"}
EXAMPLES, TOKENS = (32, 128, 512), (64, 128, 256, 512)
CELLS = {
    1: {"tasks": ["qa"], "models": ["t5"], "methods": ["full"]},
    3: {"tasks": ["qa"], "models": ["t5"], "methods": ["full", "lora", "adapters"]},
    9: {"tasks": ["qa"], "models": ["t5", "bart", "flan-t5"], "methods": ["full", "lora", "adapters"]},
    27: {},
}
MADE_BEFORE = ("data", "models", "tokens")


def main() -> None:
    options = parser().parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory(prefix="tunegrid-growth-") as folder:
        for part in options.parts:
            for row in {"examples": examples, "tokens": tokens, "cells": cells}[part](Path(folder), options):
                rows.append({"part": part, **row})
                print(row, file=sys.stderr, flush=True)
    with (options.output / "growth.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["part", "method", "size", "seconds", "peak_bytes", "disk_bytes"])
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, options.output / "growth.svg")
    print(table(rows))


def parser() -> argparse.ArgumentParser:
    one = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    one.add_argument("--parts", nargs="+", choices=TITLES, default=tuple(TITLES))
    one.add_argument("--methods", nargs="+", choices=tuple(work.METHODS), default=("full", "lora"))
    one.add_argument("--threads", type=int, default=2)
    one.add_argument("--checkpoints", type=Path, default=Path("results/bench/checkpoints"), help="made where missing")
    one.add_argument("--mini-results", type=Path, default=Path("results/mini"), help="of a finished mini study")
    one.add_argument("--output", type=Path, default=Path("results/bench"))
    return one


def examples(folder: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for count in EXAMPLES:
        settings = {"rows": count, "test_rows": 2, "batch": 16, "threads": options.threads}
        yield from trained(folder / f"examples-{count}", options, "translation", count, settings)


def tokens(folder: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for length in TOKENS:
        settings = {"rows": 32, "test_rows": 2, "batch": 4, "threads": options.threads, "length": length}
        yield from trained(folder / f"tokens-{length}", options, "sentiment", length, settings)


def trained(
    folder: Path, options: argparse.Namespace, task: str, size: int, settings: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    one = work.real(folder, options.checkpoints.resolve(), task, "t5", **settings)
    for method in options.methods:
        measured = measure.train(one, method)
        yield {"method": method, "size": size, "seconds": measured.seconds, "peak_bytes": measured.peak_bytes}


def cells(folder: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for count, grid in CELLS.items():
        place, overlay = folder / f"cells-{count}", folder / f"cells-{count}.yaml"
        for part in MADE_BEFORE:
            shutil.copytree(options.mini_results / part, place / "results" / "mini" / part)
        overlay.write_text(work.yaml.safe_dump({"grid": grid}) if grid else "{}\n", encoding="utf-8")
        seconds = whole_study.run_study(place, overlay)
        made = sum(
            file.stat().st_size
            for part in ("runs", "untuned", "baselines", "tables", "report", "logs")
            for file in (place / "results" / "mini" / part).rglob("*")
            if file.is_file()
        )
        yield {"method": "", "size": count, "seconds": seconds, "disk_bytes": made}


def slope(rows: list[dict[str, Any]], name: str) -> float:
    """Of the least-squares line through the logarithms of size and cost."""
    import numpy as np

    sizes, costs = zip(*((row["size"], row[name]) for row in rows), strict=True)
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def lines(rows: list[dict[str, Any]], part: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(method, its rows), by size."""
    mine = [row for row in rows if row["part"] == part]
    for method in dict.fromkeys(row["method"] for row in mine):
        yield method, [row for row in mine if row["method"] == method]


def table(rows: list[dict[str, Any]]) -> str:
    """Everything as Markdown."""
    said = ["| what grows | method | size: seconds | slope | size: memory or disk, MiB | slope |", "| --- " * 6 + "|"]
    for part, title in TITLES.items():
        for method, mine in lines(rows, part):
            space = "disk_bytes" if part == "cells" else "peak_bytes"
            seconds = ", ".join(f"{row['size']}: {row['seconds']:.1f}" for row in mine)
            spaces = ", ".join(f"{row['size']}: {row[space] / 2**20:,.0f}" for row in mine)
            slopes = [f"{slope(mine, name):.2f}" for name in ("seconds", space)]
            said.append(f"| {title} | {method} | {seconds} | {slopes[0]} | {spaces} | {slopes[1]} |")
    return "\n".join(said)


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    """A column for each that grows; above seconds, below memory, or for cells what they take on the disk."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot, ticker

    parts = [part for part in TITLES if any(row["part"] == part for row in rows)]
    figure, axes = pyplot.subplots(2, len(parts), figsize=(3 * len(parts), 4.6), layout="constrained", squeeze=False)
    for column, part in enumerate(parts):
        space, title = ("disk_bytes", "disk, MiB") if part == "cells" else ("peak_bytes", "peak memory, MiB")
        for (method, mine), style in zip(lines(rows, part), ("o-", "s--", "^:"), strict=False):
            sizes = [row["size"] for row in mine]
            axes[0, column].loglog(sizes, [row["seconds"] for row in mine], style, label=method)
            axes[1, column].loglog(sizes, [row[space] / 2**20 for row in mine], style)
        axes[0, column].set_ylabel("seconds")
        axes[1, column].set(ylabel=title, xlabel=TITLES[part])
        for axis in axes[:, column]:
            axis.set_xticks(sizes, map(str, sizes))
            axis.minorticks_off()
            axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter("{x:,g}")
            axis.grid(alpha=0.3)
        if part != "cells":
            axes[0, column].legend(frameon=False)
    figure.savefig(file)


if __name__ == "__main__":
    main()
