"""The rule of the recommendation, in made-up cases whose answer is known."""

import numpy as np
import pytest

from tunegrid.results.statistics.collapses import find_collapses
from tunegrid.results.statistics.intervals import ExampleStatistics, resample_scores
from tunegrid.results.statistics.recommend import Candidate, Recommendation, from_printed, from_tests
from tunegrid.study.limits import Measured, Recommend
from tunegrid.tasks.metrics.label_counts import Accuracy

MEAN = Accuracy().aggregate

EXAMPLES = 1000


def candidate(
    method: str, trainable: int, printed: str = "0.5", model: str = "T5", total: int = 1000, **more
) -> Candidate:
    return Candidate(model, method, float(printed.rstrip("%")), printed, trainable, total, **more)


def recommended(scores: dict[str, tuple[float, int]], **more) -> Recommendation:
    """Recommends among cells given by their score and trainable parameters, on 1,000 examples."""
    candidates, rows = [], []
    for number, (method, (score, trainable)) in enumerate(scores.items()):
        right = np.random.default_rng(number).permutation(EXAMPLES) < score * EXAMPLES
        values = np.stack([right, np.ones(EXAMPLES)], axis=-1)[None].astype(float)
        rows.append(ExampleStatistics(values, MEAN))
        candidates.append(candidate(method, trainable, f"{score:.3f}"))
    return from_tests(candidates, resample_scores(rows, resamples=2000), "accuracy", **more)


def test_a_clear_winner_is_recommended_whatever_it_costs() -> None:
    recommendation = recommended({"full": (0.9, 1000), "lora": (0.6, 30), "adapters": (0.5, 10)})
    assert recommendation.chosen.method == "full"
    assert [cell.method for cell in recommendation.tied] == ["full"]
    assert recommendation.stability == 1
    assert (
        recommendation.rationale == "Best accuracy (0.900), separated from both others; trains 100% of its parameters."
    )


def test_of_tied_cells_the_cheapest_is_recommended() -> None:
    recommendation = recommended({"full": (0.9, 1000), "lora": (0.895, 30), "adapters": (0.5, 10)})
    assert recommendation.chosen.method == "lora"
    assert [cell.method for cell in recommendation.tied] == ["full", "lora"]
    assert recommendation.rationale == (
        f"Ties with the best (T5 + full, accuracy 0.900; here 0.895; −0.0050 [−{-recommendation.loss.low:.4f}, "
        f"+{recommendation.loss.high:.4f}] against it) and trains 3.0% of its parameters, 3.0% of what the best trains."
    )


def test_where_nothing_separates_the_rationale_says_so() -> None:
    recommendation = recommended({"full": (0.8, 1000), "lora": (0.801, 30), "adapters": (0.799, 10)})
    assert recommendation.chosen.method == "adapters"
    assert len(recommendation.tied) == 3
    assert recommendation.rationale.startswith(
        "No clear winner: nothing separates the three cells. The cheapest trains 1.0%"
    )


def test_a_tie_that_only_the_correction_for_many_pairs_makes_is_said_to_be_one() -> None:
    """0.87 against 0.90 on 1,000 examples: 2.1 standard errors, p = .035, and .105 after Holm's first step of three."""
    recommendation = recommended({"full": (0.9, 1000), "lora": (0.87, 30), "adapters": (0.885, 50)})
    assert recommendation.chosen.method == "lora"
    assert recommendation.loss.high < 0
    assert recommendation.rationale.endswith(
        "That interval is of this pair alone and does not reach 0: only the correction for all 3 pairs keeps the two "
        "together."
    )
    others = recommended({"full": (0.9, 1000), "lora": (0.895, 30), "adapters": (0.5, 10)})
    assert "correction" not in others.rationale


def test_stability_falls_where_a_cell_is_only_just_separated() -> None:
    recommendation = recommended({"full": (0.9, 1000), "lora": (0.868, 30)})
    assert 0.3 < recommendation.stability < 0.95


