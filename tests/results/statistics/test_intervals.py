"""Scores of resamples and their intervals, compared with sacreBLEU, SciPy and scikit-learn."""

import numpy as np
import pytest

from tests.support.sentences import bleu_statistics, sentences
from tunegrid.results.statistics import intervals
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.tasks.metrics.accuracy import Accuracy
from tunegrid.tasks.metrics.bleu import Bleu

MEAN = Accuracy().aggregate


def test_bleu_of_every_resample_is_that_of_its_sentences() -> None:
    """The weights times the statistics are what drawing the sentences themselves would have given."""
    from sacrebleu.metrics import BLEU

    hypotheses, references = sentences(30, seed=4, kept=0.7)
    rows = [ExampleStatistics(bleu_statistics(hypotheses, references)[None], Bleu().aggregate)]
    resampled = resample_scores(rows, resamples=5, seed=9).resampled[0]
    drawn = np.random.default_rng(9).integers(30, size=(5, 30))
    for score, picks in zip(resampled, drawn, strict=True):
        hypothesis, reference = [hypotheses[i] for i in picks], [references[i] for i in picks]
        assert 100 * score == pytest.approx(BLEU().corpus_score(hypothesis, [reference]).score)


def means(values: np.ndarray) -> ExampleStatistics:
    """A row of mean scores from [seeds, examples]."""
    return ExampleStatistics(np.stack([values, np.ones_like(values)], axis=-1), MEAN)


def test_interval_is_scipys() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    values = np.random.default_rng(1).random(300)
    mine = resample_scores([means(values[None])], resamples=20_000).interval(0)
    theirs = scipy_bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert mine == pytest.approx((theirs.low, theirs.high), abs=2e-3)


def test_grouped_examples_are_drawn_together() -> None:
    """Copies of an example carry no evidence of their own: drawn by group, they leave the interval as it was."""
    values = (np.random.default_rng(2).random(100) < 0.5).astype(float)
    single = resample_scores([means(values[None])], resamples=4000)
    copied = np.repeat(values, 9)[None]
    grouped = resample_scores([means(copied)], units=np.repeat(np.arange(100), 9), resamples=4000)
    ungrouped = resample_scores([means(copied)], resamples=4000)
    assert grouped.interval(0) == pytest.approx(single.interval(0), abs=1e-9)
    assert np.diff(ungrouped.interval(0)) < 0.5 * np.diff(single.interval(0))


def test_seeds_are_averaged_in_the_same_resamples() -> None:
    values = np.random.default_rng(3).random((3, 50))
    together = resample_scores([ExampleStatistics(means(values).values, MEAN, seeded=False)], resamples=100)
    apart = resample_scores([means(row[None]) for row in values], resamples=100)
    assert together.resampled[0] == pytest.approx(apart.resampled.mean(axis=0))
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
