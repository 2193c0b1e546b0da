"""Scores of resamples and their intervals, compared with sacreBLEU, SciPy and scikit-learn."""

import numpy as np
import pytest

from tests.support.sentences import bleu_statistics, sentences
from tunegrid.results.statistics import intervals
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores, wilson_interval
from tunegrid.tasks.metrics.bleu import Bleu
from tunegrid.tasks.metrics.label_counts import Accuracy

MEAN = Accuracy().aggregate


def test_bleu_of_every_resample_is_that_of_its_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights times the statistics are what drawing the sentences themselves would have given."""
    from sacrebleu.metrics import BLEU

    hypotheses, references = sentences(30, seed=4, kept=0.7)
    rows, aggregate = bleu_statistics(hypotheses, references)[None], Bleu.aggregate
    scored = []
    monkeypatch.setattr(Bleu, "aggregate", lambda self, sums: scored.append(aggregate(self, sums)) or scored[-1])
    resample_scores([ExampleStatistics(rows, Bleu().aggregate)], resamples=5, seed=9)
    resampled = scored[0][:, 0]
    drawn = np.random.default_rng(9).integers(30, size=(5, 30))
    for score, picks in zip(resampled, drawn, strict=True):
        hypothesis, reference = [hypotheses[i] for i in picks], [references[i] for i in picks]
        assert 100 * score == pytest.approx(BLEU().corpus_score(hypothesis, [reference]).score)


def means(values: np.ndarray) -> ExampleStatistics:
    """A row of mean scores from [seeds, examples]."""
    return ExampleStatistics(np.stack([values, np.ones_like(values)], axis=-1), MEAN)


def test_interval_is_scipys_bootstrap() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    values = np.random.default_rng(1).random(300)
    mine = resample_scores([means(values[None])], resamples=20_000).interval(0)
    theirs = scipy_bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert mine == pytest.approx((theirs.low, theirs.high), abs=2e-3)


@pytest.mark.parametrize("examples", [30, 100, 1000])
@pytest.mark.parametrize("errors", [0, 1, 3, 15])
def test_interval_of_a_share_is_jeffreys(examples: int, errors: int) -> None:
    """Right and wrong answers: the beta distribution's quantiles, at the edges too (Brown et al. 2001)."""
    from scipy.stats import beta

    right = (np.arange(examples) >= errors).astype(float)
    low, high = resample_scores([means(right[None])]).interval(0)
    theirs = beta.ppf([0.025, 0.975], examples - errors + 0.5, errors + 0.5)
    tolerance = 0.12 * (theirs[1] - theirs[0])  # of 30 examples the variance is not known as well as that of many
    assert low == pytest.approx(theirs[0], abs=tolerance)
    assert high == pytest.approx(1 if errors == 0 else theirs[1], abs=tolerance)
    mirrored = resample_scores([means(1 - right[None])]).interval(0)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=0.05 * (high - low))


@pytest.mark.parametrize(("score", "seeds"), [(0.01, 1), (0.99, 1), (0.01, 3), (0.99, 3)])
@pytest.mark.parametrize("examples", [30, 100])
def test_intervals_near_the_edges_cover(score: float, seeds: int, examples: int) -> None:
    generator, covered = np.random.default_rng([seeds, examples]), 0
    for _ in range(200):
        difficulty = generator.random(examples)  # what all seeds fail on is half the story
        own = generator.random((seeds, examples))
        right = np.where(generator.random(examples) < 0.5, difficulty, own) < score
        low, high = resample_scores([means(right.astype(float))], resamples=500).interval(0)
        assert 0 <= low < high <= 1
        covered += low <= score <= high
    assert covered >= 0.92 * 200


def test_no_interval_is_a_point_or_leaves_the_range() -> None:
    """All right, all wrong, seeds that spread over the edge, a BLEU of 0: every one holds the score and some room."""
    spread = np.zeros((3, 200))
    spread[0, :190], spread[1, :199], spread[2, :120] = 1, 1, 1
    rows = [means(np.zeros((1, 200))), means(np.ones((3, 200))), means(spread)]
    scores = resample_scores(rows, resamples=2000)
    for row in range(3):
        low, high = scores.interval(row)
        assert 0 <= low <= scores.point[row] <= high <= 1
        assert high - low > 0.005
        for other in range(3):
            low, high = scores.difference_interval(row, other)
            assert -1 <= low < high <= 1
    nothing = bleu_statistics(["x y z w"] * 40, ["a b c d"] * 40)
    low, high = resample_scores([ExampleStatistics(nothing[None], Bleu().aggregate)]).interval(0)
    assert low == 0 < high < 0.1


