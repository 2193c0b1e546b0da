"""What lies beside the report: each table as LaTeX, CSV, Markdown and HTML, figures, the index; equations and curves."""

import csv
import io
import json
import pkgutil
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from tests.support import ROOT
from tests.support.study_on_disk import expected_study, render_study
from tunegrid.common.citations import Formula
from tunegrid.common.package_data import templates_folder
from tunegrid.methods import METHODS
from tunegrid.report import export, formulas, latex
from tunegrid.report.document import with_distinct_names
from tunegrid.report.index import read_index
from tunegrid.report.layout import Column, Section, Table, TableCell, TableRow
from tunegrid.report.render import render_report
from tunegrid.results import statistics
from tunegrid.results.expected import Named
from tunegrid.results.tables import build_tables
from tunegrid.tasks import TASKS

needs_tex = pytest.mark.skipif(latex.tex_engine() is None, reason="no TeX here")
LONG = "A model whose name is much longer than any column of any table has room for"


OTHER_ALPHA = """
import sys
from importlib.util import find_spec, module_from_spec
from pathlib import Path

spec = find_spec("tunegrid.results.statistics.intervals")
source = Path(spec.origin).read_text()
assert source.count("ALPHA = 0.05 ") == 1
module = sys.modules[spec.name] = module_from_spec(spec)
exec(source.replace("ALPHA = 0.05 ", "ALPHA = 0.2 "), module.__dict__)

from tests.support import ROOT
from tests.support.study_on_disk import expected_study, render_study
from tunegrid.deploy import card

render_study(Path(sys.argv[1]), expected_study(), Path(sys.argv[2]), resamples=100)
print(card.CONFIDENCE)
"""


