"""The report's section on what holds over tasks: main effects of methods and models, scores of all tasks together."""

from typing import Any

from tunegrid.common.digits import DASH, absent, bare_score
from tunegrid.common.words import listed, number_word, plural
from tunegrid.report import layout
from tunegrid.report.layout import Column, Figure, Section, Table, right
from tunegrid.report.tables import METHOD, MODEL, Frames, Titles, where
from tunegrid.results.expected import Expected
from tunegrid.results.statistics.intervals import CONFIDENCE
from tunegrid.results.tables.effects import METHODS, MODELS

FEW_TASKS = 8  # below which the middle half of the runs is of one or two tasks
MOST_PAIRS = 6  # for which the report prints the tasks one by one
DISAGREE = "†"  # after a pair


def section(frames: Frames, expected: Expected, figures: tuple[Figure, ...] = ()) -> Section | None:
    """The section; None where there are neither two methods or models to compare, nor scores of several tasks."""
    compared = tuple(filter(None, (_table(frames, expected, kind) for kind in (METHODS, MODELS))))
    together = _over_tasks(frames, expected)
    if not compared and together is None:
        return None
    texts = ([_on_effects(frames, expected)] if compared else []) + ([_on_tasks(frames)] if together else [])
    return Section("Methods and models on the whole", tuple(texts), (*compared, *filter(None, [together])), figures)


def _on_effects(frames: Frames, expected: Expected) -> str:
    several = (frames["effects"]["about"] == "methods").all()
    return (
        "What a method gains over another on the whole, and a model over another: the mean of their paired differences "
        "within a task, over the models (or methods) that have a cell of both, then over the tasks, each with the same "
        "weight. A point is a hundredth of a task's primary metric, whatever that is. The intervals hold the noise of "
        + ("the test rows and of the seeds" if several else "the test rows alone, for there is one seed per cell")
        + f". They are about these {plural(len(expected.tasks), 'task')}, {plural(len(expected.models), 'model')} and "
        f"{plural(len(expected.methods), 'method')}, at the settings of this study, and say nothing of how the "
        "difference would be on another task: it may be another in each. The range of single cells shows how far "
        "it is from being the same everywhere."
    )


def _on_tasks(frames: Frames) -> str:
    tasks = int(frames["over_tasks"]["tasks"].max())
    few = (
        f" With {number_word(tasks)} tasks that is mostly what it does on the task in the middle, and says little of "
        "tasks in general."
        if tasks < FEW_TASKS
        else ""
    )
    return (
        "Tasks together: the score of each run on a scale on which the task's trivial baseline is 0 and a perfect "
        "score 1. How far apart 0 and 1 are for a learner differs between tasks, so that these numbers compare models "
        "and methods of this study and nothing else. The interquartile mean (IQM) of a model and method is the mean "
        "of the middle half of its runs in all tasks, which a single very good or bad run moves less than the mean."
        + few
    )


def _over_tasks(frames: Frames, expected: Expected) -> Table | None:
    frame, titles = frames["over_tasks"], Titles(expected)
    if not len(frame):
        return None
    rows = [
        (
            *titles.line(row),
            f"{row.runs:.0f}",
            f"{_points(row.iqm)} [{_points(row.iqm_low)}, {_points(row.iqm_high)}]",
            f"{_points(row.mean)} [{_points(row.mean_low)}, {_points(row.mean_high)}]",
        )
        for row in frame.itertuples()
    ]
    columns = [MODEL, METHOD, *right("Runs", f"IQM [{CONFIDENCE} interval]", f"Mean [{CONFIDENCE} interval]")]
    about = "seeds and test rows" if (frame["about"] == "methods").all() else "test rows alone"
    caption = (
        f"All {plural(int(frame['tasks'].max()), 'task')} together: interquartile mean and mean of the normalised "
        "scores of all runs, 0 for the trivial baselines and 100 for perfect scores. Intervals: of a bootstrap of "
        f"{about}, within tasks; one by one, not of differences."
    )
    collapsed = int(frame["collapsed"].sum())
    note = f"Collapsed runs count as they are: {collapsed}." if collapsed else ""
    return layout.plain_table("over-tasks", caption, columns, rows, note)


