"""Page one of a study's report: the best cells, how certain they are, their cost, and warnings."""

from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent, duration
from tunegrid.common.words import listed, plural
from tunegrid.report import detectable, layout, paper, preferences, search
from tunegrid.report.layout import Column, Table, right
from tunegrid.report.tables import Frames, Titles, cell_of, where, with_interval
from tunegrid.results.ceilings import ceiling_sentences
from tunegrid.results.expected import Expected, ExpectedTask
from tunegrid.results.statistics.intervals import CONFIDENCE

MANY = 0.2  # share of a cell's answers


def glance(frames: Frames, expected: Expected) -> Table | None:
    """Table of the best and the recommended cell of each task, with certainty and cost; None without results."""
    rows = [row for task in expected.tasks if (row := _of_task(frames, expected, task))]
    if not rows:
        return None
    columns = [Column("Task", width=0.14), Column(f"Best cell [{CONFIDENCE} interval]", width=0.23)]
    margin = expected.recommend.margin
    tied = "Tied with the best" if margin is None else f"Shown within {margin:g} of the best"
    columns += [Column("Recommended", width=0.23), Column(tied, width=0.1)]
    columns += [*right("Stability"), Column("Cost of the recommended", width=0.18)]
    caption = "What wins, how sure, and at what cost. The sections below say how each of these is found."
    note = ""  # with one seed, the first sentence of the page says what is not known
    if len(expected.seeds) > 1:
        note = (
            "Best cell: highest mean, partly luck; P: probability that it is the best. Stability: predicted share of "
            "fresh studies (other seeds and test rows, the same training data and settings) that recommend the same; "
            "rough. Seconds: ± SD of seeds."
        )
    return layout.plain_table("summary", caption, columns, rows, note)


def _of_task(frames: Frames, expected: Expected, task: ExpectedTask) -> tuple[str, ...] | None:
    cells = where(frames["cells"], task=task.name, primary=True, kind="run").dropna(subset=["mean"])
    if not len(cells):
        return None
    recommendation = frames["recommendation"].set_index("task").loc[task.name]
    best = cells.loc[cells["mean"].idxmax()]
    recommended = where(cells, model=recommendation.model, method=recommendation.method)
    first = _named(expected, task, best) + _truly_best(expected, best) + _collapse(task, best)
    if not len(recommended):
        return task.title, first, DASH, DASH, DASH, DASH
    chosen = recommended.iloc[0]
    same = (best["model"], best["method"], None) == tuple(recommendation[["model", "method", "form"]])
    ties, others = recommendation.tied.count("; "), len(cells) - 1
    named, cost = _named(expected, task, chosen), _cost(frames, task, chosen)
    if not absent(recommendation.form):
        named = Titles(expected).cell(recommendation.model, recommendation.method, recommendation.form)
        named += f": {task.primary.label} {task.primary.short(recommendation.score)}"
        cost += _form_cost(frames, task, recommendation)
    return (
        task.title,
        first,
        "the same" if same else named + _against_best(expected, task, recommendation, best),
        _tied(ties, None if expected.recommend.compressed else others, recommendation.about),
        digits.percent(recommendation.stability, 0),
        cost,
    )


def _tied(ties: int, others: int | None, about: str) -> str:
    """The size of the tied set; with one seed per cell it is one of runs, and page one does not print it.

    `others`: cells beside the best; None: forms of cells are candidates, too.
    """
    if about == "runs":
        return DASH
    if others is None:
        return plural(ties, "candidate") if ties else "none"
    return f"{ties} of {plural(others, 'other')}" if ties else "none"


def _truly_best(expected: Expected, cell: Any) -> str:
    """The probability that the best cell is that; "" with one seed, where it is about test rows alone."""
    if len(expected.seeds) == 1 or absent(cell["probability_best"]):
        return ""
    return f"; P\N{NO-BREAK SPACE}{digits.probability(cell['probability_best'])}"


