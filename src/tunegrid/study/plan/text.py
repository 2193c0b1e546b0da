"""A plan as text in 120 columns, and as CSV."""

from __future__ import annotations

import csv
import textwrap
from dataclasses import asdict
from pathlib import Path

from tunegrid.common.digits import DASH, binary_size, rough_duration
from tunegrid.common.files import written
from tunegrid.runtime import gpus
from tunegrid.runtime.device_models import device
from tunegrid.study.plan.cells import CellPlan
from tunegrid.study.plan.plan import StudyPlan, Sum, plan
from tunegrid.study.study import Study

WIDTH = 120
HEADS = ("cell", "params", "trainable", "modules", "tokens", "FLOPs", "memory", "train", "predict", "saved")


def print_plan(study: Study, name: str | None, table: Path | None) -> None:
    """Prints the plan for a device (none: what the study runs on); also writes it as CSV, if asked to."""
    hardware = study.hardware
    name = name or (study.resources.gpu if hardware.device == "cuda" else "cpu")
    planned = device(name, hardware.threads, hardware.precision)
    here = planned.is_gpu == (hardware.device == "cuda")  # the plan's device may be one that this machine has
    found = plan(study, planned, gpus.jobs_at_once(study.hardware) if here else 1)
    print(plan_text(found))
    if table:
        write_csv(found, table)


def plan_text(plan: StudyPlan) -> str:
    """The table of cells, one run each; the sums over cells and seeds; what they rest on."""
    study = plan.study
    title = f"{study.title} ({study.name}) on {plan.device.title}: {len(plan.cells)} cells x {len(study.seeds)} seeds"
    rows = [_row(str(cell), one) for cell, one in plan.cells]
    widths = [max(len(row[i]) for row in [HEADS, *rows]) for i in range(len(HEADS))]
    widths[0] = min(widths[0], WIDTH - 2 - sum(widths[1:]) - 2 * len(widths[1:]))  # names can have any length
    lines = [*textwrap.wrap(title, WIDTH), "", "Each run (an estimate):"]
    lines += [_line(row, widths) for row in [HEADS, *rows]]
    lines += ["", f"All {plan.total.jobs} jobs:"]
    lines += [f"  {name:20}  {_sum(one)}" for name, one in plan.sums.items()]
    lines.append(f"  {'together':20}  {_sum(plan.total, jobs=False)} of one {plan.device.name.upper()}")
    if plan.at_once > 1:
        each = "GPU" if plan.device.is_gpu else f"{study.hardware.threads} core(s)"
        time = rough_duration(plan.total.seconds / plan.at_once)
        lines.append(f"  {'on this machine':20}  {time} with {plan.at_once} jobs at once, one for each {each}")
    lines.append(f"  {'training FLOPs':20}  {_exponent(plan.flops)}")
    needs = ", ".join(f"{kind} {binary_size(size)}" for kind, size in plan.disk.needs.items() if size >= 2**10)
    lines += _wrapped(f"disk {binary_size(sum(plan.disk.needs.values()))}: {needs}")
    for name, texts in (("Look at this:", plan.warnings), ("What this rests on:", plan.basis)):
        if texts:
            lines += ["", name]
            for text in texts:
                lines += _wrapped(text)
    return "\n".join(lines)


def write_csv(plan: StudyPlan, path: Path) -> None:
    """One row per cell, in plain units: parameters, tokens, FLOPs, bytes, seconds. Unknown: empty."""
    with written(path) as file:
        names = [name for name in CellPlan.__dataclass_fields__ if name != "cell"]
        writer = csv.DictWriter(file, ["device", "task", "model", "method", "seeds", *names])
        writer.writeheader()
        for cell, one in plan.cells:
            values = {key: value for key, value in asdict(one).items() if key != "cell"} if one else {}
            seeds = len(plan.study.seeds)
            writer.writerow({"device": plan.device.name, **asdict(cell), "seeds": seeds, **values})


def _row(cell: str, one: CellPlan | None) -> tuple[str, ...]:
    if one is None:
        return (cell, *[DASH] * (len(HEADS) - 1))
    return (
        cell,
        _short(one.parameters),
        _short(one.trainable),
        str(one.modules),
        _short(one.tokens),
        _exponent(one.flops),
        binary_size(max(one.memory, one.prediction_memory)),
        rough_duration(one.training_seconds + one.validation_seconds),
        rough_duration(one.evaluation_seconds),
        binary_size(one.saved_bytes),
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    first, *others = row
    if len(first) > widths[0]:
        first = first[: widths[0] - 1] + "…"
    cells = [f"  {text:>{width}}" for text, width in zip(others, widths[1:], strict=True)]
    return f"  {first:{widths[0]}}" + "".join(cells)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _sum(one: Sum, jobs: bool = True) -> str:
    text = rough_duration(one.seconds)
    if one.fast is not None and one.slow is not None:
        text += f" ({rough_duration(one.fast)} to {rough_duration(one.slow)})"
    return text + (f", {one.jobs} jobs" if jobs and one.jobs else "")


def _short(number: float) -> str:
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}" if number < 100 * size else f"{number / size:.1f}{unit}"
    return f"{number:.0f}"


def _exponent(number: float) -> str:
    return f"{number:.1e}".replace("e+", "e")
