"""What `tunegrid plan` says of the differences that a study could find: against SciPy's noncentral t."""

import pytest
from scipy import stats

from tunegrid.results.planned_power import Design, planned_power
from tunegrid.results.statistics.power import assumed_difference


def test_with_one_seed_it_is_the_power_of_a_paired_t_test() -> None:
    smallest = assumed_difference(400, 1, 9, seed_sd=0.02, disagreement=0.2)
    power = stats.nct.sf(stats.t.isf(0.025, 399), 399, smallest / (0.2 / 400) ** 0.5)
    assert power == pytest.approx(0.8, abs=0.002)


def test_with_any_number_of_rows_it_is_that_of_two_samples_of_seeds() -> None:
    """Two cells alone, 11 seeds each: SciPy's noncentral t with the degrees that the moderation is taken to leave."""
    smallest = assumed_difference(float("inf"), 11, 2, seed_sd=0.01, disagreement=0.2)
    power = stats.nct.sf(stats.t.isf(0.025, 10), 10, smallest / (0.01 * (2 / 11) ** 0.5))
    assert power == pytest.approx(0.8, abs=0.01)


def test_more_rows_seeds_and_fewer_pairs_find_smaller_differences() -> None:
    base = assumed_difference(1000, 3, 9, 0.01, 0.1, 36)
    assert assumed_difference(4000, 3, 9, 0.01, 0.1, 36) < base
    assert assumed_difference(1000, 5, 9, 0.01, 0.1, 36) < base
    assert assumed_difference(1000, 3, 9, 0.01, 0.1, 1) < base
    assert assumed_difference(1000, 3, 9, 0.0, 0.0, 36) == 0


def test_a_line_for_each_task_says_what_is_assumed() -> None:
    designs = [Design("qa", 1000, 3, 9), Design("wmt", 2999, 1, 4), Design("alone", 100, 3, 1)]
    text = planned_power(designs, 0.01, 0.1)
    assert "seeds differ by 1 points (sd), two cells on 10% of the rows" in text
    smallest = f"{100 * assumed_difference(1000, 3, 9, 0.01, 0.1, 36):.1f}"
    assert f"qa: 1,000 test rows, 3 seeds, 9 cells: {smallest} (one pair alone" in text
    assert "wmt: 2,999 test rows, 1 seed, 4 cells" in text
    assert "of these trained models only; of methods with 3 seeds" in text
    assert "alone:" not in text
    assert planned_power([Design("alone", 100, 3, 1)], 0.01, 0.1) == ""
