"""The tables of a study's report, laid out from its tidy tables."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent
from tunegrid.common.words import listed
from tunegrid.report import layout
from tunegrid.report.layout import Column, ScoreLine, Table, TableCell, right
from tunegrid.report.links import link_to
from tunegrid.results.expected import Expected, ExpectedTask, Named
from tunegrid.results.statistics.collapses import RULE
from tunegrid.results.statistics.intervals import CONFIDENCE
from tunegrid.results.statistics.recommend import named
from tunegrid.tasks import Metric

Frames = dict[str, Any]  # the tidy tables of tables.py, by name
MODEL, METHOD = Column("Model"), Column("Method")


class Titles:
    """Titles of tasks, models, methods and baselines, by name."""

    def __init__(self, expected: Expected) -> None:
        self.tasks = {task.name: task.title for task in expected.tasks}
        self.models = {model.name: model.title for model in expected.models}
        self.methods = {method.name: method.title for method in expected.methods}
        self.baselines = {(task.name, named.name): named.title for task in expected.tasks for named in task.baselines}

    def cell(self, model: str, method: str, form: str | None = None) -> str:
        """The name of a cell, or of a form of its weights: T5 + LoRA, T5 + LoRA as int8."""
        return named(self.models[model], self.methods[method], None if absent(form) else form)

    def line(self, row: Any) -> tuple[str, str]:
        """The two leading cells of a row about an untuned model, a baseline or, as where it has no kind, a cell."""
        kind = getattr(row, "kind", "run")
        if kind == "baseline":
            return "Baseline", self.baselines[row.task, row.method]
        return self.models[row.model], "Untuned" if kind == "untuned" else self.methods[row.method]


def where(frame: Any, **values: Any) -> Any:
    """Rows of a tidy table with these values in these columns; None or NaN: those that have none there."""
    for column, value in values.items():
        frame = frame[frame[column].isna() if absent(value) else frame[column] == value]
    return frame


def cell_of(frame: Any, task: ExpectedTask, model: str, method: str) -> Any:
    """Rows of a tidy table for one cell."""
    return where(frame, task=task.name, model=model, method=method)


def per_cell(
    name: str,
    caption: str,
    columns: Iterable[Column],
    expected: Expected,
    line: Callable[[ExpectedTask, Named, Named], Sequence[str | TableCell] | None],
) -> Table:
    """A table with a line for each cell of the study, under a heading for each task.

    Args:
        columns: those behind the model and the method.
        line: what a cell's line holds behind the model, given task, model and method; None: the cell has no line.
    """
    groups = []
    for task in expected.tasks:
        lines = ((model.title, line(task, model, method)) for model, method in expected.grid(task))
        groups.append((task.title, [(title, *cells) for title, cells in lines if cells is not None]))
    return layout.grouped_table(name, caption, [MODEL, METHOD, *columns], groups)


def _by_model(rows: Any, expected: Expected) -> list[Any]:
    """Sorts rows for a table: baselines, then model by model, untuned before tuned."""
    order = {model.name: number for number, model in enumerate(expected.models)}
    return sorted(rows.itertuples(), key=lambda row: -1 if row.kind == "baseline" else order[row.model])


def scores(frames: Frames, expected: Expected, task: ExpectedTask) -> Table:
    """Table of a task's scores in the paper's form, with the trivial baselines and the untuned models as rows."""
    titles, cells = Titles(expected), frames["cells"]
    lines = []
    for row in _by_model(where(cells, task=task.name, metric=task.primary.name), expected):
        group, label = titles.line(row)
        same = where(cells, task=row.task, kind=row.kind, model=row.model, method=row.method)
        values = {name: mean for name, mean in zip(same["metric"], same["mean"], strict=True) if not absent(mean)}
        if row.status == "ok" and row.seeds_ok < row.seeds_expected:
            label += f" ({row.seeds_ok} of {row.seeds_expected} seeds)"
        lines.append(ScoreLine(group, label, values, row.status, row.kind == "run", link_to(row) if values else ""))
    if places := _ceilings(frames, expected, task):
        after = sum(line.group == "Baseline" for line in lines)
        lines[after:after] = places
    seeds = len(expected.seeds)
    mean = f"Means over {seeds} seeds. " if seeds > 1 else ""
    caption = f"{task.title}. {mean}Bold: the best tuned cell of a column."
    if places:
        caption += " Ceiling: the references themselves, as the vocabulary can write them."
    return layout.score_table(f"scores-{task.name}", caption, task.metrics, lines, _notes(frames, titles, task))


def _ceilings(frames: Frames, expected: Expected, task: ExpectedTask) -> list[ScoreLine]:
    """Lines of the ceilings of a task, models with the same printed scores on one; none where none was recorded."""
    models: dict[tuple[str, ...], list[str]] = {}
    values: dict[tuple[str, ...], dict[str, float]] = {}
    for model in expected.models:
        own = where(frames["ceilings"], task=task.name, model=model.name)
        scores = {name: score for name, score in zip(own["metric"], own["written"], strict=True) if not absent(score)}
        if scores:
            printed = tuple(metric.text(scores[metric.name]) for metric in task.metrics if metric.name in scores)
            models.setdefault(printed, []).append(model.title)
            values[printed] = scores
    if [len(titles) for titles in models.values()] == [len(expected.models)]:
        models = {key: ["All vocabularies"] for key in models}
    return [ScoreLine("Ceiling", listed(titles, 2), values[key], competes=False) for key, titles in models.items()]


def _notes(frames: Frames, titles: Titles, task: ExpectedTask) -> str:
    """What stands in for a baseline, and where a metric has no value, in sentences."""
    notes: dict[str, None] = {}
    without_value: dict[tuple[str, str], list[str]] = {}
    printed = {metric.name: metric for metric in task.metrics}
    for row in where(frames["cells"], task=task.name).itertuples():
        group, label = titles.line(row)
        if not absent(row.note):
            notes[f"{label}: {row.note}."] = None
        if not absent(row.undefined) and row.metric in printed:
            name = label if row.kind == "baseline" else f"{group} + {label}"
            without_value.setdefault((printed[row.metric].title, row.undefined), []).append(name)
    texts = [
        f"{metric} of {listed(names, 4)} has no value, and is given as 0: {reason}."
        for (metric, reason), names in without_value.items()
    ]
    return " ".join([*notes, *texts])


def intervals(frames: Frames, expected: Expected, task: ExpectedTask) -> Table:
    """Table of the primary metric of a task with intervals and differences to the trivial baseline."""
    titles, metric = Titles(expected), task.primary
    several = len(expected.seeds) > 1
    lines = _by_model(where(frames["cells"], task=task.name, metric=metric.name), expected)
    any_collapsed = any(not absent(row.collapsed) and row.collapsed for row in lines)
    rows = []
    for row in lines:
        score = row.status if absent(row.mean) else with_interval(metric, row.mean, row.ci_low, row.ci_high)
        spread = [number(metric, row.sd)] if several else []
        difference = with_interval(metric, row.difference, row.difference_low, row.difference_high, "+")
        seeds = [number(metric, row.median), _rate(row)] if any_collapsed else []
        best = digits.percent(row.probability_best, 0)
        rows.append((*titles.line(row), score, *spread, difference, best, *seeds))
    unit = ", %" if metric.percent else ""
    columns = [MODEL, METHOD, *right(f"{metric.title}{unit} [{CONFIDENCE} interval]")]
    columns += right("SD of seeds") if several else []
    columns += right(f"Difference [{CONFIDENCE} interval]", "Best")
    columns += right("Median", f"Collapsed [{CONFIDENCE} interval]") if any_collapsed else []
    trivial = titles.baselines.get((task.name, task.trivial or ""), "trivial baseline")
    caption = (
        f"{task.title}: {metric.title} with its interval, and the paired difference to the baseline “{trivial}”. Best: "
        "the probability that the cell's true score is the highest."
    )
    note = ""
    if any_collapsed:
        note = (
            f"{RULE} The mean, interval and tests of a cell with a collapsed seed mislead. The rate of collapse, with "
            "its interval, is of the seeds."
        )
    return layout.plain_table(f"intervals-{task.name}", caption, columns, rows, note)


def _rate(row: Any) -> str:
    """`1 of 3 [6, 79%]`: how many seeds of a cell collapsed, with the interval of the rate."""
    if absent(row.collapsed):
        return DASH
    ends = f"[{100 * row.collapse_rate_low:.0f}, {100 * row.collapse_rate_high:.0f}%]"
    return f"{row.collapsed:.0f} of {row.seeds_ok} {ends}"


def with_interval(metric: Metric, value: float, low: float, high: float, sign: str = "") -> str:
    """A score with its interval, where it has one: 0.3771 [0.3634, 0.3907]."""
    if absent(value):
        return DASH
    ends = "" if absent(low) else f" [{number(metric, low)}, {number(metric, high)}]"
    return number(metric, value, sign) + ends


def number(metric: Metric, value: float, sign: str = "", decimals: int = 1) -> str:
    """A score without its unit, with a minus sign that is as wide as a plus; a dash where it is missing."""
    return DASH if absent(value) else digits.bare_score(value, metric.percent, sign, decimals).replace("-", "−")


def decimal(value: float, sign: str = "") -> str:
    """A number that is no score of a task, with three decimals; a dash where it is missing."""
    return DASH if absent(value) else f"{value:{sign}.3f}".replace("-", "−")


def change(value: float, low: float, high: float) -> str:
    """A difference of such numbers with its interval, where it has one: +0.012 [−0.003, +0.027]."""
    ends = "" if absent(value) or absent(low) else f" [{decimal(low, '+')}, {decimal(high, '+')}]"
    return decimal(value, "+") + ends


def recommendation(frames: Frames, expected: Expected) -> Table:
    """Table of the recommended cell of each task, with what it may lose and the reason."""
    titles, rows = Titles(expected), []
    metrics = {task.name: task.primary for task in expected.tasks}
    for row in frames["recommendation"].itertuples():
        chosen = DASH if absent(row.model) else titles.cell(row.model, row.method, row.form)
        why = row.rationale + (f" Not compared: {row.left_out}." if row.left_out else "")
        is_best = (row.model, row.method, row.form) == (row.best_model, row.best_method, row.best_form)
        loss = with_interval(metrics[row.task], row.loss, row.loss_low, row.loss_high, "+")
        loss = "is the best" if is_best and not absent(row.model) else loss
        rows.append((titles.tasks[row.task], chosen, loss, why, digits.percent(row.stability, 0)))
    columns = [Column("Task", width=0.15), Column("Recommended set-up", width=0.16)]
    columns += [Column("Against the best", width=0.14), Column("Rationale", width=0.37)]
    columns += right("Stability")
    what = "candidate" if expected.recommend.compressed else "cell"
    caption = (
        "Recommended model and tuning method per task, by the rule above. Against the best: its score less that of the "
        f"best {what} compared, paired, with its {CONFIDENCE} interval."
    )
    return layout.plain_table("recommendation", caption, columns, rows)


def settings(frames: Frames, expected: Expected) -> Table:
    """Table of the settings of each cell, taken from its first run."""

    def line(task: ExpectedTask, model: Named, method: Named) -> tuple[str, ...]:
        used = cell_of(frames["settings"], task, model.name, method.name).drop_duplicates("setting")
        values = dict(zip(used["setting"], used["value"], strict=True))
        batch = values.get("training.batch_size")
        accumulated = values.get("training.gradient_accumulation_steps") or 1
        of_method = [
            f"{name.removeprefix('method.').replace('_', ' ')} {digits.setting(value)}"
            for name, value in values.items()
            if name.startswith("method.") and name != "method.kind" and not absent(value)
        ]
        return (
            method.title,
            digits.setting(values["training.learning_rate"]) if "training.learning_rate" in values else DASH,
            digits.count(cell_of(frames["costs"], task, model.name, method.name)["steps"].max()),
            DASH if batch is None else digits.setting(batch * accumulated),
            "; ".join(of_method) or DASH,
        )

    columns = [*right("Learning rate", "Steps", "Batch"), Column("The method's own settings", width=0.36)]
    caption = "Settings of each cell. Batch: examples per optimiser step. All others are in settings.csv."
    if expected.search:
        caption += " Learning rates are those that the search chose."
    return per_cell("settings", caption, columns, expected, line)
