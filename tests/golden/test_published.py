"""The paper's own numbers, through our templates and our rule: all 72 as printed, the three recommendations."""

import csv
import re
from pathlib import Path

import pytest

from tunegrid.common.package_data import published_folder
from tunegrid.report.published import published_tables
from tunegrid.report.render import render_published, render_table
from tunegrid.results.paper.numbers import published_recommendations, published_rows

HERE = Path(__file__).parent
TABLES = {"translation": 2, "qa": 2, "sentiment": 4}  # columns of numbers
# The best of each column, read off the paper's tables.
BOLD = {
    "translation": [["0.2355"], ["0.4400"]],
    "qa": [["94.3136"], ["95.7342"]],
    "sentiment": [["0.9425", "0.9425"], ["0.9667", "0.9667"], ["0.9380"], ["0.9449", "0.9449"]],
}


def latex_rows(kind: str) -> list[list[str]]:
    """The cells of a rendered table's body, as LaTeX; the model filled in where it is not repeated."""
    text = next(render_table(table) for table in published_tables() if table.name == f"published-{kind}")
    body = text.split("\\midrule\n", 1)[1].split("\\bottomrule")[0]
    rows, model = [], ""
    for line in body.splitlines():
        if "&" in line:
            first, *others = (cell.strip() for cell in line.removesuffix("\\\\").split("&"))
            model = first or model
            rows.append([model, *others])
    return rows


def printed(cell: str) -> str:
    return re.sub(r"\\textbf\{(.*)\}", r"\1", cell).removesuffix("\\%")


@pytest.mark.parametrize("kind", TABLES)
def test_every_number_is_rendered_as_the_paper_prints_it(kind: str) -> None:
    with (published_folder() / f"{kind}.csv").open(newline="") as file:
        facts = list(csv.reader(file))[1:]
    rows = latex_rows(kind)
    assert [[printed(cell) for cell in row] for row in rows] == facts
    assert all(len(row) == 2 + TABLES[kind] for row in rows)
    assert all(cell.rstrip("}").endswith("\\%") == (kind == "qa") for row in rows for cell in row[2:])


def test_there_are_72_numbers() -> None:
    assert sum(len(row) - 2 for kind in TABLES for row in latex_rows(kind)) == 72


@pytest.mark.parametrize("kind", TABLES)
def test_the_best_of_each_column_is_bold_and_nothing_else(kind: str) -> None:
    rows = latex_rows(kind)
    columns = zip(*(row[2:] for row in rows), strict=True)
    assert [[printed(cell) for cell in column if "textbf" in cell] for column in columns] == BOLD[kind]


def test_the_rule_gives_the_papers_recommendations() -> None:
    names = {"Question Answering": "qa", "Translation": "translation", "Sentiment Classification": "sentiment"}
    papers = {names[row["task"]]: row["recommended_setup"] for row in published_rows("recommendation")}
    assert {kind: choice.chosen.title for kind, choice in published_recommendations().items()} == papers
    assert papers == {
        "qa": "T5-base + LoRA",
        "translation": "T5-base + Adapters",
        "sentiment": "Flan-T5-small + LoRA",
    }


def test_the_tie_in_sentiment_is_what_decides() -> None:
    recommendation = published_recommendations()["sentiment"]
    assert [cell.title for cell in recommendation.tied] == ["T5-base + Full Finetuning", "Flan-T5-small + LoRA"]
    assert recommendation.rationale.startswith("Ties with the best (T5-base + Full Finetuning, accuracy 0.9425)")


def test_sizes_follow_from_the_architectures() -> None:
    sizes = {(row["model"], row["method"]): row for row in published_rows("parameters")}
    base = {"T5-base": 222_903_552, "BART-base": 139_420_416, "Flan-T5-small": 76_961_152}
    # (layers of each stack, width, attention width, feed-forward width, feed-forward matrices)
    shapes = {
        "T5-base": (12, 768, 768, 3072, 2),
        "BART-base": (6, 768, 768, 3072, 2),
        "Flan-T5-small": (8, 512, 384, 1024, 3),
    }
    for model, (layers, width, attention, feed_forward, matrices) in shapes.items():
        lora = layers * 16 * (12 * (width + attention) + 2 * matrices * (width + feed_forward))
        bottleneck = width // 16
        adapters = 2 * 2 * layers * (2 * width * bottleneck + bottleneck + width)
        added = {"Full Finetuning": 0, "LoRA": lora, "Adapters": adapters}
        for method, parameters in added.items():
            row = sizes[model, method]
            assert int(row["total"]) == base[model] + parameters
            assert int(row["trainable"]) == (parameters or base[model])


@pytest.mark.parametrize("number", range(4))
def test_the_latex_is_the_golden_one(number: int, request: pytest.FixtureRequest) -> None:
    """To accept a change of the layout: write render_table(table) of each table to its file here, and look at it."""
    table = published_tables()[number]
    assert render_table(table) == (HERE / f"{table.name}.tex").read_text(encoding="utf-8")


def test_the_report_of_the_paper_says_whose_numbers_these_are(tmp_path: Path) -> None:
    render_published(tmp_path, pdf=False)
    for name in ("report.tex", "report.html"):
        assert "not results of TuneGrid" in (tmp_path / name).read_text()
