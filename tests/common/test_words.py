"""Numbers and enumerations as messages and tables print them."""

from tunegrid.common.digits import (
    binary_size,
    duration,
    fine_percent,
    megabytes,
    percent,
    rough_duration,
    without_exponent,
)
from tunegrid.common.words import listed, number_word, plural


def test_enumerations() -> None:
    assert [listed(names) for names in ("", "a", "ab", "abc")] == ["none", "a", "a and b", "a, b and c"]
    assert listed("abcde", most=3) == "a, b and 3 more"
    assert [plural(count, "row") for count in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]
    assert [number_word(count) for count in (0, 12, 13)] == ["no", "twelve", "13"]


def test_percentages() -> None:
    assert [percent(x) for x in (None, 0.0, 0.0001, 0.031, 1)] == ["–", "0.0%", "<0.1%", "3.1%", "100.0%"]
    assert [fine_percent(x) for x in (1, 0.9999, 0.031, 0.00047, 0.005)] == ["100%", "100%", "3.1%", "0.047%", "0.50%"]


def test_sizes() -> None:
    assert [binary_size(x) for x in (None, 12, 1023 * 1024, 1.5 * 2**30)] == ["–", "12 bytes", "1.0 MiB", "1.5 GiB"]
    assert megabytes(25_165_824) == "25.2 MB"


def test_large_numbers_have_no_exponent() -> None:
    assert [without_exponent(x) for x in (0.01234, 9.995, 999.4, 999.6, 1734)] == [
        "0.0123",
        "9.99",
        "999",
        "1,000",
        "1,734",
    ]
    assert [without_exponent(x, 4) for x in (2.5, 123_456_789)] == ["2.5", "123,456,789"]


def test_durations() -> None:
    assert [duration(s) for s in (0.02, 41, 192, 5400)] == ["0.02 s", "41 s", "3.2 min", "1.5 h"]
    assert [rough_duration(s) for s in (3, 200, 5400, 90_000, 1e6)] == ["3 s", "3.3 min", "90 min", "25 h", "11.6 days"]
