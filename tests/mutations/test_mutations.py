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
def test_many_mutations_end_without_a_traceback(tmp_path, kind):
    """What is accepted is judged by `python -m tests.mutations`, which may find what nobody has looked at."""
    ends = {case.name: outcome for _, _, case, outcome in outcomes(tmp_path, 4, range(60), [kind])}
    assert {name: end.output[-2000:] for name, end in ends.items() if end.state not in ("accepted", "refused")} == {}


def test_a_case_depends_on_its_seed_and_number_alone(tmp_path):
    runs = [
        [case for _, _, case, _ in outcomes(tmp_path / name, 5, [2, 3], ("studies", "rows"))] for name in ("one", "two")
    ]
    assert runs[0] == runs[1]
