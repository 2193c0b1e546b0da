"""The report's words about cost: units, numbers as text, and the paragraphs that explain its tables."""

from itertools import groupby
from typing import Any

from tunegrid.common import digits
from tunegrid.common.digits import DASH, absent
from tunegrid.common.words import listed
from tunegrid.report.tables import Frames, Titles, where
from tunegrid.results.expected import Expected

COST_TITLES = {
    "parameters_trainable": "Trainable parameters",
    "optimisation_seconds": "Optimisation",
    "training_flops": "Training FLOPs",
    "peak_memory_bytes": "Memory of training",
    "prediction_peak_memory_bytes": "Memory of prediction",
    "deployed_latency_seconds": "Latency",
    "saved_bytes": "Saved weights",
}
COUNTED = ("parameters_trainable", "training_flops", "saved_bytes")  # need no clock and no meter of memory
UNITS = {"seconds": (1.0, "s"), "bytes": (2.0**20, "MiB"), "flops": (1.0, "")}


def unit_of(cost: str) -> tuple[float, str]:
    """(divisor of a column of costs, unit of the quotient)."""
    if cost == "deployed_latency_seconds":
        return 1e-3, "ms"
    return UNITS.get(cost.rsplit("_", 1)[-1], (1.0, ""))


def trainings(costs: Any) -> Any:
    """The rows of costs with each training once, though several runs may share it."""
    again = costs["shared_training"].notna() & costs["shared_training"].duplicated()
    return costs[~again]


def operations(value: float) -> str:
    """A number of operations with its unit: 1.5 T, 37 M."""
    if absent(value):
        return DASH
    for size, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{digits.without_exponent(value / size)} {unit}"
    return f"{value:.3g}"


def cost_text(frames: Frames, expected: Expected) -> tuple[str, ...]:
    """Paragraphs on what the tables of costs contain, and what they do not."""
    costs, texts = frames["costs"], []
    texts.append(
        "Trainable parameters, saved weights and operations belong to the method; seconds and memory belong to the "
        "machine that is named below as well, and compare only with one another. Jobs that ran beside one another on "
        "one machine slowed one another down. Loading, optimisation, validation and saving are timed apart; the clock "
        "waits for the GPU. Memory is the peak of the stage itself: of a GPU what was allocated, else what was "
        "resident, Python and its libraries included."
    )
    examples = costs["latency_examples"].dropna()
    if len(examples) and examples.max() > 0:
        compared, different = (costs[f"merged_{name}"].sum() for name in ("compared", "differences"))
        texts.append(
            f"Latency is measured on {examples.max():,.0f} test examples, the same for all cells of a task, drawn "
            "evenly over the test set and answered one at a time with the task's settings, after a warm-up. Answers "
            "are as long as the model makes them; hence also the time per token."
            + (
                f" Of {compared:,.0f} examples that a model answered both merged and unmerged, {different:,.0f} have "
                "another answer."
                if compared
                else ""
            )
        )
    shared = costs[costs["shared_training"].notna()]
    if len(shared):
        methods = listed(Titles(expected).methods[name] for name in shared["method"].drop_duplicates())
        counts = sorted({int(count) for count in shared["shared_by"]})
        tasks = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
        texts.append(
            f"{methods}: one training is shared by {tasks} tasks. Each of their lines has the cost of the whole "
            f"training, marked as shared; there are {len(trainings(shared))} such trainings, and sums count each once."
        )
    if expected.search:
        seconds = costs.drop_duplicates(["task", "model", "method"])["search_seconds"].sum()
        texts.append(f"The search for learning rates, {digits.seconds(seconds)} seconds in all, is in no other column.")
    return tuple(texts)


