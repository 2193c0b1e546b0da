"""The same rows give the same canonical rows, whatever their source and format: for rows that hypothesis invents."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings

from tests.support.rows_of_tasks import make_task
from tests.support.same_rows import STARS, Case, cases, write_all
from tunegrid.tasks.rows import Rows

COMMON = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
# What was silently read as something else before.
RATINGS = Case(
    "sentiment", [{"text": "so", "label": "1"}, {"text": "NA", "label": "5"}], ["007", "NA"], None, STARS, [1, 5]
)
ZERO = {"question": "q", "context": "c", "answers": ["1998"], "candidates": ["tea; coffee"]}
ARTICLES = Case("qa", [ZERO, ZERO | {"answers": ["None", "a,b"]}], None, [0, 1], ("a", "b"), [])


def check(case: Case) -> None:
    expected = case.canonical()
    options = {"labels": list(case.labels), "positive": case.labels[-1]} if case.kind == "sentiment" else {}
    with tempfile.TemporaryDirectory() as folder:
        for name, source in write_all(case, Path(folder)):
            task = make_task(case.kind, source, **options)
            assert [row for _, row in Rows("t", task, "train").read()] == expected, name


@settings(max_examples=25, derandomize=True, **COMMON)
@given(cases())
@example(RATINGS)
@example(ARTICLES)
def test_the_same_rows_come_out_of_every_source_and_format(case):
    check(case)


@pytest.mark.slow
@settings(max_examples=500, derandomize=True, **COMMON)
@given(cases())
def test_the_same_rows_come_out_of_every_source_and_format_for_many_more(case):
    check(case)
