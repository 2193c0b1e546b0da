"""The report's section on the runs' weights in other forms: what each costs in score, and what it saves."""

from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent
from tunegrid.common.words import listed
from tunegrid.report import layout
from tunegrid.report.layout import Column, Section, Table, right
from tunegrid.report.tables import Frames, Titles, where, with_interval
from tunegrid.results.expected import Expected, ExpectedTask
from tunegrid.results.statistics.intervals import CONFIDENCE


def section(frames: Frames, expected: Expected) -> Section | None:
    """The section; None where no run was evaluated in another form."""
    if not len(frames["forms"]):
        return None
    said = frames["forms"].dropna(subset=["saves"]).groupby("saves", sort=False)["form"]
    forms = " ".join(f"{listed(list(dict.fromkeys(names)))}: {saves}" for saves, names in said)
    text = (
        "The trained weights of each run that becomes a plain model, in other forms, evaluated on the same test rows "
        "by the same code. Nothing is trained after the change, except in forms named …-tuned, in which the weights "
        "that are left are tuned for a while (settings: recovery), and in students (distil-…), whose remaining layers "
        "are tuned on the run's training rows (settings: distillation). The difference is paired by "
        "row and seed; its interval holds the choice of the test rows, not that of the seeds. Speed and memory are of "
        f"this machine, beside those of the run itself, merged where it can be. {forms}"
    )
    return Section("Smaller forms of the weights", (text,), tuple(_tables(frames, expected)))


def _tables(frames: Frames, expected: Expected) -> list[Table]:
    titles, made = Titles(expected), []
    columns = [Column("Form"), *right(f"Difference [{CONFIDENCE} interval]", "Other answers", "Bytes", "Memory")]
    columns += right("Latency, ms", "Examples / s")
    tuned = bool(frames["forms"]["tuning_seconds"].notna().any())
    columns += right("Tuning, s") * tuned
    for task in expected.tasks:
        groups: dict[str, list[tuple[str, ...]]] = {}
        for row in where(frames["forms"], task=task.name).itertuples():
            cells = (row.form, *_cells(task, row)[: len(columns) - 1])
            groups.setdefault(titles.cell(row.model, row.method), []).append(cells)
        if groups:
            caption = (
                f"{task.title}: weights in other forms. Difference: in {task.primary.title}, to the run "
                "as it was trained. Bytes: of the weights, as a share of those of the plain model in fp32. Memory, "
                "latency and throughput: of the form, and of the run itself in brackets."
                + " Tuning: of the form's weights, a teacher's answers included."
                * tuned
            )
            made.append(layout.grouped_table(f"forms-{task.name}", caption, columns, groups.items()))
    return made


def _cells(task: ExpectedTask, row: Any) -> tuple[str, ...]:
    if row.status != "ok":
        return (f"{row.status}: {row.reason}", *[DASH] * 6)
    return (
        with_interval(task.primary, row.difference, row.difference_low, row.difference_high, "+"),
        f"{row.changed:,.0f} of {row.examples:,.0f}",
        digits.percent(row.saved_bytes / row.plain_bytes, 0),
        _beside(digits.binary_size, row.prediction_peak_memory_bytes, row.plain_peak_memory_bytes),
        _beside(digits.significant, 1000 * row.latency_seconds, 1000 * row.plain_latency_seconds),
        _beside(digits.significant, row.batch_examples_per_second, row.plain_batch_examples_per_second),
        digits.seconds(row.tuning_seconds),
    )


def _beside(words: Any, value: float, plain: float) -> str:
    return DASH if absent(value) else f"{words(value)} ({words(plain)})"
