"""How the ranking of the cells by the efficiency score moves with beta: a panel per task, a line per cell."""

from typing import Any

from tunegrid.report.figures.style import explain_letters, legend, methods, model_letters, panels, short, tidy
from tunegrid.report.tables import where
from tunegrid.results.expected import Expected, ExpectedTask


def draw(frames: dict[str, Any], expected: Expected) -> Any:
    """The figure; None where no cell has a rank."""
    table = frames["efficiency"].dropna(subset=["rank"])
    tasks = [task for task in expected.tasks if (table["task"] == task.name).any()]
    if not tasks:
        return None
    figure, shown = panels(tasks, 0.7 + 0.14 * table["rank"].astype(int).max(), 0.6)
    for axis, task in shown:
        _panel(axis, task, where(table, task=task.name), expected)
    legend(figure, [method.title for method in expected.methods])
    explain_letters(figure, expected)
    return figure


def _panel(axis: Any, task: ExpectedTask, table: Any, expected: Expected) -> None:
    styles, letters = methods(expected), model_letters(expected)
    betas = sorted(table["beta"].unique())
    for model, method in expected.grid(task):
        rows = where(table, model=model.name, method=method.name).sort_values("beta")
        if rows.empty:
            continue
        colour, marker, dashes = styles[method.name]
        places = [betas.index(beta) for beta in rows["beta"]]  # evenly: the grid doubles
        ranks = rows["rank"].astype(int).tolist()
        axis.plot(
            places, ranks, marker=marker, color=colour, linestyle=dashes, linewidth=1, markersize=4, label=method.title
        )
        for end, right in ((0, -9), (-1, 5)):
            axis.annotate(letters[model.name], (places[end], ranks[end]), xytext=(right, -2.2),
                          textcoords="offset points", fontsize=6.5, color="0.25")  # fmt: skip
    axis.invert_yaxis()
    axis.set_title(short(task.title, 30))
    axis.set_xticks(range(len(betas)), [f"{beta:g}" for beta in betas])
    axis.set_yticks(range(1, int(table["rank"].max()) + 1))
    axis.set_xlabel("β")
    axis.set_ylabel("rank")
    axis.set_xlim(-0.5, len(betas) - 0.5)
    axis.grid(axis="y", color="0.92", linewidth=0.6)
    tidy(axis)
