"""The statistics, held against sacreBLEU, SciPy, scikit-learn and a worked example."""

import numpy as np
import pytest

from tunegrid.results.statistics import bootstrap as statistics
from tunegrid.results.statistics.bootstrap import Bootstrap, ExampleStatistics, bootstrap, holm, paired_tests

WORDS = ["the", "a", "dog", "cat", "house", "sees", "runs", "old", "small", "green", "and", "with", "under", "river"]


def sentences(count: int, seed: int, kept: float) -> tuple[list[str], list[str]]:
    generator = np.random.default_rng(seed)
    references = [" ".join(generator.choice(WORDS, generator.integers(5, 15))) for _ in range(count)]
    hypotheses = [
        " ".join(word if generator.random() < kept else generator.choice(WORDS) for word in reference.split())
        for reference in references
    ]
    return hypotheses, references


def bleu_statistics(hypotheses: list[str], references: list[str]) -> np.ndarray:
    """[sentences, 10], by sacreBLEU itself."""
    from sacrebleu.metrics import BLEU

    rows = BLEU()._extract_corpus_statistics(hypotheses, [references])
    return np.array(rows, dtype=float)


@pytest.mark.parametrize(
    ("hypotheses", "references"),
    [
        sentences(50, seed=1, kept=0.8),
        sentences(20, seed=2, kept=0.1),
        sentences(1, seed=3, kept=0.5),
        (["the dog sees"], ["the dog sees"]),  # too short for four-grams: 0
        (["xyz uvw rst opq lmn"], ["the dog sees the cat"]),  # no match at all
        (["the uvw rst dog lmn"], ["the cat sees the dog"]),  # matches of one word only: smoothed
        (["the dog"] * 4, ["the dog sees the old cat"] * 4),  # brevity penalty
        ([""], ["the dog"]),
        (["the old dog sees the small cat"], ["the old dog sees the small cat"]),
    ],
)
def test_bleu_is_sacrebleus(hypotheses: list[str], references: list[str]) -> None:
    from sacrebleu.metrics import BLEU

    mine = statistics.bleu(bleu_statistics(hypotheses, references).sum(axis=0))
    assert 100 * mine == pytest.approx(BLEU().corpus_score(hypotheses, [references]).score, abs=1e-9)


def test_bleu_of_every_resample_is_that_of_its_sentences() -> None:
    """The weights times the statistics are what drawing the sentences themselves would have given."""
    from sacrebleu.metrics import BLEU

    hypotheses, references = sentences(30, seed=4, kept=0.7)
    rows = [ExampleStatistics(bleu_statistics(hypotheses, references)[None], statistics.bleu)]
    resampled = bootstrap(rows, resamples=5, seed=9).resampled[0]
    drawn = np.random.default_rng(9).integers(30, size=(5, 30))
    for score, picks in zip(resampled, drawn, strict=True):
        hypothesis, reference = [hypotheses[i] for i in picks], [references[i] for i in picks]
        assert 100 * score == pytest.approx(BLEU().corpus_score(hypothesis, [reference]).score)


def test_classification_scores_are_scikit_learns() -> None:
    from sklearn.metrics import precision_recall_fscore_support

    generator = np.random.default_rng(0)
    gold, said = generator.random(200) < 0.4, generator.random(200) < 0.5
    sums = np.array([(gold & said).sum(), (~gold & said).sum(), (gold & ~said).sum()], dtype=float)
    expected = precision_recall_fscore_support(gold, said, average="binary")[:3]
    assert [statistics.precision(sums), statistics.recall(sums), statistics.f1(sums)] == pytest.approx(expected)
    assert statistics.precision(np.zeros(3)) == statistics.f1(np.zeros(3)) == 0


def means(values: np.ndarray) -> ExampleStatistics:
    """A row of mean scores from [seeds, examples]."""
    return ExampleStatistics(np.stack([values, np.ones_like(values)], axis=-1), statistics.mean)


def test_interval_is_scipys() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    values = np.random.default_rng(1).random(300)
    mine = bootstrap([means(values[None])], resamples=20_000).interval(0)
    theirs = scipy_bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert mine == pytest.approx((theirs.low, theirs.high), abs=2e-3)


def test_grouped_examples_are_drawn_together() -> None:
    """Copies of an example carry no evidence of their own: drawn by group, they leave the interval as it was."""
    values = (np.random.default_rng(2).random(100) < 0.5).astype(float)
    single = bootstrap([means(values[None])], resamples=4000)
    copied = np.repeat(values, 9)[None]
    grouped = bootstrap([means(copied)], units=np.repeat(np.arange(100), 9), resamples=4000)
    ungrouped = bootstrap([means(copied)], resamples=4000)
    assert grouped.interval(0) == pytest.approx(single.interval(0), abs=1e-9)
    assert np.diff(ungrouped.interval(0)) < 0.5 * np.diff(single.interval(0))


