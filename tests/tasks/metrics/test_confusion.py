"""Macro F1, the F1 of each label and the Matthews correlation: against scikit-learn and by hand."""

import warnings

import numpy as np
import pytest

from tunegrid.tasks.metrics import METRICS
from tunegrid.tasks.metrics.confusion import MOST_LABELS, MacroF1, Matthews
from tunegrid.tasks.metrics.label_counts import ClassF1


def table(predictions, references):
    return {"prediction": list(predictions), "references": [[label] for label in references]}


@pytest.mark.parametrize("cases", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_scores_of_all_labels_are_scikit_learns(cases):
    from sklearn.metrics import f1_score, matthews_corrcoef

    generator = np.random.default_rng(0)
    for _ in range(cases):
        labels = [f"label {number}" for number in range(generator.integers(2, 6))]
        size = generator.integers(1, 30)
        gold, predicted = (generator.choice(labels, size).tolist() for _ in range(2))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            macro, matthews = f1_score(gold, predicted, average="macro"), matthews_corrcoef(gold, predicted)
            each = f1_score(gold, predicted, average=None, labels=labels, zero_division=0)
        data = table(predicted, gold)
        for metrics in ((MacroF1(tuple(labels)), Matthews(tuple(labels))), (MacroF1(), Matthews())):
            assert [metric.score(data) for metric in metrics] == pytest.approx([macro, matthews], abs=1e-12)
        assert [ClassF1(label).score(data) for label in labels] == pytest.approx(each, abs=1e-12)


def test_many_samples_at_once_are_each_scored_by_its_sums():
    data = table("aacabba", "abcbbcc")  # no label is wrong as often as it is missed
    statistics = MacroF1(("a", "b", "c")).statistics(data)
    drawn = np.array([[0, 1, 2, 0, 0, 0, 0], [6, 5, 4, 3, 2, 1, 0]])
    samples = [table([data["prediction"][i] for i in rows], [data["references"][i][0] for i in rows]) for rows in drawn]
    for metric in (MacroF1(("a", "b", "c")), Matthews(("a", "b", "c"))):
        assert metric.aggregate(statistics[drawn].sum(axis=1)) == pytest.approx(list(map(metric.score, samples)))


def test_matthews_by_hand():
    # 3 and 4 right of two labels, 1 and 2 wrong: (3*4 - 1*2) / sqrt(4 * 5 * 5 * 6)
    assert Matthews().score(table("pppp nn nnnn".replace(" ", ""), "pppn pp nnnn".replace(" ", ""))) == pytest.approx(
        (3 * 4 - 1 * 2) / (4 * 5 * 5 * 6) ** 0.5
    )
    assert Matthews().score(table("abab", "baba")) == -1 == Matthews.lowest


def test_what_has_no_correlation_says_so():
    assert Matthews().undefined(table("aaa", "aba")) == "every prediction is “a”"
    assert Matthews().undefined(table("aba", "bbb")) == "every test row is “b”"
    assert Matthews().undefined(table("ab", "ba")) is None


def test_more_labels_than_can_be_resampled_have_a_score_without_an_interval():
    labels = tuple(map(str, range(MOST_LABELS + 1)))
    data = table(labels, labels)
    for name in ("macro_f1", "matthews"):
        metric = METRICS[name](labels)
        assert metric.statistics(data) is None
        assert metric.score(data) == pytest.approx(1)
    assert MacroF1(labels[1:]).statistics(data).shape == (MOST_LABELS + 1, 3 * MOST_LABELS)


def test_the_names_of_a_label_s_score():
    metric = ClassF1("Sci/Tech")
    assert (metric.name, metric.title, metric.label) == ("f1_Sci/Tech", "F1, Sci/Tech", "F1 of “Sci/Tech”")