def _collapse(task: ExpectedTask, cell: Any) -> str:
    """What its collapsed seeds say about a cell whose mean is printed; "" where none collapsed."""
    if absent(cell["collapsed"]) or not cell["collapsed"]:
        return ""
    if cell["seeds_ok"] == 1:
        return ". Its only seed collapsed"
    seeds, median = plural(int(cell["seeds_ok"]), "seed"), task.primary.short(cell["median"])
    return f". {cell['collapsed']:.0f} of {seeds} collapsed, the mean misleads: median {median}"


def _against_best(expected: Expected, task: ExpectedTask, recommendation: Any, best: Any) -> str:
    """The recommended cell's loss against the best cell that it was compared with, as the end of a table's cell."""
    compared = tuple(recommendation[["best_model", "best_method", "best_form"]])
    if absent(recommendation.loss) or compared == tuple(recommendation[["model", "method", "form"]]):
        return ""
    ends = recommendation.loss, recommendation.loss_low, recommendation.loss_high
    against = "the best"
    if (best["model"], best["method"], None) != compared:
        against = Titles(expected).cell(*compared)
    unit = " points" if task.primary.percent else ""
    return f"; {with_interval(task.primary, *ends, sign='+')}{unit} against {against}"


def _named(expected: Expected, task: ExpectedTask, cell: Any) -> str:
    ends = with_interval(task.primary, cell["mean"], cell["ci_low"], cell["ci_high"]).partition(" ")[2]
    name = Titles(expected).cell(cell["model"], cell["method"])
    return f"{name}: {task.primary.label} {task.primary.short(cell['mean'])} {ends}".rstrip()


def _cost(frames: Frames, task: ExpectedTask, cell: Any) -> str:
    runs = cell_of(frames["costs"], task, cell["model"], cell["method"])
    return (
        f"trains {digits.percent(runs['trainable_share'].mean())} of its parameters in "
        f"{_seconds(runs['optimisation_seconds'].dropna())}, saves {digits.binary_size(runs['saved_bytes'].mean())}"
    )


def _form_cost(frames: Frames, task: ExpectedTask, recommendation: Any) -> str:
    """Bytes and latency of the recommended form, as the end of a table's cell."""
    forms = cell_of(frames["forms"], task, recommendation.model, recommendation.method)
    form = where(forms, form=recommendation.form).iloc[0]
    latency = "" if absent(form.latency_seconds) else f", answers in {duration(form.latency_seconds)}"
    return f"; as {recommendation.form} {digits.binary_size(form.saved_bytes)}{latency}"


def _seconds(runs: Any) -> str:
    """The mean of the runs' seconds, with their standard deviation or, of one run, a word that it is one."""
    if not len(runs):
        return DASH
    if len(runs) == 1:
        return f"{duration(runs.iloc[0])} (one run)"
    return digits.duration_with_spread(runs.mean(), runs.std())


def sentences(frames: Frames, expected: Expected) -> list[str]:
    """Sentences for page one that its table does not contain."""
    titles, runs = Titles(expected), frames["costs"]
    done = len(where(runs, status="ok"))
    texts = _claims(expected)
    texts += [
        f"{done} of {len(runs)} runs have a result: {plural(len(expected.tasks), 'task')}, "
        f"{plural(len(expected.models), 'model')}, {plural(len(expected.methods), 'tuning method')}, "
        f"{plural(len(expected.seeds), 'seed')}."
    ]
    for row in frames["recommendation"].itertuples():
        task = next(task for task in expected.tasks if task.name == row.task)
        if absent(row.model):
            texts.append(f"{task.title}: no cell can be recommended. {row.rationale}")
            continue
        ties, forms = row.tied.count("; "), expected.recommend.compressed
        all_tied = row.rationale.startswith("No clear") if forms else ties + 1 == len(list(expected.grid(task)))
        if row.about == "methods" and ties and all_tied:
            margin = expected.recommend.margin
            alike = (
                f"Nothing separates the {'candidates' if forms else 'cells'}"
                if margin is None
                else f"All are shown to be within {margin:g} of the best"
            )
            doubt = ""
            if margin is None and row.loss_high < 0:
                doubt = ", though alone its interval against the best does not reach 0"
            texts.append(f"{task.title}: no clear winner. {alike}; the cheapest is recommended{doubt}.")
        texts += _better_baseline(frames, task, titles)
    return texts + detectable.summary(frames, expected) + paper.summary(frames, expected)