def pareto_text(frames: Frames, expected: Expected) -> tuple[str, ...]:
    """Paragraphs on what a front is, how certain it is, and which cells are on it."""
    table = frames["pareto"]
    chosen = where(table, on_front=True)
    if chosen.empty:
        return ()
    doubtful = int(chosen["tied_with_cheaper"].notna().sum())
    rule = (
        "A cell is on the front of a cost if no other cell of its task has at least its score at no more of the cost, "
        "and is better in one of the two. Scores and costs are means over seeds. A front takes scores at their face "
        "value, so each of its cells is held against the tests of all pairs: it is marked where some cheaper cell is "
        f"not separated from it. That is so for {doubtful} of the {len(chosen)} places on these fronts. "
        f"{_measured_places(chosen, expected)} Latency is that of the merged model, where the method can be merged."
    )
    titles, sentences = Titles(expected), []
    for task in expected.tasks:
        places = where(table, task=task.name).dropna(subset=["score", "value"])
        counts = places.groupby(["model", "method"], sort=False)["on_front"].sum()
        if len(counts) < 2:
            continue
        best = places["score"].max()
        highest = {(row.model, row.method) for row in places.itertuples() if row.score == best}
        most = counts[[key not in highest for key in counts.index]]
        nowhere = int((counts == 0).sum())
        text = f"{task.title}: {nowhere} of {len(counts)} cells are on no front"
        if len(most) and most.max() > 0:
            names = [titles.cell(*key) for key in most[most == most.max()].index]
            text += f"; beside the best, {listed(names)} on the most ({most.max()} of {places['cost'].nunique()}"
            text += f"; {_counted_places(places, names, titles)})"
        sentences.append(f"{text}.")
    return rule, "The best score is on every front, whatever it costs. " + " ".join(sentences)


def _measured_places(chosen: Any, expected: Expected) -> str:
    """How far places on the fronts of seconds and memory depend on the runs that were measured."""
    measured = chosen[~chosen["cost"].isin(COUNTED)]
    if len(expected.seeds) == 1:
        return (
            f"Seconds and memory, on which {len(measured)} of the places rest, are those of one run per cell: "
            "another run may change them."
        )
    near = int(measured["replaceable_by"].notna().sum())
    return (
        f"Seconds and memory vary between the runs of a cell: for {near} of the {len(measured)} places that rest on "
        "them a cell that scores as much costs more by less than that."
    )


def _counted_places(places: Any, names: list[str], titles: Titles) -> str:
    """On how many fronts of counted costs each of the named cells is: `2 and 1 of the 3 that need no measuring`."""
    counted = places[places["cost"].isin(COUNTED)]
    on = [titles.cell(row.model, row.method) for row in counted.itertuples() if row.on_front]
    numbers = listed(str(on.count(name)) for name in names)
    return f"{numbers} of the {counted['cost'].nunique()} that need no measuring"


def efficiency_text(frames: Frames, expected: Expected) -> tuple[str, ...]:
    """Paragraphs on the efficiency score, its constants, and how the first place depends on beta."""
    table = frames["efficiency"]
    if not table["rank"].notna().any():
        return ()
    titles, firsts, scales = Titles(expected), [], []
    constants = frames["efficiency_constants"].set_index("task")
    largest = constants["parameters"].max()
    for task in expected.tasks:
        rows = where(table, task=task.name).dropna(subset=["rank"])
        if rows.empty:
            continue
        scale = constants.loc[task.name]
        scales.append(f"{task.title}: {operations(scale.flops)} FLOPs and {digits.binary_size(scale.memory_bytes)}")
        best = where(rows, rank=1).drop_duplicates("beta")
        runs = groupby(best.itertuples(), key=lambda row: titles.cell(row.model, row.method))
        cells = [f"{name} ({_betas([row.beta for row in same])})" for name, same in runs]
        firsts.append(f"{task.title}: {', then '.join(cells)}")
    rule = (
        "The efficiency score is that of PSCP (Belanec et al. 2025; its equation is in the section on methods): the "
        "score, divided by what the trainable parameters, the operations of one answer (merged, where the method can "
        "be merged) and the peak memory of training weigh. Its constants are made for far larger models. Here they are "
        f"the size of the largest base model ({digits.count(largest)} parameters), and the most operations and memory "
        f"of the task's cells ({'; '.join(scales)}), so that each of the three costs at its highest divides the score "
        "by two to the power of β. Where Python and its libraries are most of the memory, as on a CPU with small "
        "models, memory hardly tells cells apart. What β should be cannot be measured: the ranking is shown for "
        "several."
    )
    return rule, f"First by β, scores and costs at their face value: {'. '.join(firsts)}."


def _betas(betas: list[float]) -> str:
    return f"β = {betas[0]:g}" if len(betas) == 1 else f"β from {betas[0]:g} to {betas[-1]:g}"