def test_without_seeds_to_tell_from_there_is_no_stability() -> None:
    assert recommended({"full": (0.9, 1000), "lora": (0.868, 30)}, seeds_known=False).stability is None


def test_the_loss_is_the_paired_difference_to_the_best_with_its_interval() -> None:
    recommendation = recommended({"full": (0.9, 1000), "lora": (0.88, 30)}, percent=True)
    lost = recommendation.loss
    assert lost.value == pytest.approx(-0.02)
    # Two independent proportions of 1,000 examples: 1.96 standard errors.
    half = 1.96 * ((0.9 * 0.1 + 0.88 * 0.12) / 1000) ** 0.5
    assert lost.low == pytest.approx(-0.02 - half, abs=0.003)
    assert lost.high == pytest.approx(-0.02 + half, abs=0.003)
    assert f"−2.0 points [−{-100 * lost.low:.1f}, +{100 * lost.high:.1f}] against it" in recommendation.rationale


def test_the_best_cell_loses_nothing_against_itself_whatever_its_seeds() -> None:
    def seeds(*scores: float) -> ExampleStatistics:
        right = [np.random.default_rng(n).permutation(EXAMPLES) < s * EXAMPLES for n, s in enumerate(scores)]
        return ExampleStatistics(np.stack([right, np.ones((3, EXAMPLES))], axis=-1).astype(float), MEAN)

    rows = [seeds(0.88, 0.9, 0.95), seeds(0.5, 0.6, 0.65)]
    cells = [candidate("full", 1000, "0.910"), candidate("lora", 30, "0.583")]
    lost = from_tests(cells, resample_scores(rows, resamples=500), "accuracy", margin=0.01).loss
    assert (lost.value, lost.low, lost.high) == (0, 0, 0)


def test_with_a_margin_only_what_is_shown_to_be_within_it_is_recommended() -> None:
    """0.895 against 0.900 on 1,000 examples: one half of the 90 % interval is 0.022."""
    cells = {"full": (0.9, 1000), "lora": (0.895, 30), "adapters": (0.84, 10)}
    assert recommended(cells).chosen.method == "lora"
    assert recommended(cells, margin=0.01).chosen.method == "full"
    assert recommended(cells, margin=0.04).chosen.method == "lora"
    separated_yet_within = recommended(cells, margin=0.1)
    assert separated_yet_within.chosen.method == "adapters"
    assert "Shown to be within 0.1 of the best (T5 + full" in separated_yet_within.rationale
    assert "no other cell is shown to be within 0.01 of it" in recommended(cells, margin=0.01).rationale


def test_on_one_article_nothing_is_shown_to_be_within_a_margin() -> None:
    right = np.random.default_rng(0).random((2, 1, EXAMPLES)) < 0.8
    rows = [
        ExampleStatistics(np.stack([values, np.ones_like(values)], axis=-1).astype(float), MEAN) for values in right
    ]
    cells = [candidate("full", 1000, "0.8"), candidate("lora", 30, "0.8")]
    scores = resample_scores(rows, np.zeros(EXAMPLES), resamples=500)
    assert len(from_tests(cells, scores, "accuracy", margin=0.5).tied) == 1


def with_collapses(scores: dict[str, tuple[tuple[float, ...], int]]) -> Recommendation:
    """Recommends among cells given by the scores of their seeds and their trainable parameters; chance is 0.5."""
    candidates, rows = [], []
    for number, (method, (of_seeds, trainable)) in enumerate(scores.items()):
        generator = np.random.default_rng(number)
        right = np.array([generator.permutation(EXAMPLES) < score * EXAMPLES for score in of_seeds])
        rows.append(ExampleStatistics(np.stack([right, np.ones_like(right)], axis=-1).astype(float), MEAN))
        collapses = find_collapses(of_seeds, 0.5)
        mean, words = np.mean(of_seeds), collapses.in_words(f"{collapses.median:.3f}") if collapses.count else ""
        more = {"collapsed": collapses.count, "collapse": words}
        candidates.append(candidate(method, trainable, f"{mean:.3f}", **more))
    return from_tests(candidates, resample_scores(rows, resamples=2000), "accuracy")


