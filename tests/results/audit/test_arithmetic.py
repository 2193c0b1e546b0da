"""The arithmetic of the audit, against counting everything: no size is missed, none is invented."""

import math
from decimal import Decimal
from fractions import Fraction
from itertools import product

import pytest

from tunegrid.results.audit import grim
from tunegrid.results.audit.classification import LabelScores, groups, share_interval, shares
from tunegrid.results.audit.printed import ONE_UNIT, parse
from tunegrid.results.audit.search import fitting, pairs, tolerance


def half_up(value: Fraction, digits: int) -> Fraction:
    return Fraction(math.floor(value * 10**digits + Fraction(1, 2)), 10**digits)


def half_even(value: Fraction, digits: int) -> Fraction:
    return round(value, digits)


@pytest.mark.parametrize(
    ("text", "percent", "value", "unit"),
    [
        ("0.9425", False, "0.9425", "0.0001"),
        (".94", False, "0.94", "0.01"),
        ("1", False, "1", "1"),
        ("85.2312", True, "0.852312", "0.000001"),
        ("85.2312%", True, "0.852312", "0.000001"),
        ("90", True, "0.9", "0.01"),
        ("0.9400", False, "0.94", "0.0001"),  # the zeros are digits too
        ("−0.1", False, "-0.1", "0.1"),
    ],
)
def test_the_digits_of_a_number_are_those_of_its_text(text: str, percent: bool, value: str, unit: str) -> None:
    printed = parse(text, percent)
    assert printed.value == Fraction(value)
    assert printed.unit == Fraction(unit)
    assert printed.interval() == (Fraction(value) - Fraction(unit) / 2, Fraction(value) + Fraction(unit) / 2)


@pytest.mark.parametrize("text", ["", " ", "-", "–", "—"])
def test_an_empty_cell_is_no_number(text: str) -> None:
    assert parse(text, False) is None


@pytest.mark.parametrize("text", ["0,94", "1e-4", "94%", "n/a", "0.9.4", "nan", "inf", "0.94*", "٠.٩"])
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a number|percentage"):
        parse(text, False)


