"""The tables of a study's report, laid out from its tidy tables."""

from collections.abc import Iterator
from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent
from tunegrid.common.words import listed
from tunegrid.report import layout
from tunegrid.report.layout import Column, ScoreLine, Table
from tunegrid.report.links import link_to
from tunegrid.results.expected import Expected, ExpectedTask
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

    def candidate(self, model: str, method: str, form: str | None) -> str:
        """The name of a cell, or of a form of its weights, that may be recommended."""
        return named(self.models[model], self.methods[method], None if absent(form) else form)

    def line(self, row: Any) -> tuple[str, str]:
        """The two leading cells of a row about a cell, an untuned model or a baseline."""
        if row.kind == "baseline":
            return "Baseline", self.baselines[row.task, row.method]
        return self.models[row.model], "Untuned" if row.kind == "untuned" else self.methods[row.method]


def _rows(frame: Any, task: ExpectedTask, metric: str | None = None) -> Iterator[Any]:
    """Rows of a frame for a task, and for a metric if one is given."""
    chosen = frame[frame["task"] == task.name]
    if metric is not None:
        chosen = chosen[chosen["metric"] == metric]
    yield from chosen.itertuples()


def _by_model(rows: list[Any], expected: Expected) -> list[Any]:
    """Sorts rows for a table: baselines, then model by model, untuned before tuned."""
    order = {model.name: number for number, model in enumerate(expected.models)}
    return sorted(rows, key=lambda row: -1 if row.kind == "baseline" else order[row.model])


def scores(frames: Frames, expected: Expected, task: ExpectedTask) -> Table:
    """Table of a task's scores in the paper's form, with the trivial baselines and the untuned models as rows."""
    titles, cells = Titles(expected), frames["cells"]
    lines = []
    for row in _by_model(list(_rows(cells, task, task.primary.name)), expected):
        group, label = titles.line(row)
        same = cells[(cells["task"] == row.task) & (cells["kind"] == row.kind) & (cells["method"] == row.method)]
        same = same[same["model"].isna() if absent(row.model) else same["model"] == row.model]
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
    frame = frames["ceilings"]
    frame = frame[frame["task"] == task.name]
    models: dict[tuple[str, ...], list[str]] = {}
    values: dict[tuple[str, ...], dict[str, float]] = {}
    for model in expected.models:
        own = frame[frame["model"] == model.name]
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
    for row in _rows(frames["cells"], task):
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
    lines = _by_model(list(_rows(frames["cells"], task, metric.name)), expected)
    any_collapsed = any(not absent(row.collapsed) and row.collapsed for row in lines)
    rows = []
    for row in lines:
        score = row.status if absent(row.mean) else with_interval(metric, row.mean, row.ci_low, row.ci_high)
        spread = [DASH if absent(row.sd) else number(metric, row.sd)] if several else []
        difference = with_interval(metric, row.difference, row.difference_low, row.difference_high, "+")
        seeds = [DASH if absent(row.median) else number(metric, row.median), _rate(row)] if any_collapsed else []
        best = DASH if absent(row.probability_best) else digits.percent(row.probability_best, 0)
        rows.append((*titles.line(row), score, *spread, difference, best, *seeds))
    unit = ", %" if metric.percent else ""
    columns = [MODEL, METHOD, Column(f"{metric.title}{unit} [{CONFIDENCE} interval]", "right")]
    columns += [Column("SD of seeds", "right")] if several else []
    columns += [Column(f"Difference [{CONFIDENCE} interval]", "right"), Column("Best", "right")]
    columns += (
        [Column("Median", "right"), Column(f"Collapsed [{CONFIDENCE} interval]", "right")] if any_collapsed else []
    )
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
    """A score without its unit, with a minus sign that is as wide as a plus."""
    return digits.bare_score(value, metric.percent, sign, decimals).replace("-", "−")


def recommendation(frames: Frames, expected: Expected) -> Table:
    """Table of the recommended cell of each task, with what it may lose and the reason."""
    titles, rows = Titles(expected), []
    metrics = {task.name: task.primary for task in expected.tasks}
    for row in frames["recommendation"].itertuples():
        chosen = DASH if absent(row.model) else titles.candidate(row.model, row.method, row.form)
        why = row.rationale + (f" Not compared: {row.left_out}." if row.left_out else "")
        is_best = (row.model, row.method, row.form) == (row.best_model, row.best_method, row.best_form)
        loss = with_interval(metrics[row.task], row.loss, row.loss_low, row.loss_high, "+")
        loss = "is the best" if is_best and not absent(row.model) else loss
        rows.append((titles.tasks[row.task], chosen, loss, why, digits.percent(row.stability, 0)))
    columns = [Column("Task", width=0.15), Column("Recommended set-up", width=0.16)]
    columns += [Column("Against the best", width=0.14), Column("Rationale", width=0.37)]
    columns.append(Column("Stability", "right"))
    what = "candidate" if expected.recommend.compressed else "cell"
    caption = (
        "Recommended model and tuning method per task, by the rule above. Against the best: its score less that of the "
        f"best {what} compared, paired, with its {CONFIDENCE} interval."
    )
    return layout.plain_table("recommendation", caption, columns, rows)


def cell_of(frame: Any, task: ExpectedTask, model: str, method: str) -> Any:
    """Rows of a tidy table for one cell."""
    return frame[(frame["task"] == task.name) & (frame["model"] == model) & (frame["method"] == method)]


def settings(frames: Frames, expected: Expected) -> Table:
    """Table of the settings of each cell, taken from its first run."""
    titles, groups = Titles(expected), []
    for task in expected.tasks:
        rows = []
        for model, method in expected.grid(task):
            used = cell_of(frames["settings"], task, model.name, method.name).drop_duplicates("setting")
            values = dict(zip(used["setting"], used["value"], strict=True))
            steps = cell_of(frames["costs"], task, model.name, method.name)["steps"].dropna()
            batch = values.get("training.batch_size")
            accumulated = values.get("training.gradient_accumulation_steps") or 1
            of_method = [
                f"{name.removeprefix('method.').replace('_', ' ')} {digits.setting(value)}"
                for name, value in values.items()
                if name.startswith("method.") and name != "method.kind" and not absent(value)
            ]
            rows.append(
                (
                    titles.models[model.name],
                    titles.methods[method.name],
                    digits.setting(values["training.learning_rate"]) if "training.learning_rate" in values else DASH,
                    digits.count(steps.max()) if len(steps) else DASH,
                    DASH if batch is None else digits.setting(batch * accumulated),
                    "; ".join(of_method) or DASH,
                )
            )
        groups.append((task.title, rows))
    columns = [MODEL, METHOD, Column("Learning rate", "right"), Column("Steps", "right"), Column("Batch", "right")]
    columns.append(Column("The method's own settings", width=0.36))
    caption = "Settings of each cell. Batch: examples per optimiser step. All others are in settings.csv."
    if expected.search:
        caption += " Learning rates are those that the search chose."
    return layout.grouped_table("settings", caption, columns, groups)
