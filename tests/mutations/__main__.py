"""Mutates studies, command lines, rows, checkpoints and results by seed, and looks at what the product makes of them.

Usage, in a clone: python -m tests.mutations --seed 1 --count 2000

Every case is run by the real commands, in a process of its own. The exit code is 1 if one ended with a traceback, with
no end, without a message, or accepted what judgements.yaml does not know, or if accepted rows or settings differ in more
than what was mutated.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Runs the script."""
    from tests.mutations.script import KINDS, STATES, judge, outcomes

    options = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__.splitlines()[0])
    options.add_argument("--seed", type=int, default=1, help="seed of all cases (default: 1)")
    options.add_argument("--count", type=int, default=100, help="how many cases, in turn of each kind (default: 100)")
    options.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="only these kinds")
    options.add_argument("--only", type=int, help="only the case of this number, with all that it prints")
    options.add_argument("--accepted", action="store_true", help="also list every accepted case with its judgement")
    given = options.parse_args(arguments)
    numbers = range(given.count) if given.only is None else [given.only]
    counts: Counter[tuple[str, str]] = Counter()
    failures = 0
    with tempfile.TemporaryDirectory(prefix="tunegrid-mutations-") as folder:
        for number, kind, case, outcome in outcomes(Path(folder), given.seed, numbers, given.kinds):
            counts[kind, outcome.state] += 1
            judgement = judge(kind, case) if outcome.state == "accepted" else None
            good = outcome.state == "refused" or judgement is not None
            failures += not good
            if not good or given.only is not None or (given.accepted and judgement):
                print(
                    f"{number} {kind}: {outcome.state}: {case.name}" + (f" ({judgement})" if judgement else ""),
                    flush=True,
                )
            if outcome.state not in ("accepted", "refused") or given.only is not None:
                print(
                    f"    tunegrid {case.commands}\n    " + "\n    ".join(outcome.output.splitlines()[-25:]), flush=True
                )
    for kind in given.kinds:
        print(f"{kind:14}", *(f"{counts[kind, state]:6} {state}" for state in STATES))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
