"""Kills a study at random moments, restarts it, and compares the results with those of an undisturbed one.

Usage, in a clone: python -m tests.deaths --kills 100 --seed 1 --csv deaths.csv
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Runs the script; returns 0 if every death was survived without a difference, else 1."""
    from tests.deaths.kinds import KINDS, ON_SLURM
    from tests.deaths.record import coverage, read, table

    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` ends the processes that were started
    titles = {kind.name: kind.title for kind in (*KINDS, *ON_SLURM)}
    if options.show:
        deaths = [death for file in options.show for death in read(file)]
    else:
        from tests.deaths.script import Script

        folder = Path(tempfile.mkdtemp(prefix="tunegrid-deaths-", dir=options.folder))
        deaths = Script(folder, options).run()
    print(f"\n{table(deaths, titles)}\n\n{coverage(deaths)}")
    failures = [death for death in deaths if not death.survived]
    for death in failures:
        print(f"\n{death.line()}\n      {death.folder}", file=sys.stderr)
    return 1 if failures or not deaths else 0


def parser() -> argparse.ArgumentParser:
    from tests.deaths.kinds import KINDS, ON_SLURM

    options = argparse.ArgumentParser(prog="python -m tests.deaths", description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=10, help="how many deaths (default: 10)")
    options.add_argument("--seed", type=int, default=1, help="seed of kinds and moments (default: 1)")
    options.add_argument("--csv", type=Path, help="write every death to this file, as soon as it is over")
    options.add_argument("--only", type=int, help="only the death of this number")
    options.add_argument("--minutes", type=float, help="begin no death after so many minutes")
    names = [kind.name for kind in (*KINDS, *ON_SLURM)]
    options.add_argument("--kinds", nargs="+", choices=names, metavar="KIND", help=f"only these: {', '.join(names)}")
    options.add_argument("--slurm", type=Path, help="folder of a cluster that tests/slurm/cluster.sh has brought up")
    options.add_argument("--folder", type=Path, help="where temporary folders are made (default: the system's place)")
    options.add_argument(
        "--show", type=Path, nargs="+", metavar="CSV", help="only the table of what was written before"
    )
    return options


if __name__ == "__main__":
    sys.exit(main())