def _claims(expected: Expected) -> list[str]:
    """What one or two seeds per cell can tell, as the first sentence of page one; none from three on."""
    if len(expected.seeds) == 1:
        return [
            "One seed per cell: scores, intervals and tests are about these trained models, not about the methods. "
            "Another seed may change every order; no tied set and no stability are printed. Three seeds per cell would "
            "tell."
        ]
    if len(expected.seeds) == 2:
        return [
            "Two seeds per cell: how far seeds move a score is taken from all cells of a task together, for two runs "
            "tell next to nothing of it. A cell noisier than the others is less sure than its interval says, and "
            "many true differences are not seen. Three seeds per cell would tell more."
        ]
    return []


def _better_baseline(frames: Frames, task: ExpectedTask, titles: Titles) -> list[str]:
    """A sentence if the best baseline scores higher than some cells, so that no reader has to find that in a table."""
    scores = where(frames["cells"], task=task.name, primary=True).dropna(subset=["mean"])
    baselines, tuned = where(scores, kind="baseline"), where(scores, kind="run")
    if not len(baselines):
        return []
    best = baselines.loc[baselines["mean"].idxmax()]
    below = tuned[tuned["mean"] < best["mean"]]
    if not len(below):
        return []
    title, score = titles.baselines[task.name, best["method"]], task.primary.short(best["mean"])
    if len(below) < len(tuned):
        return [f"{task.title}: the baseline “{title}” ({score}) is above {len(below)} of {len(tuned)} cells."]
    return [f"{task.title}: the baseline “{title}” scores higher than every cell: {task.primary.label} {score}."]


def warnings(frames: Frames, expected: Expected) -> list[str]:
    """Warnings for page one; none for a complete study without contradictions."""
    provenance, primary = frames["provenance"], where(frames["results"], primary=True)
    texts = []
    if missing := len(where(primary, status="missing")):
        texts.append(
            f"Incomplete: {plural(missing, 'result')} of {len(primary)} missing; see the section on what is missing."
        )
    if failed := int(primary["status"].isin(["failed", "diverged"]).sum()):
        texts.append(f"Not all went well: {plural(failed, 'result')} failed or diverged; see the section on failures.")
    texts += _collapsed(frames, expected) + _unfinished(frames, expected)
    if contradictions := len(where(frames["audit"], severity="error")):
        texts.append(
            f"The audit finds {plural(contradictions, 'contradiction')} in these numbers: they cannot be right as "
            "they stand; see the section on the audit."
        )
    if (codes := provenance["code_version"].nunique()) > 1:
        texts.append(
            f"These results come from {codes} versions of TuneGrid's code. Where the difference matters, numbers "
            "cannot be compared; run the older ones again."
        )
    for task in _with_several_data(provenance, expected):
        title = Titles(expected).tasks[task]
        texts.append(f"{title}: results come from different data (their fingerprints differ); run them again.")
    texts += _on_test_rows(frames, Titles(expected))
    texts += ceiling_sentences(expected, frames["ceilings"].to_dict("records"))
    if unexpected := frames["unexpected"]["folder"].tolist():
        texts.append(
            f"{plural(len(unexpected), 'run')} in the results folder, but not in this study's configuration, not "
            f"shown: {', '.join(unexpected[:3])}{', …' if len(unexpected) > 3 else ''}."
        )
    return texts + search.warnings(frames, expected) + preferences.warnings(frames, expected)


