"""The report as sections: what it says, and which table stands where. All of it follows from the tidy tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tunegrid.expected import Expected, ExpectedTask
from tunegrid.reporting import audit, layout, search, sources, tables
from tunegrid.reporting.figures import Figure
from tunegrid.reporting.layout import Section, Table, absent
from tunegrid.reporting.tables import Frames, Titles


@dataclass(frozen=True)
class Report:
    """A report before it is LaTeX or HTML."""

    title: str
    subtitle: str
    date: str
    abstract: tuple[str, ...]
    summary: tuple[str, ...]
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    epoch: int = 0  # seconds since 1970 of the newest result: the date in the PDF

    @property
    def tables(self) -> list[Table]:
        return [table for section in self.sections for table in section.tables]

    @property
    def figures(self) -> list[Figure]:
        return [figure for section in self.sections for figure in section.figures]


def study_report(
    frames: Frames, expected: Expected, unexpected: tuple[str, ...] = (), drawn: Mapping[str, Figure] | None = None
) -> Report:
    """The report of a study; `drawn`: the figures that were drawn for it, by name."""
    finished = _finished(frames)
    return Report(
        title=expected.title,
        subtitle=f"TuneGrid study “{expected.study}”",
        date=f"Results of {finished.day} {finished:%B %Y}" if finished else "No results yet",
        abstract=(expected.description, *expected.caveats),
        summary=tuple(_summary(frames, expected)),
        warnings=tuple(_warnings(frames, expected, unexpected)),
        sections=tuple(_sections(frames, expected, drawn or {})),
        epoch=int(finished.timestamp()) if finished else 0,
    )


def _finished(frames: Frames) -> datetime | None:
    times = []
    for text in frames["provenance"]["finished"].dropna():
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            continue
        if time.tzinfo is not None:
            times.append(time)
    return max(times, default=None)


def _summary(frames: Frames, expected: Expected) -> list[str]:
    """What came out, in sentences of page one."""
    titles, sentences = Titles(expected), []
    runs = frames["costs"]
    done = int((runs["status"] == "ok").sum())
    sentences.append(
        f"{done} of {len(runs)} runs have a result: {len(expected.tasks)} tasks, {len(expected.models)} models, "
        f"{_plural(len(expected.methods), 'tuning method')}, {_plural(len(expected.seeds), 'seed')}."
    )
    for row in frames["recommendation"].itertuples():
        task = next(task for task in expected.tasks if task.name == row.task)
        if absent(row.model):
            sentences.append(f"{task.title}: no cell has a result.")
            continue
        others = row.tied.count("; ")
        tie = f"tied with {_plural(others, 'other cell')}" if others else "separated from every other cell"
        if others and others + 1 == len(list(expected.grid(task))):
            tie = "no clear winner: nothing separates the cells, this is the cheapest"
        sentences.append(
            f"{task.title}: the rule recommends {titles.models[row.model]} + {titles.methods[row.method]} "
            f"({task.primary.word} {task.primary.short(row.score)}; {tie}).{_better_baseline(frames, task, titles)}"
        )
    return sentences


def _better_baseline(frames: Frames, task: ExpectedTask, titles: Titles) -> str:
    """A sentence where a baseline scores higher than every cell: no reader should have to find that in a table."""
    cells = frames["cells"]
    scores = cells[(cells["task"] == task.name) & cells["primary"].astype(bool) & cells["mean"].notna()]
    best = scores.loc[scores["mean"].astype(float).idxmax()]
    tuned = scores.loc[scores["kind"] != "baseline", "mean"].astype(float)
    if best["kind"] != "baseline" or (len(tuned) and tuned.max() >= best["mean"]):
        return ""
    title = titles.baselines[task.name, best["method"]]
    return f" The baseline “{title}” scores higher than every cell: {task.primary.short(best['mean'])}."


def _warnings(frames: Frames, expected: Expected, unexpected: tuple[str, ...]) -> list[str]:
    results, provenance = frames["results"], frames["provenance"]
    primary = results[results["primary"].astype(bool)]
    found = []
    missing = int((primary["status"] == "missing").sum())
    if missing:
        found.append(
            f"Incomplete: {_plural(missing, 'result')} of {len(primary)} missing; see the section on what is missing."
        )
    failed = int(primary["status"].isin(["failed", "diverged"]).sum())
    if failed:
        found.append(f"Not all went well: {_plural(failed, 'result')} failed or diverged; see the section on failures.")
    contradictions = int((frames["audit"]["severity"] == "error").sum())
    if contradictions:
        found.append(
            f"The audit finds {_plural(contradictions, 'contradiction')} in these numbers: they cannot be right as "
            "they stand; see the section on the audit."
        )
    codes = provenance["code_version"].nunique()
    if codes > 1:
        found.append(
            f"These results come from {codes} versions of TuneGrid's code. Where the difference matters, numbers "
            "cannot be compared; run the older ones again."
        )
    for task, rows in provenance.groupby("task"):
        if rows["data_fingerprint"].nunique() > 1:
            title = Titles(expected).tasks[task]
            found.append(f"{title}: results come from different data (their fingerprints differ); run them again.")
    found += _on_test_rows(frames, Titles(expected))
    if unexpected:
        found.append(
            f"{_plural(len(unexpected), 'run')} in the results folder, but not in this study's configuration, not "
            f"shown: {', '.join(unexpected[:3])}{', …' if len(unexpected) > 3 else ''}."
        )
    return found + search.warnings(frames, expected)


def _on_test_rows(frames: Frames, titles: Titles) -> list[str]:
    """What a reader has to know about the test rows before believing a score."""
    found = []
    for row in frames["data"].query("split == 'test'").itertuples():
        title, size = titles.tasks[row.task], layout.count(row.rows)
        words = {
            "test_rows_seen_in_training": f"of {size} test rows occur among the training rows as well.",
            "test_contexts_seen_in_training": f"of {size} test questions are about a context that training questions "
            "are about too.",
            "unusable_rows": "test rows of the source could not be used and were left out.",
        }
        counts = {name: getattr(row, name) for name in words}
        found += [f"{title}: {n:,.0f} {words[name]}" for name, n in counts.items() if not absent(n) and n > 0]
    return found


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _sections(frames: Frames, expected: Expected, drawn: Mapping[str, Figure]) -> list[Section]:

    def figures(*names: str) -> tuple[Figure, ...]:
        return tuple(drawn[name] for name in names if name in drawn)

    tasks = expected.tasks
    scored = frames["results"][frames["results"]["status"] == "ok"].dropna(subset=["examples"])
    sizes = {row.task: row.examples for row in scored.itertuples()}
    tested = "; ".join(f"{task.title}: {sizes[task.name]:,.0f}" for task in tasks if task.name in sizes)
    sections = [
        Section(
            "Scores",
            (
                "Scores on the test sets, in the form of the paper's Tables 6.1 to 6.3. Rows without a tuned model are "
                "for orientation: baselines that need no pretrained model, and the models as they were before tuning."
                + (f" Test examples: {tested}." if tested else ""),
            ),
            tuple(tables.scores(frames, expected, task) for task in tasks),
        ),
        Section(
            "Recommendation",
            (
                "The rule: all pairs of cells of a task are compared with a paired test (bootstrap over test examples"
                f"{' and seeds' if len(expected.seeds) > 1 else ''}, "
                "Holm's correction over all pairs, level 5%). The cells that nothing separates from the best are tied. "
                f"The cheapest of them is recommended. {expected.recommend.in_words()}. Stability is the share of "
                "bootstrap resamples in which the rule says the same.",
            ),
            (tables.recommendation(frames, expected),),
        ),
        Section(
            "How sure the scores are",
            (_on_intervals(expected),),
            tuple(tables.intervals(frames, expected, task) for task in tasks),
            figures("figure-scores"),
        ),
        Section("Cost", (_on_costs(),), (tables.costs(frames, expected),)),
        *([searched] if (searched := search.section(frames, expected)) else []),
        Section(
            "How it was run",
            (_on_runs(frames, expected),),
            (
                sources.versions(frames),
                sources.sources(frames, expected),
                tables.settings(frames, expected),
            ),
        ),
        audit.study_section(frames, expected),
    ]
    cuts = sources.cuts(frames, expected)
    sections.append(Section("What was cut", (_on_cuts(bool(cuts)),), cuts))
    failures = sources.not_ok(frames, expected, missing=False)
    if failures:
        text = "Failed and diverged runs are no part of any mean. A cell none of whose runs is left has no score."
        sections.append(Section("Failures", (text,), (failures,)))
    missing = sources.not_ok(frames, expected, missing=True)
    if missing:
        sections.append(Section("What is missing", ("The study's configuration asks for these as well.",), (missing,)))
    return sections


def _on_intervals(expected: Expected) -> str:
    grouped = any(task.grouped for task in expected.tasks)
    text = (
        "Intervals are 95% percentile intervals of a paired bootstrap: all results of a task are scored on the same "
        "resamples of its test set"
        + (", questions about one text being drawn together" if grouped else "")
        + "; BLEU is computed again on each resample. They hold the uncertainty of the choice of test examples"
    )
    if len(expected.seeds) > 1:
        return (
            text + " and of the seeds: each cell is shifted by draws of what other seeds would have added to its mean, "
            "from its own variance between seeds, moderated by that of the task's other cells."
        )
    return text + " alone. There is one seed per cell: how far another seed would have landed is not known."


def _on_costs() -> str:
    return (
        "Trainable parameters and the size of the saved weights belong to the method; seconds and memory belong to the "
        "machine that is named below as well, and compare only with one another."
    )


def _on_cuts(anything: bool) -> str:
    return (
        "Texts that are longer than the lengths of the study are cut, or read in windows. What a model never saw, it "
        "can neither learn nor answer."
    ) + ("" if anything else " Of the results that are there, nothing was cut.")


def _on_runs(frames: Frames, expected: Expected) -> str:
    costs: Any = frames["costs"]
    seconds = costs["optimisation_seconds"].astype(float).sum()
    seeds = ", ".join(str(seed) for seed in expected.seeds)
    return (
        f"{'Seed' if len(expected.seeds) == 1 else 'Seeds'}: {seeds}. All runs together took "
        f"{layout.seconds(seconds)} seconds of optimisation."
    )
