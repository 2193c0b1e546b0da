"""The report's tables about where the numbers come from: sources, licences, versions, what was cut, what is missing."""

from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent
from tunegrid.report import layout
from tunegrid.report.layout import Column, Table, right
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles, cell_of, where
from tunegrid.results.expected import Expected, ExpectedTask, Named
from tunegrid.results.read import SPLITS


def sources(frames: Frames, expected: Expected) -> Table:
    """Table of data and models with their sources, licences and sizes."""
    rows = []
    for task in expected.tasks:
        splits = where(frames["data"], task=task.name).set_index("split")
        sizes = " / ".join(digits.count(rows) for rows in splits["rows"].reindex(SPLITS))
        rows.append((task.title, *_source(splits.iloc[0]), sizes + _row_remarks(splits)))
    for model in expected.models:
        source = where(frames["models"], model=model.name).iloc[0]
        total = where(frames["costs"], model=model.name)["parameters_total"].min()
        rows.append((model.title, *_source(source), f"{digits.count(total)} parameters"))
    columns = [Column("Data or model", width=0.2), Column("Source", width=0.33), Column("Licence", width=0.14)]
    columns.append(Column("Rows (train / validation / test) or size", width=0.24))
    return layout.plain_table("sources", "Data and models: source, licence and size.", columns, rows)


def _row_remarks(splits: Any) -> str:
    """Remarks on subsets, on rows that were left out and on splits that are not the source's, for a task's splits."""
    remarks = ["splits by row (published protocol)"] if (splits["protocol"] == "published").any() else []
    if (splits["rows_available"] > splits["rows"]).any():
        available = " / ".join(digits.count(rows) for rows in splits["rows_available"].reindex(SPLITS))
        remarks.append(f"taken from {available}")
    if skipped := splits["unusable_rows"].sum():
        remarks.append(f"{digits.count(skipped)} unusable rows of the source left out")
    return "".join(f"; {remark}" for remark in remarks)


def _source(row: Any) -> tuple[str, str]:
    """Source and licence in the words of the table, for a row of data.csv or models.csv."""
    source = "no card.json" if absent(row.source) else row.source
    if not absent(row.commit):
        source += f", commit {row.commit[:12]}"
    return source, "not stated" if absent(row.licence) else row.licence


CUT = {
    "sources_cut": "Sources cut",
    "targets_cut": "Targets cut",
    "answers_lost": "Answers lost",
    "unknown_tokens": "Unknown tokens",
    "special_tokens_as_text": "Special tokens as text",
}
IN_WINDOWS = {
    "rows_with_windows": "Rows in windows",
    "windows": "Windows",
    "windows_without_answer": "Without answer",
    "windows_abstaining": "Taught to abstain",
}


MOST_COLUMNS = 6  # of methods


def cuts(frames: Frames, expected: Expected) -> tuple[Table, ...]:
    """Tables of truncated texts, stride windows and unfinished predictions; a table of zeros is left out."""
    of_rows = (
        "Rows of the training / validation / test data whose source or target was longer than the model was given, and "
        "was cut; rows whose answer is not whole in what was kept; tokens that the model's vocabulary does not have; "
        "rows that name a special token of the model (</s>), which were read as text. Columns of zeros are left out."
    )
    of_windows = (
        "Rows of the training / validation / test data that were read in overlapping windows, because they were longer "
        "than the model was given; windows without a whole answer, which are no part of training or of the validation "
        "loss unless they are taught to be answered with nothing. All windows of a test row are predicted on."
    )
    tables = (
        _counts("cuts", of_rows, CUT, frames, expected),
        _counts("windows", of_windows, IN_WINDOWS, frames, expected),
        _unfinished(frames, expected),
    )
    return tuple(table for table in tables if table.rows)


def _counts(name: str, caption: str, columns: dict[str, str], frames: Frames, expected: Expected) -> Table:
    """Table of counts in the three splits by task and model, without columns of zeros and tasks with nothing else."""
    groups, frame = [], frames["cuts"]
    shown = {column: title for column, title in columns.items() if (frame[column].fillna(0) != 0).any()}
    for task in expected.tasks if shown else ():
        of_task = where(frame, task=task.name)
        if not (of_task[list(shown)].fillna(0) != 0).any(axis=None):
            continue
        rows = []
        for model in expected.models:
            stats = where(of_task, model=model.name).set_index("split")
            counts = [" / ".join(digits.count(stats.loc[split, column]) for split in SPLITS) for column in shown]
            rows.append((model.title, *counts))
        groups.append((task.title, rows))
    return layout.grouped_table(name, caption, [MODEL, *right(*shown.values())], groups)


