"""Results from their files: which test examples the bootstrap draws together."""

import pytest

from tests.support.rows_of_tasks import qa, write_splits
from tests.support.study_on_disk import expected_study
from tunegrid.results.read import read_results


@pytest.mark.parametrize(
    ("groups", "together"),
    [("aabb", [{0, 1}, {2, 3}]), (["a", "a", "", ""], [{0, 1}, {2}, {3}]), (["0", "0", "1", ""], [{0, 1}, {2}, {3}]),
     ("abcd", None), (["", "", "", ""], None), (["a", "b", "", ""], None), ("aaaa", None)],
)  # fmt: skip
def test_examples_of_one_group_are_drawn_together_and_those_without_one_by_one(tmp_path, groups, together):
    rows = [qa("context", ["answer"], number) | {"group": group} for number, group in enumerate(groups)]
    (tmp_path / "made-up" / "data").mkdir(parents=True)
    write_splits(rows, tmp_path / "made-up" / "data" / "qa")
    expected = expected_study()
    results = read_results(tmp_path / "made-up", expected)
    units = results.units(expected.tasks[0])
    drawn = units if units is None else [{i for i in range(4) if units[i] == unit} for unit in dict.fromkeys(units)]
    assert drawn == together
