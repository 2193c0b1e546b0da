"""Commands about a study: its parts, its cost, its status, and the files that it no longer needs."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable

from tunegrid.cli.command import Commands, number
from tunegrid.cli.outputs import check_study_output, output_path
from tunegrid.study.checks import check_files
from tunegrid.study.load import load_study
from tunegrid.study.study import Study


def add_to(commands: Commands) -> None:
    commands.on_study("check", _check, "Check a study's configuration and print what it consists of.")
    plan = commands.on_study("plan", _plan, "Estimate what a study costs: time, memory, disk; runs nothing.")
    plan.add_argument("--device", help="h100, a100, t4, cpu (measured here), …; default: what the study runs on")
    plan.add_argument("--csv", type=output_path, help="also write one row per cell to this file")
    text = "assumed standard deviation of scores between seeds, in points (default: 1)"
    plan.add_argument("--seed-sd", type=_number(0, 100), default=1.0, metavar="POINTS", help=text)
    text = "assumed share of test rows that one of two cells gets right and the other wrong (default: 10)"
    plan.add_argument("--disagreement", type=_number(0, 100), default=10.0, metavar="PERCENT", help=text)
    commands.on_study("summary", _summary, "Say which runs are done, which failed and where the report is.")
    status = commands.on_study(
        "status", _status, "Show the status of a study: jobs done, running, waiting and failed; time remaining."
    )
    text = "repeat every SECONDS (default: 10) until the study is done"
    status.add_argument("--watch", type=_number(0.01, 86_400), nargs="?", const=10.0, metavar="SECONDS", help=text)
    clean = commands.on_study("clean", _clean, "Remove what a finished study no longer needs.")
    clean.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    which = clean.add_mutually_exclusive_group()
    which.add_argument("--weights", action="store_true", help="remove the tuned weights, too")
    which.add_argument("--checkpoints", action="store_true", help="remove only checkpoints, of runs that are done")
    text = "Resolve the study's Hub revisions to commits, and write them to a lock file next to its (first) file."
    pin = commands.add("pin", _pin, text)  # it loads the study itself, without the lock that it will write
    pin.add_argument("config", nargs="+", help="the study's YAML file; further files are laid over it")
    pin.add_argument("--check", action="store_true", help="write nothing; exit 1 if a revision is another commit now")


def _check(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.study.describe import describe

    check_files(study)
    text = _ceilings(study)  # refuses label words that do not fit
    print(describe(study))
    print(text, end="")


def _plan(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.study.plan.text import print_plan

    check_study_output(study, options.config, options.csv)
    text = _ceilings(study)
    print_plan(study, options.device, options.csv)
    print(_findable(study, options.seed_sd / 100, options.disagreement / 100))
    print(text, end="")


def _findable(study: Study, seed_sd: float, disagreement: float) -> str:
    """How small a difference the study could find, by assumed variances."""
    from tunegrid.results.planned_power import Design, planned_power
    from tunegrid.study.plan.sizes import Sizes

    cells, sizes = Counter(cell.task for cell in study.cells()), Sizes(study)
    designs = [Design(task, sizes.rows(task).rows["test"], len(study.seeds), count) for task, count in cells.items()]
    return planned_power(designs, seed_sd, disagreement)


def _number(least: float, most: float) -> Callable[[str], float]:
    """The type of an option that is a number from `least` to `most`."""
    return number(lambda value: least <= value <= most, f"is no number from {least:g} to {most:g}")


def _ceilings(study: Study) -> str:
    """Lines on the scores that vocabularies and lengths allow, where tokenizers and test rows are here."""
    from tunegrid.study.local_ceilings import SAMPLE, local_ceilings

    ceilings = local_ceilings(study)
    if not ceilings:
        return ""
    from tunegrid.results.ceilings import ceiling_rows, ceiling_sentences
    from tunegrid.stages.expected import expected

    sentences = ceiling_sentences(expected(study), ceiling_rows(expected(study), ceilings))
    title = f"ceilings below 0.99 (of the first {SAMPLE:,} test rows at most)\n"
    return title + "".join(f"  {sentence}\n" for sentence in sentences) if sentences else ""


def _summary(study: Study, options: argparse.Namespace) -> int:
    from tunegrid.stages.summary import summarise

    text, complete = summarise(study, options.config)
    print(text)
    return 0 if complete else 1


def _status(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.results.records import read_any_record
    from tunegrid.study.status import read_status, show_status

    show_status(lambda: read_status(study, options.config, read_any_record), options.watch)


def _clean(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.study.clean import clean

    print(clean(study, weights=options.weights, checkpoints_only=options.checkpoints, dry_run=options.dry_run))


def _pin(options: argparse.Namespace) -> int:
    from tunegrid.study import lock

    return lock.pin(load_study(*options.config, locked=False), options.config[0], options.check)