def _table(frames: Frames, expected: Expected, kind: str) -> Table | None:
    effects, titles = where(frames["effects"], kind=kind), Titles(expected)
    if not len(effects):
        return None
    named = titles.methods if kind == METHODS else titles.models
    groups: dict[str, list[tuple[str, ...]]] = {}
    overall, apart = where(effects, task=None), _disagreements(effects, titles)
    if many := len(overall) > MOST_PAIRS:  # a line for each pair, all of the first one together
        heads = [Column("Less"), *right("Tasks")]
        for row in overall.itertuples():
            mark = f" {DISAGREE}" if (row.first, row.second) in apart else ""
            cells = (named[row.second] + mark, f"{row.tasks:.0f}", *_cells(row))
            groups.setdefault(named[row.first], []).append(cells)
    else:
        heads = [Column("Where")]
        for row in effects.itertuples():
            together = "This task" if row.tasks == 1 else f"All {plural(int(row.tasks), 'task')}"
            place = together if absent(row.task) else titles.tasks[row.task]
            groups.setdefault(f"{named[row.first]} less {named[row.second]}", []).append((place, *_cells(row)))
    heads += right(f"Difference, points [{CONFIDENCE} interval]", "p (Holm)", "Cells ahead", "Range of cells")
    over = "models and tasks" if kind == METHODS else "methods and tasks"
    caption = (
        f"{'Methods' if kind == METHODS else 'Models'} against one another, over {over}. p: of the difference over all "
        f"tasks, with Holm's correction over the {plural(len(overall), 'pair')}. Cells ahead: pairs of cells with the "
        f"same {'model' if kind == METHODS else 'method'} in which the first scores higher. Range: their lowest and "
        "highest difference."
    )
    if many and apart:
        sentences = [
            f"{DISAGREE} Tasks disagree, beyond their intervals, so that the mean over tasks describes none of them."
        ]
    else:
        sentences = [
            f"{named[first]} less {named[second]}: tasks disagree, beyond their intervals ({listed(above)}: above "
            f"0; {listed(below)}: below), so that the mean over the tasks describes none of them."
            for (first, second), (above, below) in apart.items()
        ]
    if left_out := int(overall["left_out_blocks"].sum()):
        sentences.append(
            f"Left out, for a seed of one of the two cells collapsed: {plural(left_out, 'pair')} of cells."
        )
    return layout.grouped_table(f"effects-{kind}s", caption, heads, groups.items(), " ".join(sentences))


def _disagreements(effects: Any, titles: Titles) -> dict[tuple[str, str], tuple[list[str], list[str]]]:
    """Pairs of which one task says the opposite of another: the tasks whose interval is above 0, and those below."""
    pairs = {}
    for pair, rows in effects.dropna(subset=["task"]).groupby(["first", "second"], sort=False):
        above, below = rows[rows["ci_low"] > 0], rows[rows["ci_high"] < 0]
        if len(above) and len(below):
            pairs[pair] = tuple([titles.tasks[name] for name in side["task"]] for side in (above, below))
    return pairs


def _cells(row: Any) -> tuple[str, ...]:
    ends = "" if absent(row.ci_low) else f" [{_points(row.ci_low)}, {_points(row.ci_high)}]"
    return (
        f"{_points(row.difference, '+')}{ends}",
        DASH if absent(row.p_holm) else "<.001" if row.p_holm < 0.001 else f"{row.p_holm:.3f}",
        f"{row.blocks_ahead:.0f} of {row.blocks:.0f}",
        f"{_points(row.lowest, '+')} to {_points(row.highest, '+')}",
    )


def _points(value: float, sign: str = "") -> str:
    return bare_score(value, True, sign).replace("-", "−")
