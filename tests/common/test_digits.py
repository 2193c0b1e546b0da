"""Numbers with their spread: no digits that the spread does not carry."""

import pytest

from tunegrid.common.digits import duration_with_spread, probability, with_spread


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    [
        (4.9, 0.296, "4.90 ± 0.30"),
        (4.9, 2.96, "4.9 ± 3.0"),
        (1234.5, 56.7, "1,234 ± 57"),
        (1234.5, 5678, "1,234 ± 5,678"),
        (0.00123, 0.00045, "0.00123 ± 0.00045"),
        (3.228118, 0.000083, "3.228 ± <0.001"),
        (3.228118, 0.00062, "3.228 ± 0.001"),
        (12345.6, 0.3, "12,346 ± <1"),
        (21.5, 0.0, "21.5"),
        (21.5, float("nan"), "21.5"),
    ],
)
def test_a_mean_has_the_digits_of_its_spread(mean, spread, text):
    assert with_spread(mean, spread) == text


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    [(4.9, 0.296, "4.90 ± 0.30 s"), (90.0, 6.0, "1.50 ± 0.10 min"), (7200.0, 360.0, "2.00 ± 0.10 h")],
)
def test_a_time_and_its_spread_have_one_unit(mean, spread, text):
    assert duration_with_spread(mean, spread) == text


def test_an_estimated_probability_is_never_certain():
    assert [probability(value) for value in (0.0, 0.004, 0.5, 0.994, 0.9951, 1.0)] == [
        "<0.01",
        "<0.01",
        "0.50",
        "0.99",
        ">0.99",
        ">0.99",
    ]