def test_a_cell_with_a_collapsed_seed_is_not_recommended_as_tied() -> None:
    """Its variance ties it with every other cell; the cheapest of the tied would be the one that collapsed."""
    cells = {"full": ((0.93, 0.92, 0.94), 1000), "lora": ((0.93, 0.50, 0.49), 30), "adapters": ((0.91, 0.92, 0.93), 60)}
    recommendation = with_collapses(cells)
    assert recommendation.chosen.method == "adapters"
    assert [cell.method for cell in recommendation.tied] == ["full", "adapters"]
    assert recommendation.notes == (
        "T5 + lora (not recommended: 2 of 3 seeds collapsed (median 0.500, 33% of the seeds above the baseline))",
    )


def test_a_higher_mean_that_holds_a_collapse_is_named() -> None:
    recommendation = with_collapses({"full": ((0.98, 0.98, 0.77), 1000), "lora": ((0.89, 0.90, 0.91), 30)})
    assert recommendation.chosen.method == "lora"
    assert "T5 + full has the higher mean (0.910), but 1 of 3 seeds collapsed" in recommendation.rationale


def test_a_cell_far_ahead_is_recommended_although_a_seed_of_it_collapsed_and_that_is_said() -> None:
    recommendation = with_collapses({"full": ((0.95, 0.95, 0.60), 1000), "lora": ((0.60, 0.61, 0.62), 30)})
    assert recommendation.chosen.method == "full"
    assert "The mean of T5 + full misleads: 1 of 3 seeds collapsed (median 0.950" in recommendation.rationale


def test_where_every_cell_has_a_collapsed_seed_the_recommendation_says_so() -> None:
    recommendation = with_collapses({"full": ((0.95, 0.95, 0.50), 1000), "lora": ((0.9, 0.9, 0.5), 30)})
    assert recommendation.chosen.method == "lora"
    for cell in ("T5 + lora", "T5 + full"):
        assert f"The mean of {cell} misleads: 1 of 3 seeds collapsed" in recommendation.rationale


def test_with_one_seed_only_what_other_seeds_would_have_shown_is_not_known() -> None:
    """The same two cells: by their first seed alone the examples separate them, by three seeds nothing does."""
    accuracies = {"full": (0.70, 0.55, 0.66), "lora": (0.60, 0.72, 0.58)}

    def chosen(seeds: int) -> Recommendation:
        generator, rows = np.random.default_rng(3), []
        for of_seeds in accuracies.values():
            right = [generator.permutation(EXAMPLES) < accuracy * EXAMPLES for accuracy in of_seeds[:seeds]]
            values = np.stack([np.array(right), np.ones((seeds, EXAMPLES))], axis=-1).astype(float)
            rows.append(ExampleStatistics(values, MEAN))
        candidates = [candidate("full", 1000), candidate("lora", 30)]
        return from_tests(candidates, resample_scores(rows, resamples=2000), "accuracy")

    single, three = chosen(1), chosen(3)
    assert (single.chosen.method, len(single.tied)) == ("full", 1)
    assert (three.chosen.method, len(three.tied)) == ("lora", 2)


def test_failed_cells_are_left_out_and_named() -> None:
    recommendation = recommended({"lora": (0.6, 30)}, left_out=["BART + Adapters (diverged: loss not finite)"])
    assert recommendation.chosen.method == "lora"
    assert recommendation.notes == ("BART + Adapters (diverged: loss not finite)",)
    assert recommendation.rationale.startswith("The only cell with a result")


def test_no_cell_at_all() -> None:
    recommendation = from_printed([], "accuracy", ["all failed"])
    assert recommendation.chosen is None
    assert recommendation.stability is None
    assert "No cell has a result" in recommendation.rationale