def _unfinished(frames: Frames, expected: Expected) -> Table:
    """Table of the test predictions that max_new_tokens ended, by model and method, for the tasks that have any.

    Its columns are the methods; where those are many, the tasks.
    """
    frame = where(frames["results"], primary=True)
    shown = [task for task in expected.tasks if where(frame, task=task.name)["predictions_cut"].sum() > 0]
    named = {"untuned": "Untuned"} | Titles(expected).methods

    def cell(task: ExpectedTask, model: Named, method: str) -> str:
        chosen = cell_of(frame, task, model.name, method).dropna(subset=["predictions_cut"])
        if not len(chosen):
            return DASH
        return f"{digits.count(chosen['predictions_cut'].sum())} of {digits.count(chosen['examples'].sum())}"

    caption = (
        "Predictions on the test data, all seeds together, that the model had not ended when they were as long as the "
        "task allows (max_new_tokens). Tasks without any are left out."
    )
    if len(named) > MOST_COLUMNS:
        rows = [
            (model.title, title, *(cell(task, model, method) for task in shown))
            for model in expected.models
            for method, title in named.items()
        ]
        heads = [MODEL, METHOD, *right(*(task.title for task in shown))]
        return layout.plain_table("unfinished", caption, heads, rows if shown else [])
    groups = [
        (task.title, [(model.title, *(cell(task, model, method) for method in named)) for model in expected.models])
        for task in shown
    ]
    return layout.grouped_table("unfinished", caption, [MODEL, *right(*named.values())], groups)


def versions(frames: Frames) -> Table:
    """Table of the hardware and software of all results, with every value that occurs."""
    frame, rows = frames["provenance"], []
    fields = {
        "processor": "Processor",
        "instruction_set": "Its instruction set",
        "accelerator": "Accelerator",
        "threads": "Threads per job",
        "precision": "Precision",
        "fp32_library": "Products of fp32 on a CPU",
        "platform": "Platform",
        "python": "Python",
        "packages": "Packages",
        "code_version": "TuneGrid's code",
        "git_commit": "Git commit",
    }
    trained = where(frame, stage="train")
    for name, title in fields.items():
        # Baselines compute without a model: what they lack says nothing about the study.
        of_models = name in ("instruction_set", "accelerator", "precision", "fp32_library")
        values = (trained if of_models and len(trained) else frame)[name]
        distinct = list(dict.fromkeys("none" if absent(value) else str(value) for value in values))
        if name in ("code_version", "git_commit"):
            distinct = [value[:12] for value in distinct]
        elif name == "packages":
            distinct = [_merged(distinct)]
        elif name == "threads":
            distinct = [value.removesuffix(".0") for value in distinct]
        rows.append((title, "; ".join(distinct) or DASH))
    columns = [Column("What", width=0.2), Column("Value", width=0.74)]
    return layout.plain_table("versions", "Hardware and software of these results.", columns, rows)


def _merged(lists: list[str]) -> str:
    """Packages of all results, each once per version."""
    return ", ".join(sorted({package for text in lists for package in text.split("; ") if package}))


def not_ok(frames: Frames, expected: Expected, missing: bool) -> Table | None:
    """Table of the failed results, or of the missing ones; None without any."""
    titles, frame = Titles(expected), where(frames["results"], primary=True)
    chosen = where(frame, status="missing") if missing else frame[~frame["status"].isin(["missing", "ok"])]
    if not len(chosen):
        return None
    rows = []
    for row in chosen.itertuples():
        seed = DASH if absent(row.seed) else f"{row.seed:.0f}"
        rows.append((titles.tasks[row.task], *titles.line(row), seed, row.status, row.reason))
    columns = [Column("Task", width=0.2), MODEL, METHOD, *right("Seed")]
    columns += [Column("Status"), Column("Reason", width=0.3)]
    name, caption = ("missing", "Results that are not there.") if missing else ("failures", "Results that failed.")
    return layout.plain_table(name, caption, columns, rows)
