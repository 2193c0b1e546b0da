"""Which runs count as collapsed, by scores whose answer is known."""

import pytest

from tunegrid.results.statistics.collapses import BELOW, CHANCE, comparable, find_collapses


@pytest.mark.parametrize(
    ("scores", "trivial", "separated", "reasons"),
    [
        ((0.93, 0.91, 0.50), 0.5, None, ("", "", CHANCE)),
        ((0.93, 0.91, 0.49), 0.5, None, ("", "", CHANCE)),
        ((0.93, 0.91, 0.70), 0.5, (True, True, True), ("", "", BELOW)),
        ((0.93, 0.91, 0.74), 0.5, None, ("", "", "")),
        ((0.95, 0.60, 0.60), 0.5, (True, True, True), ("", BELOW, BELOW)),
        ((0.51, 0.52, 0.50), 0.5, (False, False, False), (CHANCE, CHANCE, CHANCE)),
        ((0.51,), 0.5, (False,), (CHANCE,)),  # chance needs no other seed
        ((0.93,), 0.5, (True,), ("",)),
        ((0.66, 0.70), 0.5, (False, True), ("", "")),  # a small test set separates little: not chance
        ((0.006, 0.007), 0.0002, (True, True), ("", "")),  # poor, but measurably above the baseline
        ((0.0, 0.0), 0.0, (False, False), (CHANCE, CHANCE)),
        ((0.9, 0.3), None, None, ("", BELOW)),  # without a baseline
    ],
)
def test_the_rule(scores: tuple, trivial: float | None, separated: tuple | None, reasons: tuple) -> None:
    assert find_collapses(scores, trivial, separated).reasons == reasons


def test_counts_rate_median_and_share_above_the_baseline() -> None:
    cell = find_collapses((0.93, 0.91, 0.70, 0.50), 0.5)
    assert (cell.count, cell.rate, cell.above_baseline) == (2, 0.5, 0.75)
    assert cell.median == pytest.approx(0.805)
    assert cell.in_words("0.805") == "2 of 4 seeds collapsed (median 0.805, 75% of the seeds above the baseline)"


@pytest.mark.parametrize(
    # Wilson's interval, from its closed form: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    ("scores", "low", "high"),
    [((0.9, 0.9, 0.5), 0.0615, 0.7923), ((0.9, 0.9, 0.9), 0.0, 0.5615), ((0.9, 0.9, 0.9, 0.9, 0.5), 0.0362, 0.6245)],
)
def test_the_rate_has_wilsons_interval(scores: tuple, low: float, high: float) -> None:
    assert find_collapses(scores, 0.5).rate_interval == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("means", "collapsed", "kept"),
    [
        ((0.93, 0.64, 0.90), (0, 1, 0), (True, False, True)),
        ((0.93, 0.64), (1, 2), (True, True)),  # nothing else is left
        ((0.85, 0.60, 0.55), (1, 0, 0), (True, False, False)),  # 25 points ahead all the same
        ((0.79, 0.60, 0.55), (1, 0, 0), (False, True, True)),
    ],
)
def test_cells_that_a_recommendation_is_made_among(means: tuple, collapsed: tuple, kept: tuple) -> None:
    assert tuple(comparable(means, collapsed)) == kept
