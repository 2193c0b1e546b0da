"""Mutated input ends with a message, or is accepted for a reason that somebody has written down."""

import pytest

from tests.mutations.script import KINDS, judge, outcomes


def assert_no_surprise(folder, seed: int, count: int, kinds=tuple(KINDS)) -> None:
    surprises = [
        f"{number} {kind}: {outcome.state}: {case.name}\n{outcome.output[-2000:]}"
        for number, kind, case, outcome in outcomes(folder, seed, range(count), kinds)
        if outcome.state != "refused" and not (outcome.state == "accepted" and judge(kind, case))
    ]
    assert surprises == []


def test_a_few_mutations_end_with_a_message_or_are_known(tmp_path):
    quick = ("studies", "command-lines", "rows")  # the others train a model, or make one
    assert_no_surprise(tmp_path, seed=3, count=4 * len(quick), kinds=quick)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutations_end_with_a_message_or_are_known(tmp_path, kind):
    """With another seed than the one above; `python -m tests.mutations` takes any."""
    assert_no_surprise(tmp_path, seed=4, count=60, kinds=[kind])


def test_a_case_depends_on_its_seed_and_number_alone(tmp_path):
    runs = [
        [case for _, _, case, _ in outcomes(tmp_path / name, 5, [2, 3], ("studies", "rows"))] for name in ("one", "two")
    ]
    assert runs[0] == runs[1]