@pytest.mark.slow
def test_the_level_of_intervals_and_tests_is_written_once(own_made_up: Path, tmp_path: Path) -> None:
    """Every "95%" of the report and of the model card follows from ALPHA (0.2: tails of 10% and 90%)."""
    folder = tmp_path / "report"
    command = [sys.executable, "-c", OTHER_ALPHA, str(own_made_up), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "80%"
    files = [folder / "report.tex", folder / "report.html", *folder.glob("tables/*"), *folder.glob("captions/*")]
    text = "\n".join(file.read_text() for file in files).replace("\\%", "%")
    assert not re.search(r"95 ?% interval|level 5%|at most 5%|97.5th", text)
    for words in (
        "80% intervals",
        "[80% interval]",
        "level 20%",
        "at most 20%",
        "10th to the 90th",
        "its 80%",
    ):
        assert words in text, words
    card = (templates_folder() / "model-card.md.j2").read_text()
    assert "| {{ confidence }} interval |" in card
    assert "95" not in card


TABLE = Table(
    "one",
    "A caption with a | and a *.",
    (Column("Model"), Column("Method"), Column("Score", "right")),
    (
        TableRow((TableCell("A group", bold=True),), heading=True),
        TableRow((TableCell("T5"), TableCell("LoRA"), TableCell("0.5", bold=True))),
        TableRow((TableCell(""), TableCell("full"), TableCell("−0.1"))),
    ),
    "A note.",
)


def test_csv_leaves_nothing_to_the_eye() -> None:
    assert list(csv.reader(io.StringIO(export.as_csv(TABLE)))) == [
        ["Group", "Model", "Method", "Score"],
        ["A group", "T5", "LoRA", "0.5"],
        ["A group", "T5", "full", "-0.1"],
    ]


def test_markdown_is_a_table_in_which_names_are_only_text() -> None:
    assert export.as_markdown(TABLE).splitlines() == [
        "**A caption with a \\| and a \\*.**",
        "",
        "| Model | Method | Score |",
        "| --- | --- | ---: |",
        "| **A group** |  |  |",
        "| T5 | LoRA | **0.5** |",
        "|  | full | −0.1 |",
        "",
        "A note.",
    ]


def test_every_table_says_the_same_in_every_form(made_up_report: Path) -> None:
    frame = pd.read_csv(made_up_report / "tables/scores-qa.csv")
    assert frame["Model"].notna().all()
    score = frame.set_index(["Model", "Method"]).loc[("Mini-BART", "LoRA"), "F1 Score"]
    for kind in ("tex", "md", "html"):
        text = (made_up_report / f"tables/scores-qa.{kind}").read_text().replace("\\%", "%")
        assert score in text


def test_the_index_lists_every_table_and_figure(made_up_report: Path) -> None:
    index = read_index(made_up_report)
    tables = {name for name, entry in index.items() if entry["kind"] == "table"}
    assert tables == {file.stem for file in (made_up_report / "tables").glob("*.csv")}
    drawn = {file.stem for file in (made_up_report / "figures").glob("*.svg")}
    assert drawn == set(index) - tables == {file.stem for file in (made_up_report / "figures").glob("*.pdf")}
    assert {"figure-scores", "figure-curves", "figure-pareto", "figure-breakdown"} <= drawn
    numbers = [entry["number"] for entry in index.values() if entry["kind"] == "table"]
    assert numbers == list(range(1, len(tables) + 1))
    assert {file.stem for file in (made_up_report / "captions").iterdir()} == set(index)


def test_names_that_differ_in_what_no_file_name_has_are_files_apart() -> None:
    names = ("probe-faith-信仰", "probe-faith-年龄", "probe-faith-2", "probe-faith-a/b", "probe-faith-a b", "costs")
    sections = [Section("First", tables=tuple(Table(name, "", (), ()) for name in names[:4]))]
    sections += [Section("Second", tables=tuple(Table(name, "", (), ()) for name in names[4:]))]
    tables = [table for section in with_distinct_names(sections) for table in section.tables]
    assert [latex.label(table.name) for table in tables] == [
        *("probe-faith", "probe-faith-2", "probe-faith-2-2", "probe-faith-a-b", "probe-faith-a-b-2", "costs")
    ]


@pytest.mark.usefixtures("without_figures")
def test_tables_and_figures_of_before_do_not_stay(made_up_tables, tmp_path: Path) -> None:
    for part in ("tables", "figures"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "old.tex").write_text("old")
    render_report(made_up_tables, expected_study(), tmp_path, pdf=False)
    assert not list(tmp_path.rglob("old.tex"))


def test_the_histories_are_a_tidy_table(made_up_tables) -> None:
    frame = made_up_tables["history"]
    assert len(frame) == 27 * 2 * (6 + 2)
    one = frame.query("task == 'qa' and model == 'mini-t5' and method == 'lora' and seed == 2")
    assert one["loss"].dropna().tolist() == pytest.approx([3, 2.5, 2.33333, 2.25, 2.2, 2.16667])
    assert one["examples"].tolist()[-1] == 19200  # of 600 steps
    assert one.dropna(subset=["validation_loss"])["step"].tolist() == [300, 600]


def test_the_equations_are_those_of_the_study(made_up_report: Path) -> None:
    html = (made_up_report / "report.html").read_text()
    for title in ("Full Finetuning", "LoRA", "Adapters", "BLEU", "Exact match and F1", "Seeds", "Paired tests"):
        assert re.search(rf"<h3>{title} <span>", html), title
    assert "<h3>BitFit" not in html
    for source in ("Hu et al. 2021", "Houlsby et al. 2019", "Holm 1979", "Smyth 2004", "Post 2018"):
        assert html.count(source) >= 2, f"{source}: cited, and in the list"
    assert "Ben Zaken" not in html
    tex = (made_up_report / "report.tex").read_text()
    assert r"W = W_0 + \dfrac{\alpha}{r}\, B A" in tex


def test_one_seed_has_no_equation_of_seeds(made_up: Path) -> None:
    one = expected_study(seeds=(1,))
    titles = [formula.title for formula in formulas.used_formulas(build_tables(made_up, one, 100), one)]
    assert "Seeds" not in titles
    assert "Intervals" in titles


def test_every_method_and_every_task_has_an_equation_that_can_be_drawn() -> None:
    trained = {name: method.about for name, method in METHODS.items() if method.trains}
    assert [name for name, about in trained.items() if about is None] == [
        "peft"
    ]  # any tuner, so no equation of its own
    known = [about for about in trained.values() if about is not None]
    metrics = [metric for task in TASKS.values() for metric in task.metrics]
    known += dict.fromkeys(metric.formula for metric in metrics if metric.formula)
    assert len(known) == len(METHODS) - 2 + 9
    for formula in known:
        assert formulas.drawn(formula).count("<use") > 5
        assert formula.spoken
        assert formula.text


def test_the_words_beside_equations_have_characters_that_latex_prints() -> None:
    known = [method.about for method in METHODS.values()]
    known += [metric.formula for task in TASKS.values() for metric in task.metrics]
    for module in pkgutil.iter_modules(statistics.__path__, f"{statistics.__name__}."):
        known += [value for value in vars(import_module(module.name)).values() if isinstance(value, Formula)]
    assert sum(formula is not None for formula in known) > 25
    assert [formula.text for formula in known if formula and "U+" in latex.escape(formula.text)] == []


@needs_tex
def test_each_table_stands_alone_in_another_document(made_up_report: Path, tmp_path: Path) -> None:
    if not shutil.which("pdflatex"):
        pytest.skip("tectonic compiles the same, but slowly")
    shutil.copytree(made_up_report / "tables", tmp_path, dirs_exist_ok=True)
    tables = sorted(set(tmp_path.glob("*.tex")) - {tmp_path / "preamble.tex"})
    assert len(tables) > 15
    for table in tables:
        document = r"\documentclass{article}\input{preamble.tex}\begin{document}\input{%s}\end{document}"
        (tmp_path / "alone.tex").write_text(document % table.name)
        command = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "alone.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, f"{table.name}: {done.stdout[-1500:]}"


@pytest.mark.slow
@needs_tex
def test_long_names_stay_within_the_margins_and_fonts_are_embedded(own_made_up: Path, tmp_path: Path) -> None:
    models = (Named("mini-t5", LONG), Named("mini-bart", f"{LONG} (2)"), Named("mini-flan-t5", "F"))
    methods = (Named("full", f"Full, {LONG}", kind="full"), *expected_study().methods[1:])
    expected = expected_study(models=models, methods=methods, title=LONG)
    pdf = render_study(own_made_up, expected, tmp_path / "report", pdf=True, resamples=200)[-1]
    log = (tmp_path / "report/report.log").read_text(errors="replace")
    assert "Overfull" not in log
    if shutil.which("pdffonts"):
        lines = subprocess.check_output(["pdffonts", str(pdf)], text=True).splitlines()[2:]
        assert lines
        # name, type, encoding, then "emb sub uni object ID": the fifth word from the end
        assert {line.split()[-5] for line in lines} == {"yes"}
        assert not [line for line in lines if "Type 3" in line]
    if shutil.which("pdfinfo"):
        said = subprocess.check_output(["pdfinfo", str(pdf)], text=True)
        assert re.search(rf"^Title:\s+{LONG}$", said, re.MULTILINE)
        assert "TuneGrid study" in said


def test_the_index_is_json_for_others_too(made_up_report: Path) -> None:
    first = json.loads((made_up_report / "index.json").read_text())[0]
    assert first.keys() == {"name", "kind", "number", "section_number", "section", "title", "caption"}
    assert (first["name"], first["number"], first["section"]) == ("summary", 1, "Summary")
