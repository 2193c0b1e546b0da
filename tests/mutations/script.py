"""The kinds of mutations, the cases of a seed, and what is known of accepted ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from random import Random
from typing import get_args

import yaml

from tests.mutations import checkpoints, command_lines, records, rows, studies
from tests.mutations.execute import Case, Outcome, State, execute

KINDS = {
    "studies": studies,
    "command-lines": command_lines,
    "rows": rows,
    "checkpoints": checkpoints,
    "records": records,
}
STATES = get_args(State)
# Numbers and values that no setting of a study may have, whatever a pattern says of its key.
NEVER_IN_STUDIES = ("infinity", "not a number", "a huge number", "a huge integer", "a date", "in a mapping")


def outcomes(
    folder: Path, seed: int, numbers: Iterable[int], kinds: Sequence[str] = tuple(KINDS)
) -> Iterator[tuple[int, str, Case, Outcome]]:
    """Yields (number, kind, case, outcome) of cases; a case depends on the seed, its number and its kind alone.

    A case is `altered` where it was accepted, but more came out of it than the mutation alone can have changed.
    """
    import tunegrid.cli.dispatch  # noqa: F401 (once, before the processes of the cases are made)

    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        KINDS[kind].prepare(folder / kind)
    for number in numbers:
        kind = kinds[number % len(kinds)]
        case = KINDS[kind].mutate(Random(f"{seed} {kind} {number}"), folder / kind)
        outcome = execute(case, folder / kind)
        surprise = getattr(KINDS[kind], "surprise", None)
        if outcome.state == "accepted" and surprise and (altered := surprise(folder / kind, case)):
            outcome = Outcome("altered", altered)
        yield number, kind, case, outcome


def judge(kind: str, case: Case) -> str | None:
    """Returns why a case may be accepted: the judgements of all its mutations; None: nobody has looked at one of them."""
    where, mutations = case.name.split(": ", 1)
    reasons = []
    for mutation in mutations.split(" + "):
        name = f"{where}: {mutation}"
        if kind == "studies" and mutation.rpartition(": ")[2] in NEVER_IN_STUDIES:
            return None
        patterns = judgements().get(kind, {}).items()
        if (reason := next((why for pattern, why in patterns if fnmatchcase(name, pattern)), None)) is None:
            return None
        reasons.append(reason)
    return "; ".join(reasons)


@cache
def judgements() -> dict[str, dict[str, str]]:
    """Kind -> pattern of the name of a mutation -> why it may be accepted."""
    return yaml.safe_load(Path(__file__).with_name("judgements.yaml").read_text(encoding="utf-8")) or {}
