"""Warnings of page one about answers that have not ended."""

from tests.support.study_on_disk import expected_study
from tunegrid.report.summary import warnings

EXPECTED = expected_study()


def cut(tables, share):
    """The tables with this share of the answers of one cell cut."""
    results = tables["results"].copy()
    of_cell = (results["task"] == "translation") & (results["model"] == "mini-t5") & (results["method"] == "lora")
    results.loc[of_cell, "predictions_cut"] = share * results.loc[of_cell, "examples"]
    return tables | {"results": results}


def test_a_cell_that_has_not_ended_many_of_its_answers_is_named_on_page_one(made_up_tables):
    (warning,) = warnings(cut(made_up_tables, 0.5), EXPECTED)
    assert warning.startswith("Not ended: Translation, Mini-T5 + LoRA (50%) of the answers were as long as the task")


def test_few_answers_that_have_not_ended_are_no_warning(made_up_tables):
    assert warnings(cut(made_up_tables, 0.1), EXPECTED) == []


def test_a_cell_of_many_empty_answers_is_named_on_page_one(made_up_tables):
    results = made_up_tables["results"].copy()
    assert (results.loc[results["task"] == "translation", "predictions_empty"].dropna() == 0).all()
    of_cell = (results["task"] == "translation") & (results["model"] == "mini-t5") & (results["method"] == "lora")
    results.loc[of_cell, "predictions_empty"] = 0.25 * results.loc[of_cell, "examples"]
    assert warnings(made_up_tables | {"results": results}, EXPECTED) == [
        "Empty: Translation, Mini-T5 + LoRA (25%) of the answers have no text, and no test row asks for that."
    ]