def test_seeds_are_averaged_in_the_same_resamples() -> None:
    values = np.random.default_rng(3).random((3, 50))
    together = bootstrap([ExampleStatistics(means(values).values, statistics.mean, seeded=False)], resamples=100)
    apart = bootstrap([means(row[None]) for row in values], resamples=100)
    assert together.resampled[0] == pytest.approx(apart.resampled.mean(axis=0))
    assert together.point[0] == pytest.approx(values.mean())


def test_the_seed_decides_and_memory_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).random((1, 40))
    whole = bootstrap([means(values)], resamples=50, seed=5)
    assert np.array_equal(whole.resampled, bootstrap([means(values)], resamples=50, seed=5).resampled)
    assert not np.array_equal(whole.resampled, bootstrap([means(values)], resamples=50, seed=6).resampled)
    monkeypatch.setattr(statistics, "_CHUNK", 40 * 7)  # seven resamples at a time
    assert whole.resampled == pytest.approx(bootstrap([means(values)], resamples=50, seed=5).resampled)


def test_rows_of_different_test_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="must share a non-empty test set"):
        bootstrap([means(np.ones((1, 3))), means(np.ones((1, 4)))])


def test_differences_are_paired() -> None:
    """Two results that fail on the same examples differ for certain, though each alone is uncertain."""
    right = np.arange(200) < 100
    worse = right & (np.arange(200) >= 10)
    scores = bootstrap([means(right[None].astype(float)), means(worse[None].astype(float))], resamples=4000)
    low, high = scores.difference_interval(0, 1)
    assert 0.02 < low < 0.05 < high < 0.085
    overlap = scores.interval(0)[0] < scores.interval(1)[1]
    assert overlap
    assert paired_tests(scores).p_value[0] < 0.01


def test_holm_on_a_worked_example() -> None:
    """Four p-values worked by hand, the example of the Wikipedia article on the Holm–Bonferroni method."""
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.9])) == pytest.approx([1.0, 1.0])
    assert holm(np.array([[0.01, 0.5], [0.5, 0.01]])) == pytest.approx(np.array([[0.02, 0.5], [0.5, 0.02]]))
    assert holm(np.empty(0)).shape == (0,)


def test_paired_p_values_are_near_the_normal_ones() -> None:
    from scipy.stats import norm

    generator = np.random.default_rng(8)
    first, difference = generator.random(400), generator.normal(0.02, 0.2, 400)
    scores = bootstrap([means(first[None]), means((first + difference)[None])], resamples=20_000)
    z = difference.mean() / (difference.std() / np.sqrt(400))
    assert paired_tests(scores).p_value[0] == pytest.approx(2 * norm.sf(z), abs=0.01)


def test_false_alarms_are_as_rare_as_promised() -> None:
    """Rows drawn from one distribution: about one test in twenty rejects at 5%."""
    generator = np.random.default_rng(5)
    alarms = 0
    for _ in range(200):
        rows = [means(row[None]) for row in (generator.random((2, 150)) < 0.6).astype(float)]
        alarms += paired_tests(bootstrap(rows, resamples=400)).p_value[0] <= 0.05
    assert 2 <= alarms <= 22


def test_identical_rows_are_never_separated() -> None:
    values = np.random.default_rng(3).random((1, 40))
    tests = paired_tests(bootstrap([means(values), means(values)], resamples=200))
    assert tests.p_value[0] == 1
    assert not tests.separated().any()


def test_tied_set() -> None:
    separated = np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], dtype=bool)
    assert statistics.tied_with_best(np.array([0.9, 0.8, 0.1]), separated).tolist() == [True, True, False]


def test_one_row_alone_has_no_pairs() -> None:
    scores = Bootstrap(np.array([0.5]), np.full((1, 10), 0.5))
    tests = paired_tests(scores)
    assert len(tests.p_value) == 0
    assert tests.separated().tolist() == [[False]]
    assert statistics.separated_in_resamples(scores, tests).shape == (10, 1, 1)


def test_resamples_are_enough_for_holm() -> None:
    """With few resamples no p-value could be small enough to survive the correction."""
    assert statistics.resamples_for(9) == 10_000
    rows = 30
    pairs = rows * (rows - 1) // 2
    assert pairs / (statistics.resamples_for(rows) + 1) < statistics.ALPHA / 5
