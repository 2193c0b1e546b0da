"""Warnings of page one about answers that have not ended."""

import pytest

from tests.support.study_on_disk import expected_study, write_study
from tunegrid.report.summary import warnings
from tunegrid.results.tables import build_tables

EXPECTED = expected_study()


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return build_tables(write_study(tmp_path_factory.mktemp("study"), EXPECTED), EXPECTED, 200)


def cut(tables, share):
    """The tables with this share of the answers of one cell cut."""
    results = tables["results"].copy()
    of_cell = (results["task"] == "translation") & (results["model"] == "mini-t5") & (results["method"] == "lora")
    results.loc[of_cell, "predictions_cut"] = share * results.loc[of_cell, "examples"]
    return tables | {"results": results}


def test_a_cell_that_has_not_ended_many_of_its_answers_is_named_on_page_one(tables):
    (warning,) = warnings(cut(tables, 0.5), EXPECTED)
    assert warning.startswith("Not ended: Translation, Mini-T5 + LoRA (50%) of the answers were as long as the task")


def test_few_answers_that_have_not_ended_are_no_warning(tables):
    assert warnings(cut(tables, 0.1), EXPECTED) == []


def test_a_cell_of_many_empty_answers_is_named_on_page_one(tables):
    results = tables["results"].copy()
    assert (results.loc[results["task"] == "translation", "predictions_empty"].dropna() == 0).all()
    of_cell = (results["task"] == "translation") & (results["model"] == "mini-t5") & (results["method"] == "lora")
    results.loc[of_cell, "predictions_empty"] = 0.25 * results.loc[of_cell, "examples"]
    assert warnings(tables | {"results": results}, EXPECTED) == [
        "Empty: Translation, Mini-T5 + LoRA (25%) of the answers have no text, and no test row asks for that."
    ]
