"""The report's tables about where the numbers come from: sources, licences, versions, what was cut, what is missing."""

from typing import Any

from tunegrid import layout
from tunegrid.expected import Expected
from tunegrid.layout import DASH, Column, Table, absent
from tunegrid.report_tables import Frames, Titles
from tunegrid.results import SPLITS


def sources(frames: Frames, expected: Expected) -> Table:
    """Data and models: where from, under which licence."""
    titles, rows = Titles(expected), []
    for task in expected.tasks:
        card = frames["data"][frames["data"]["task"] == task.name]
        sizes = " / ".join(layout.count(rows) for rows in card.set_index("split")["rows"].reindex(SPLITS))
        rows.append((titles.tasks[task.name], *_source(card.iloc[0]), sizes))
    for model in expected.models:
        card = frames["models"][frames["models"]["model"] == model.name].iloc[0]
        totals = frames["costs"].loc[frames["costs"]["model"] == model.name, "parameters_total"].astype(float)
        rows.append((model.title, *_source(card), f"{layout.count(totals.min())} parameters"))
    columns = [Column("Data or model", width=0.2), Column("Source", width=0.33), Column("Licence", width=0.14)]
    columns.append(Column("Rows (train / validation / test) or size", width=0.24))
    return layout.plain_table("sources", "Data and models: source, licence and size.", columns, rows)


def _source(card: Any) -> tuple[str, str]:
    source = "no card.json" if absent(card.source) else str(card.source)
    if not absent(card.commit):
        source += f", commit {str(card.commit)[:12]}"
    return source, "not stated" if absent(card.licence) else str(card.licence)


def cuts(frames: Frames, expected: Expected) -> Table:
    """What the models could not see, as counts of training / validation / test rows."""
    titles, groups, frame = Titles(expected), [], frames["cuts"]
    columns = {
        "sources_cut": "Sources cut",
        "targets_cut": "Targets cut",
        "answers_lost": "Answers lost",
        "unknown_tokens": "Unknown tokens",
    }
    for task in expected.tasks:
        rows = []
        for model in expected.models:
            stats = frame[(frame["task"] == task.name) & (frame["model"] == model.name)].set_index("split")
            counts = [" / ".join(layout.count(stats.loc[split, name]) for split in SPLITS) for name in columns]
            rows.append((titles.models[model.name], *counts))
        groups.append((task.title, rows))
    caption = (
        "Rows of the training / validation / test data whose source or target was longer than the model was given, and "
        "was cut; questions whose answer went with what was cut; tokens that the model's vocabulary does not have."
    )
    heads = (Column("Model"), *(Column(title, "right") for title in columns.values()))
    return layout.grouped_table("cuts", caption, heads, groups)


def versions(frames: Frames) -> Table:
    """Hardware and software of all results; where they differ, every value that occurs."""
    frame, rows = frames["provenance"], []
    fields = {
        "processor": "Processor",
        "accelerator": "Accelerator",
        "threads": "Threads per job",
        "precision": "Precision",
        "platform": "Platform",
        "python": "Python",
        "packages": "Packages",
        "code_version": "TuneGrid's code",
        "git_commit": "Git commit",
    }
    trained = frame[frame["stage"] == "train"]
    for name, title in fields.items():
        # Baselines compute without a model: what they lack says nothing about the study.
        values = (trained if name in ("accelerator", "precision") and len(trained) else frame)[name]
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
    """All packages of all results, each once per version."""
    return ", ".join(sorted({package for text in lists for package in text.split("; ") if package}))


def not_ok(frames: Frames, expected: Expected, missing: bool) -> Table | None:
    """The results that failed, or those that are missing; None where there are none."""
    titles, frame = Titles(expected), frames["results"]
    chosen = frame[(frame["status"] == "missing") == missing]
    chosen = chosen[(chosen["status"] != "ok") & chosen["primary"].astype(bool)]
    rows = [
        (
            titles.tasks[row.task],
            *titles.line(row),
            DASH if absent(row.seed) else f"{row.seed:.0f}",
            row.status,
            row.reason,
        )
        for row in chosen.itertuples()
    ]
    if not rows:
        return None
    columns = [Column("Task", width=0.2), Column("Model"), Column("Method"), Column("Seed", "right")]
    columns += [Column("Status"), Column("Reason", width=0.3)]
    name, caption = ("missing", "Results that are not there.") if missing else ("failures", "Results that failed.")
    return layout.plain_table(name, caption, columns, rows)