def _with_several_data(provenance: Any, expected: Expected) -> list[str]:
    """Tasks whose results come from several data. A training on a mixture of tasks has data of its own."""
    mixtures = [method.name for method in expected.methods if method.mixture]
    mixed = provenance["method"].isin(mixtures) & (provenance["stage"] == "train")
    counts = [
        provenance[~mixed].groupby("task")["data_fingerprint"].nunique(),
        provenance[mixed].groupby(["task", "model", "method"])["data_fingerprint"].nunique().groupby("task").max(),
    ]
    several = {task for count in counts for task in count.index[count > 1]}
    return [task.name for task in expected.tasks if task.name in several]


def _collapsed(frames: Frames, expected: Expected) -> list[str]:
    """A warning that names the cells of which a seed collapsed."""
    titles, cells = Titles(expected), frames["cells"]
    cells = cells[cells["collapsed"] > 0]
    if not len(cells):
        return []
    named = [f"{_cell(titles, cell)} ({cell.collapsed:.0f} of {cell.seeds_ok})" for cell in cells.itertuples()]
    runs = plural(int(cells["collapsed"].sum()), "run")
    return [
        f"Collapsed: {runs} of {int(frames['cells']['seeds_ok'].where(frames['cells']['collapsed'].notna()).sum())} "
        f"({listed(named, 6)}). Means and intervals of these cells mislead, and tests against them are not to be "
        "trusted; the table of intervals has their medians, and the figure every seed."
    ]


def _unfinished(frames: Frames, expected: Expected) -> list[str]:
    """Warnings that name the cells whose models have not ended many of their answers, or have not begun them."""
    texts = []
    if cut := _many(frames, expected, "predictions_cut"):
        texts.append(
            f"Not ended: {cut} of the answers were as long as the task allows. Their scores are those of "
            "texts that were cut: the models have not learned to end, or `generation.max_new_tokens` is too small."
        )
    if empty := _many(frames, expected, "predictions_empty"):
        texts.append(f"Empty: {empty} of the answers have no text, and no test row asks for that.")
    return texts


def _many(frames: Frames, expected: Expected, counted: str) -> str:
    """The cells with a fifth or more of their answers in a column of counts, with the share; "" where there is none."""
    titles, runs = Titles(expected), where(frames["results"], primary=True, kind="run").dropna(subset=[counted])
    sums = runs.groupby(["task", "model", "method"], sort=False)[[counted, "examples"]].sum().reset_index()
    sums["share"] = sums[counted] / sums["examples"]
    many = sums[sums["share"] >= MANY].itertuples()
    named = [f"{_cell(titles, cell)} ({digits.percent(cell.share, 0)})" for cell in many]
    return listed(named, 6) if named else ""


def _cell(titles: Titles, cell: Any) -> str:
    """A cell's name inside an enumeration, with its task where the study has several."""
    name = titles.cell(cell.model, cell.method)
    return name if len(titles.tasks) == 1 else f"{name} on {titles.tasks[cell.task]}"


def _on_test_rows(frames: Frames, titles: Titles) -> list[str]:
    """Warnings about the test rows of each task."""
    texts = []
    for row in where(frames["data"], split="test").itertuples():
        title, size = titles.tasks[row.task], digits.count(row.rows)
        remarks = {
            "test_rows_seen_in_training": f"of {size} test rows occur among the training rows as well.",
            "test_contexts_seen_in_training": f"of {size} test questions are about a context that training questions "
            "are about too.",
            "unusable_rows": "test rows of the source could not be used and were left out.",
        }
        counts = {name: getattr(row, name) for name in remarks}
        texts += [f"{title}: {n:,.0f} {remarks[name]}" for name, n in counts.items() if not absent(n) and n > 0]
    return texts
