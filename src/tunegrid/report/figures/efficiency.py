"""How the ranking of the cells by the efficiency score moves with beta: a panel per task, a line per cell."""

from typing import Any

from tunegrid.report.figures.pareto import model_letters
from tunegrid.report.figures.style import PANELS_PER_LINE, WIDTH, legend, methods, short, tidy
from tunegrid.results.expected import Expected, ExpectedTask


def draw(frames: dict[str, Any], expected: Expected) -> Any:
    """The figure; None where no cell has a rank."""
    import matplotlib.pyplot as plt

    table = frames["efficiency"]
    table = table[table["rank"].notna()]
    tasks = [task for task in expected.tasks if (table["task"] == task.name).any()]
    if not tasks:
        return None
    lines, columns = -(-len(tasks) // PANELS_PER_LINE), min(len(tasks), PANELS_PER_LINE)
    height = lines * (0.7 + 0.14 * table["rank"].astype(int).max()) + 0.6
    figure, axes = plt.subplots(lines, columns, figsize=(WIDTH, height), squeeze=False, layout="constrained")
    for axis, task in zip(axes.flat, tasks, strict=False):
        _panel(axis, task, table[table["task"] == task.name], expected)
    for axis in axes.flat[len(tasks) :]:
        axis.set_visible(False)
    legend(figure, [method.title for method in expected.methods])
    letters = model_letters(expected)
    key = ", ".join(f"{letters[model.name]}: {model.title}" for model in expected.models)
    figure.supxlabel(short(key, 110), fontsize=7.5)
    return figure


def _panel(axis: Any, task: ExpectedTask, table: Any, expected: Expected) -> None:
    styles, letters = methods(expected), model_letters(expected)
    betas = sorted(table["beta"].unique())
    for model, method in expected.grid(task):
        rows = table[(table["model"] == model.name) & (table["method"] == method.name)].sort_values("beta")
        if rows.empty:
            continue
        colour, marker, dashes = styles[method.name]
        places = [betas.index(beta) for beta in rows["beta"]]  # evenly: the grid doubles
        ranks = rows["rank"].astype(int).tolist()
        axis.plot(
            places, ranks, marker=marker, color=colour, linestyle=dashes, linewidth=1, markersize=4, label=method.title
        )
        axis.annotate(letters[model.name], (places[0], ranks[0]), xytext=(-9, -2.2), textcoords="offset points",
                      fontsize=6.5, color="0.25")  # fmt: skip
        axis.annotate(letters[model.name], (places[-1], ranks[-1]), xytext=(5, -2.2), textcoords="offset points",
                      fontsize=6.5, color="0.25")  # fmt: skip
    axis.invert_yaxis()
    axis.set_title(short(task.title, 30))
    axis.set_xticks(range(len(betas)), [f"{beta:g}" for beta in betas])
    axis.set_yticks(range(1, int(table["rank"].max()) + 1))
    axis.set_xlabel("β")
    axis.set_ylabel("rank")
    axis.set_xlim(-0.5, len(betas) - 0.5)
    axis.grid(axis="y", color="0.92", linewidth=0.6)
    tidy(axis)
