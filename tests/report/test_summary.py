"""Page one: what its table says of the best and the recommended cell, and warnings of answers that have not ended."""

import re
from dataclasses import replace

import pytest

from tests.support.study_on_disk import expected_study
from tunegrid.common.digits import probability
from tunegrid.report.detectable import section, summary
from tunegrid.report.sections import sections
from tunegrid.report.summary import glance, warnings

EXPECTED = expected_study()


def cut(tables, share):
    """The tables with this share of the answers of one cell cut."""
    results = tables["results"].copy()
    of_cell = (results["task"] == "translation") & (results["model"] == "mini-t5") & (results["method"] == "lora")
    results.loc[of_cell, "predictions_cut"] = share * results.loc[of_cell, "examples"]
    return tables | {"results": results}


def test_a_cell_that_has_not_ended_many_of_its_answers_is_named_on_page_one(made_up_tables):
    (warning,) = warnings(cut(made_up_tables, 0.5), EXPECTED)
    assert warning.startswith("Not ended: Mini-T5 + LoRA on Translation (50%) of the answers were as long as the task")


def test_few_answers_that_have_not_ended_are_no_warning(made_up_tables):
    assert warnings(cut(made_up_tables, 0.1), EXPECTED) == []


def test_a_cell_of_many_empty_answers_is_named_on_page_one(made_up_tables):
    results = made_up_tables["results"].copy()
    assert (results.loc[results["task"] == "translation", "predictions_empty"].dropna() == 0).all()
    of_cell = (results["task"] == "translation") & (results["model"] == "mini-t5") & (results["method"] == "lora")
    results.loc[of_cell, "predictions_empty"] = 0.25 * results.loc[of_cell, "examples"]
    assert warnings(made_up_tables | {"results": results}, EXPECTED) == [
        "Empty: Mini-T5 + LoRA on Translation (25%) of the answers have no text, and no test row asks for that."
    ]


def test_page_one_says_how_probable_it_is_that_the_best_cell_is_the_best(made_up_tables):
    cells = made_up_tables["cells"]
    for row, task in zip(glance(made_up_tables, EXPECTED).rows, EXPECTED.tasks, strict=True):
        of_task = cells[(cells["task"] == task.name) & cells["primary"] & (cells["kind"] == "run")]
        share = of_task.loc[of_task["mean"].idxmax(), "probability_best"]
        assert row.cells[1].text.endswith(f"; P\N{NO-BREAK SPACE}{probability(share)}")


def test_page_one_gives_a_loss_of_percentages_in_points(made_up_tables):
    recommendation = made_up_tables["recommendation"].copy()
    cheap = dict(zip(("model", "method"), ("mini-bart", "adapters"), strict=True))
    loss = {"best_model": "mini-t5", "best_method": "full", "loss": -0.02, "loss_low": -0.05, "loss_high": 0.01}
    for name, value in (cheap | loss).items():
        recommendation[name] = value
    rows = {
        row.cells[0].text: row.cells[2].text
        for row in glance(made_up_tables | {"recommendation": recommendation}, EXPECTED).rows
    }
    assert "; −2.0 [−5.0, 1.0] points against " in rows["Question Answering"]
    assert "; −0.0200 [−0.0500, 0.0100] against " in rows["Translation"]


def test_the_smallest_difference_of_page_one_has_the_range_of_the_pairs(made_up_tables):
    (sentence,) = summary(made_up_tables, EXPECTED)
    row = made_up_tables["detectable"].set_index("task").loc["qa"]
    middle, low, high = re.search(
        r"([\d.]+) points \(Question Answering; by pair ([\d.]+) to ([\d.]+)\)", sentence
    ).groups()
    assert [float(text) / 100 for text in (low, middle, high)] == pytest.approx(
        [row.smallest_low, row.smallest, row.smallest_high], rel=0.05
    )


def test_page_one_says_where_no_difference_is_found_however_large(made_up_tables):
    frame = made_up_tables["detectable"].copy()
    frame.loc[frame["task"] == "qa", ["smallest", "smallest_low", "smallest_high"]] = 2.0, 1.5, 3.0
    frame.loc[frame["task"] == "translation", "smallest_high"] = 3.0
    frames = made_up_tables | {"detectable": frame}
    seen, blind = summary(frames, EXPECTED)
    assert "Question Answering" not in seen
    assert re.search(r"\(Translation; by pair [\d.]+ up, in some none\)", seen)
    assert blind.startswith("What this study cannot see (Question Answering): no difference between two cells, however")
    table = section(frames, EXPECTED).tables[0]
    assert "None: not even the largest" in table.caption
    assert "none" in {cell.text for row in table.rows for cell in row.cells}
    assert "none to none" not in str(table)
    (alone,) = summary(frames | {"detectable": frame[frame["task"] == "qa"]}, EXPECTED)
    assert alone == blind


def test_cells_are_named_without_the_task_where_there_is_one(made_up_tables):
    tasks = [task for task in EXPECTED.tasks if task.name == "translation"]
    frames = {
        name: frame[frame["task"] == "translation"] if "task" in frame else frame
        for name, frame in cut(made_up_tables, 0.5).items()
    }
    texts = warnings(frames, replace(EXPECTED, tasks=tuple(tasks)))
    assert any(text.startswith("Not ended: Mini-T5 + LoRA (50%) of the answers") for text in texts)


@pytest.mark.parametrize(("seeds", "known"), [((1,), False), ((1, 2), True), ((1, 2, 3), True)])
def test_the_rule_says_how_far_stability_is_off_unless_one_seed_has_none(made_up_tables, seeds, known):
    found = {part.title: part for part in sections(made_up_tables, expected_study(seeds=seeds), {}) if part}
    (text,) = found["Recommendation"].paragraphs
    assert ("its mean was within five points of what fresh studies did" in text) == known