def test_interval_of_a_difference_is_that_of_the_paired_differences() -> None:
    from scipy.stats import t

    generator = np.random.default_rng(6)
    first = (generator.random(800) < 0.6).astype(float)
    second = np.where(generator.random(800) < 0.8, first, generator.random(800) < 0.5)
    scores = resample_scores([means(first[None]), means(second[None])])
    difference = first - second
    half = t.ppf(0.975, 799) * difference.std(ddof=1) / np.sqrt(800)
    assert scores.difference_interval(0, 1) == pytest.approx(
        (difference.mean() - half, difference.mean() + half), abs=0.06 * half
    )


def test_few_groups_widen_the_interval_as_students_t_does() -> None:
    from scipy.stats import t

    generator = np.random.default_rng(4)
    by_group = np.clip(generator.normal(0.5, 0.06, 5), 0, 1)
    values = (generator.random((5, 400)) < by_group[:, None]).astype(float)
    groups = np.repeat(np.arange(5), 400)
    low, high = resample_scores([means(values.reshape(1, -1))], units=groups, resamples=20_000).interval(0)
    half = t.ppf(0.975, 4) * values.mean(axis=1).std(ddof=1) / np.sqrt(5)
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)


def test_unequal_groups_count_as_fewer() -> None:
    assert intervals.effective_units(None, 70) == 70
    assert intervals.effective_units(np.repeat([3, 5, 9], 4), 12) == pytest.approx(3)
    # Worked by hand: sizes 1, 1 and 8; (10^2) / (1 + 1 + 64).
    assert intervals.effective_units(np.array([1, 2] + [3] * 8), 10) == pytest.approx(100 / 66)


def test_one_group_alone_has_no_interval() -> None:
    scores = resample_scores([means(np.eye(1, 50))], units=np.zeros(50), resamples=100)
    assert np.isnan(scores.interval(0)).all()
    assert np.isnan(scores.difference_interval(0, 0)).all()


def test_grouped_examples_are_drawn_together() -> None:
    """Copies of an example carry no evidence of their own: drawn by group, they leave the interval as it was."""
    values = (np.random.default_rng(2).random(100) < 0.5).astype(float)
    single = resample_scores([means(values[None])], resamples=4000)
    copied = np.repeat(values, 9)[None]
    grouped = resample_scores([means(copied)], units=np.repeat(np.arange(100), 9), resamples=4000)
    ungrouped = resample_scores([means(copied)], resamples=4000)
    assert grouped.interval(0) == pytest.approx(single.interval(0), abs=0.004)
    assert grouped.covariance == pytest.approx(single.covariance)
    assert np.diff(ungrouped.interval(0)) < 0.5 * np.diff(single.interval(0))


def test_seeds_are_averaged_in_the_same_resamples() -> None:
    values = np.random.default_rng(3).random((3, 50))
    together = resample_scores([ExampleStatistics(means(values).values, MEAN, seeded=False)], resamples=100)
    apart = resample_scores([means(row[None]) for row in values], resamples=100)
    assert together.resampled[0] == pytest.approx(apart.resampled.mean(axis=0))
    assert together.covariance[0, 0] == pytest.approx(apart.covariance.mean())
    assert together.point[0] == pytest.approx(values.mean())


def test_the_seed_decides_and_memory_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).random((1, 40))
    whole = resample_scores([means(values)], resamples=50, seed=5)
    assert np.array_equal(whole.resampled, resample_scores([means(values)], resamples=50, seed=5).resampled)
    assert not np.array_equal(whole.resampled, resample_scores([means(values)], resamples=50, seed=6).resampled)
    monkeypatch.setattr(intervals, "_CHUNK", 40 * 7)  # seven resamples at a time
    assert whole.resampled == pytest.approx(resample_scores([means(values)], resamples=50, seed=5).resampled)


def test_rows_of_different_test_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="must share a non-empty test set"):
        resample_scores([means(np.ones((1, 3))), means(np.ones((1, 4)))])


def test_wilsons_interval_by_hand() -> None:
    """26 of 50: (.52 + 1.92 / 50 ± 1.96 √(.52 · .48 / 50 + 3.84 / 10,000)) / (1 + 3.84 / 50)."""
    assert wilson_interval(26, 50) == pytest.approx((0.3851, 0.6520), abs=1e-4)