def test_a_float_of_full_precision_fits_its_own_size() -> None:
    for size, count in ((3, 1), (10570, 8892), (14016, 11946), (7, 5)):
        for text, percent in ((repr(count / size), False), (repr(100 * count / size), True)):
            assert grim.roundings(parse(text, percent), size), (text, size)
            assert not grim.roundings(parse(text, percent), size + 1)


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_sizes_are_those_that_counting_finds(digits: int) -> None:
    scale = 10**digits
    for number in range(0, scale + 1, max(1, scale // 25)):
        printed = parse(f"{number / scale:.{digits}f}", False)
        for size in range(1, min(2 * scale, 120)):
            fractions = [Fraction(count, size) for count in range(size + 1)]
            ways = {
                name
                for name, rounded in ((grim.HALF_UP, half_up), (grim.HALF_EVEN, half_even))
                if any(rounded(fraction, digits) == printed.value for fraction in fractions)
            }
            assert grim.roundings(printed, size) == ways, (printed.text, size)


def test_a_tie_says_how_it_was_rounded() -> None:
    # 1 / 8 = 0.125 and 3 / 8 = 0.375
    assert grim.roundings(parse("0.12", False), 8) == {grim.HALF_EVEN}
    assert grim.roundings(parse("0.13", False), 8) == {grim.HALF_UP}
    assert grim.roundings(parse("0.38", False), 8) == {grim.HALF_UP, grim.HALF_EVEN}
    assert not grim.roundings(parse("0.37", False), 8)
    assert not grim.common_roundings([parse("0.12", False), parse("0.63", False)], 8)  # no one way gives both
    assert grim.sizes([parse("0.13", False)], 8) == [grim.Size(8, frozenset({grim.HALF_UP}))]


def test_splits_are_those_of_scikit_learn() -> None:
    from sklearn.model_selection import train_test_split

    for total, first, second in ((87599, 0.2, 0.2), (25000, 0.1, 0.25), (999, 0.15, 0.5)):
        train, held = train_test_split(range(total), test_size=first, random_state=0)
        inner = train_test_split(train, test_size=second, random_state=0)[1]
        assert any(f"{first:.0%} of {total:,}" in words for words in grim.splits(total, len(held)))
        expected = f"{second:.0%} of what a split of {first:.0%} leaves of {total:,}"
        assert expected in grim.splits(total, len(inner))
    assert grim.splits(87599, 14017) == []


def counted(true: int, false: int, missed: int, rest: int) -> dict[str, Fraction]:
    """The scores of a table of counts, by their definitions; 0 where there is nothing to divide by."""

    def share(part: int, whole: int) -> Fraction:
        return Fraction(part, whole) if whole else Fraction(0)

    return {
        "accuracy": share(true + rest, true + false + missed + rest),
        "precision": share(true, true + false),
        "recall": share(true, true + missed),
        "f1": share(2 * true, 2 * true + false + missed),
    }


def printed(scores: dict[str, Fraction], digits: int) -> LabelScores:
    quantum = Decimal(1).scaleb(-digits)
    texts = {
        name: str((Decimal(value.numerator) / Decimal(value.denominator)).quantize(quantum))
        for name, value in scores.items()
    }
    return LabelScores(*(parse(texts[name], False) for name in ("accuracy", "precision", "recall", "f1")))


@pytest.mark.parametrize("table", [(5, 2, 1, 4), (3, 0, 2, 4), (1, 4, 4, 1), (7, 1, 0, 3), (0, 2, 3, 6)])
def test_pairs_are_those_that_counting_finds(table: tuple[int, int, int, int]) -> None:
    scores, most = printed(counted(*table), 2), 12
    given = (scores.accuracy, scores.precision, scores.recall, scores.f1)
    best: dict[tuple[int, int], Fraction] = {}
    for true, false, missed, rest in product(range(most + 1), repeat=4):
        size = true + false + missed + rest
        if 0 < size <= most:
            computed = counted(true, false, missed, rest).values()
            worst = max(abs(score - other.value) * 100 for score, other in zip(computed, given, strict=True))
            key = (size, true + missed)
            best[key] = min(best.get(key, worst), worst)
    expected = {key: float(worst) for key, worst in best.items() if worst <= 1}
    fits = {
        (pair.size, pair.positives): pair.tolerance
        for size in range(1, most + 1)
        for pair in fitting([scores], size, (Fraction(0), Fraction(1)))
    }
    assert fits == pytest.approx(expected)
    assert fits[sum(table), table[0] + table[2]] <= 0.5
    if shares([scores], ONE_UNIT):  # the search tries only the shares of positives that are possible
        assert {(pair.size, pair.positives) for pair in pairs([scores], most)} == set(expected)


def test_the_share_of_positives_is_that_of_the_counts() -> None:
    for true, false, missed, rest in ((700, 30, 60, 400), (5, 90, 20, 3), (450, 450, 50, 50)):
        scores = printed(counted(true, false, missed, rest), 4)
        low, high = share_interval(scores)
        assert low <= Fraction(true + missed, true + false + missed + rest) <= high
        assert high - low < Fraction(1, 100)


def test_rows_that_say_nothing_of_positives_are_no_limit() -> None:
    assert share_interval(printed(counted(5, 0, 0, 5), 4)) is None  # no error at all
    assert share_interval(printed(counted(0, 2, 3, 5), 4)) is None  # nothing found
    assert shares([printed(counted(5, 0, 0, 5), 4)]) is None
    assert list(pairs([printed(counted(5, 0, 0, 5), 4)], 50)) == []


def test_an_accuracy_below_what_precision_and_recall_allow_has_no_share() -> None:
    # Precision .5 and recall .9: at worst the positives are s = 1 / 1.9 of all, and accuracy is 1 - s = .4737.
    low, high = share_interval(printed(dict(counted(9, 9, 1, 0), accuracy=Fraction(47, 100)), 3))
    assert low > high
    low, high = share_interval(printed(dict(counted(9, 9, 1, 0), accuracy=Fraction(474, 1000)), 3))
    assert low <= Fraction(10, 19) <= high


def test_groups_are_as_large_as_they_can_be() -> None:
    def between(*ends: tuple[int, int]) -> list[tuple[Fraction, Fraction]]:
        return [(Fraction(low), Fraction(high)) for low, high in ends]

    assert groups(between((0, 2), (1, 3), (2, 4), (9, 9))) == [[0, 1, 2], [3]]
    assert groups(between((0, 1), (5, 6), (5, 7), (6, 8), (1, 2))) == [[1, 2, 3], [0, 4]]
    assert groups(between((3, 2), (1, 5))) == [[1], [0]]


def test_the_tolerance_of_a_tie_is_a_half() -> None:
    # 1 of 8 found, all right: recall .125 is printed .12 or .13, half a unit away
    exact = counted(1, 0, 7, 8)
    for recall in ("0.12", "0.13"):
        scores = printed(exact, 2)
        scores = LabelScores(scores.accuracy, scores.precision, parse(recall, False))
        assert tolerance(scores, 16, 8) == 0.5