def test_printed_numbers_tie_where_they_print_the_same() -> None:
    cells = [candidate("full", 1000, "0.9425"), candidate("lora", 30, "0.9425"), candidate("adapters", 10, "0.9424")]
    recommendation = from_printed(cells, "accuracy")
    assert recommendation.chosen.method == "lora"
    assert len(recommendation.tied) == 2
    assert recommendation.stability is None


def test_what_was_only_printed_is_not_called_tested() -> None:
    recommendation = from_printed([candidate("full", 1000, "94.3%"), candidate("lora", 30, "90.0%")], "EM")
    assert (
        recommendation.rationale
        == "Best EM (94.3%), in print above the only other cell; trains 100% of its parameters."
    )


@pytest.mark.parametrize(
    ("cheaper", "dearer"),
    [
        (candidate("a", 10), candidate("b", 11, total=10)),
        (candidate("a", 10, total=90), candidate("b", 10, total=91)),
        (
            candidate("a", 10, measured=Measured(train_seconds=5.0)),
            candidate("b", 10, measured=Measured(train_seconds=6.0)),
        ),
        (candidate("a", 10, measured=Measured(train_seconds=5.0)), candidate("b", 10)),
    ],
)
def test_order_of_costs(cheaper: Candidate, dearer: Candidate) -> None:
    for cells in ([cheaper, dearer], [dearer, cheaper]):
        assert from_printed(cells, "accuracy").chosen is cheaper


def test_a_cell_that_does_not_beat_the_baseline_is_no_silent_winner() -> None:
    recommendation = from_printed([candidate("lora", 30, baseline="level")], "accuracy")
    assert recommendation.rationale.endswith("It is not separated from the trivial baseline.")


def test_the_studys_own_cost_decides_among_tied_cells() -> None:
    cells = {
        "full": Measured(train_seconds=60, saved_bytes=9e8, latency_seconds=0.02, prediction_memory_bytes=2**30),
        "lora": Measured(train_seconds=90, saved_bytes=2e7, latency_seconds=0.03, train_flops=1e12),
    }
    for name, chosen, says in (
        ("train_hours", "full", "trains in 1 min"),
        ("saved_bytes", "lora", "saves 20 MB"),
        ("latency", "full", "answers in 0.02 s"),
        ("prediction_memory", "full", "predicts in 1 GiB"),
        ("train_flops", "lora", "trains with 1e+12 floating-point operations"),
        ("train_gpu_memory", "lora", "has a cost that is not known"),
    ):
        candidates = [
            candidate(method, trainable, measured=cells[method], cost_name=name)
            for method, trainable in (("full", 1000), ("lora", 30))
        ]
        recommendation = from_printed(candidates, "accuracy")
        assert recommendation.chosen.method == chosen
        assert says in recommendation.rationale


@pytest.mark.parametrize(
    ("limits", "measured", "says"),
    [
        ({"max_train_hours": 1.0}, {"train_seconds": 3601.0}, "1 hours to train, recommend.max_train_hours is 1"),
        ({"max_train_hours": 1.0}, {"train_seconds": 3600.0}, None),
        ({"max_train_gpu_memory": 2.0}, {"train_memory_bytes": 3.0 * 2**30}, "3 GiB to train"),
        (
            {"max_saved_bytes": 1000},
            {"saved_bytes": 2000.0},
            "2000 bytes of weights, recommend.max_saved_bytes is 1000",
        ),
        ({"max_saved_bytes": 1000}, {}, "what it needs is not known"),
        ({}, {}, None),
    ],
)
def test_limits_leave_out_what_is_over_them(limits: dict, measured: dict, says: str | None) -> None:
    reason = Recommend(**limits).reason_against(Measured(**measured))
    assert (reason is None) if says is None else says in reason


def test_a_cell_that_lost_seeds_says_so() -> None:
    cells = [candidate("full", 10, "0.9", incomplete="seed 2: diverged, the loss is nan"), candidate("lora", 3, "0.5")]
    assert "Not all of its seeds count: seed 2: diverged" in from_printed(cells, "accuracy").rationale
