"""The `tunegrid` command: one subcommand per stage of the workflow, each of which a person can run by hand.

Usage: tunegrid COMMAND CONFIG [options]; `tunegrid COMMAND --help` explains each.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tunegrid import __version__, warm
from tunegrid.cells import UNTUNED, Cell, Run
from tunegrid.errors import TuneGridError
from tunegrid.settings import did_you_mean
from tunegrid.study import Study

Command = Callable[[Study, argparse.Namespace], int | None]


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0, 1 for an error that the message explains, 2 for wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    if getattr(options, "heavy", False) and (code := warm.ask(arguments)) is not None:
        return code
    return run(options)


def run(options: argparse.Namespace) -> int:
    """Runs a command in this process."""
    terminal = _redirect(options.log) if getattr(options, "log", None) else sys.stderr
    try:
        return options.run(options) or 0
    except TuneGridError as error:
        for stream in {terminal, sys.stderr}:
            print(f"tunegrid: error: {error}", file=stream, flush=True)
        return 1
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="tunegrid", description="Compare tuning methods of encoder-decoders.")
    root.add_argument("--version", action="version", version=__version__)
    commands = root.add_subparsers(metavar="COMMAND", required=True)

    def command(
        name: str, run: Command, text: str, *names: str, job: bool = True, heavy: bool = False
    ) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        one.add_argument("config", nargs="+", help="the study's YAML file; further files are laid over it")
        for option in names:
            one.add_argument(f"--{option}", required=True)
        if job:
            one.add_argument("--log", type=Path, help="write the output to this file instead")
            one.add_argument("--settings", help="digest of the settings to run with; refuse if the file has others")
        one.set_defaults(run=lambda options: run(Study.load(*options.config), options), heavy=heavy)
        return one

    command("check", _check, "Check a study's configuration and print what it consists of.", job=False)
    plan = command("plan", _plan, "Estimate what a study costs: time, memory, disk; runs nothing.", job=False)
    plan.add_argument("--device", help="h100, a100, t4, cpu (measured here), …; default: what the study runs on")
    plan.add_argument("--csv", type=Path, help="also write one row per cell to this file")
    command("fetch-data", _fetch_data, "Read, clean and check the rows of a task.", "task")
    command("fetch-model", _fetch_model, "Copy or download a pretrained model.", "model")
    command("pretrain", _pretrain, "Pretrain a small model.", "model", heavy=True)
    command("tokenise", _tokenise, "Turn the rows of a task into a model's token ids.", "task", "model", heavy=True)
    train = command("train", _train, "Train one run.", "task", "model", "method", heavy=True)
    train.add_argument("--seed", type=int, required=True)
    names = ("task", "model", "method")
    command("search-trial", _search_trial, "Try one learning rate of a cell.", *names, "factor", heavy=True)
    command("search-choice", _search_choice, "Choose a cell's learning rate among its trials.", *names)
    evaluate = command("evaluate", _evaluate, "Predict and score the test set.", "task", "model", "method", heavy=True)
    evaluate.add_argument("--seed", type=int, help="the run's seed; none for --method untuned")
    command("baseline", _baseline, "Score a baseline that needs no pretrained model.", "task", "name", heavy=True)
    command("tables", _tables, "Collect the results into tables/*.csv.")
    report = command("report", _report, "Render the report from the results that are there.")
    report.add_argument("--no-pdf", action="store_true", help="LaTeX and HTML only")
    report.add_argument("--no-tables", action="store_true", help="leave tables/*.csv as they are")
    command("summary", _summary, "Say what is there, what failed and where the report is.", job=False)
    clean = command("clean", _clean, "Remove what a finished study no longer needs.", job=False)
    clean.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    which = clean.add_mutually_exclusive_group()
    which.add_argument("--weights", action="store_true", help="the tuned weights too")
    which.add_argument("--checkpoints", action="store_true", help="only checkpoints, of the runs that are done")

    command(
        "serve",
        _serve,
        "Import everything once and run the jobs that ask (the workflow starts this).",
        "socket",
        job=False,
    )
    text = (
        "Resolve what the study takes from the Hub to commits, and write them to a lock file beside its (first) file."
    )
    pin = commands.add_parser("pin", help=text, description=text)
    pin.add_argument("config", nargs="+", help="the study's YAML file; further files are laid over it")
    pin.add_argument("--check", action="store_true", help="write nothing; exit 1 if a revision is another commit now")
    pin.set_defaults(run=_pin)
    compare = commands.add_parser("compare", help="Say whether two results folders hold the same results.")
    compare.add_argument("first", type=Path)
    compare.add_argument("second", type=Path)
    compare.set_defaults(run=_compare)
    published = commands.add_parser("published", help="Render the paper's own tables through the same templates.")
    published.add_argument("folder", type=Path)
    published.set_defaults(run=_published)
    audit = commands.add_parser("audit", help="Check tables of scores by arithmetic: the paper's, or any in CSV files.")
    audit.add_argument(
        "folder", type=Path, nargs="?", help="CSV files as docs/audit.md says; default: the paper's tables"
    )
    audit.add_argument("--csv", type=Path, metavar="FILE", help="write the findings as CSV too")
    audit.add_argument("--pairs", type=Path, metavar="FILE", help="write every test size with its positives that fits")
    audit.set_defaults(run=_audit)
    schema = commands.add_parser("schema", help="Write the JSON Schema of configurations and results.")
    schema.add_argument("folder", type=Path)
    schema.set_defaults(run=_schema)
    return root


def _check(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.describe import describe

    study.check_files()
    print(describe(study))


def _plan(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.plan.text import print_plan

    print_plan(study, options.device, options.csv)


def _fetch_data(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.data import fetch_data

    _known(options.task, study.grid.tasks, "task")
    _same_settings(study.data_settings(options.task), options)
    fetch_data(options.task, study.task(options.task), study.paths.data(options.task))


def _fetch_model(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.models.stage import fetch_model

    _known(options.model, study.grid.models, "model")
    _same_settings(study.model_settings(options.model), options)
    fetch_model(study, options.model, study.paths.model(options.model))


def _pretrain(study: Study, options: argparse.Namespace) -> None:
    _known(options.model, study.grid.models, "model")
    _same_settings(study.model_settings(options.model), options)
    _compute(study)
    from tunegrid.models.stage import pretrain_model

    pretrain_model(study, options.model, study.paths.model(options.model))


def _tokenise(study: Study, options: argparse.Namespace) -> None:
    _known(options.task, study.grid.tasks, "task")
    _known(options.model, study.grid.models, "model")
    _same_settings(study.token_settings(options.task, options.model), options)
    _compute(study)
    if study.hardware.threads > 1:  # the tokenizers are parallel by themselves; it alters nothing of the result
        os.environ |= {"TOKENIZERS_PARALLELISM": "true", "RAYON_NUM_THREADS": str(study.hardware.threads)}
    from tunegrid.tokenise import tokenise

    task, model, paths = options.task, options.model, study.paths
    family = study.models[model].family
    tokenise(study.task(task, model), family, paths.data(task), paths.model(model), paths.tokens(task, model))


def _train(study: Study, options: argparse.Namespace) -> None:
    cell = _cell(study, options)
    _known(options.seed, study.seeds, "seed")
    _same_settings(study.run_settings(cell), options)
    _compute(study)
    from tunegrid.train import train

    train(study, Run(cell, options.seed), study.paths.run(cell.task, cell.model, cell.method, options.seed))


def _search_trial(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.search_settings import trial_settings

    cell = _searched_cell(study, options)
    _known(options.factor, study.search.trials, "factor of the search")
    _same_settings(trial_settings(study, cell, options.factor), options)
    _compute(study)
    from tunegrid.search import run_trial

    run_trial(study, cell, options.factor)


def _search_choice(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.search import choose_rate
    from tunegrid.search_settings import choice_settings

    cell = _searched_cell(study, options)
    _same_settings(choice_settings(study, cell), options)
    choose_rate(study, cell)


def _evaluate(study: Study, options: argparse.Namespace) -> None:
    _known(options.task, study.grid.tasks, "task")
    _known(options.model, study.grid.models, "model")
    _same_settings(study.evaluation_settings(options.task), options)
    _compute(study)
    from tunegrid.evaluate import evaluate_run, evaluate_untuned

    if options.method == UNTUNED:
        evaluate_untuned(study, options.task, options.model, study.paths.untuned(options.task, options.model))
    else:
        cell = _cell(study, options)
        _known(options.seed, study.seeds, "seed")
        evaluate_run(study, Run(cell, options.seed), study.paths.run(cell.task, cell.model, cell.method, options.seed))


def _baseline(study: Study, options: argparse.Namespace) -> None:
    _known(options.task, study.grid.tasks, "task")
    _known(options.name, study.task(options.task).baselines(), "baseline")
    _same_settings(study.evaluation_settings(options.task), options)
    _compute(study)
    from tunegrid.evaluate import evaluate_baseline

    evaluate_baseline(study, options.task, options.name, study.paths.baseline(options.task, options.name))


def _tables(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.report import write_tables

    write_tables(study)


def _report(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.report import write_report

    for file in write_report(study, pdf=not options.no_pdf, tables=not options.no_tables):
        print(file)


def _summary(study: Study, options: argparse.Namespace) -> int:
    from tunegrid.report import summarise

    text, complete = summarise(study)
    print(text)
    return 0 if complete else 1


def _clean(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.clean import clean

    print(clean(study, weights=options.weights, checkpoints_only=options.checkpoints, dry_run=options.dry_run))


def _serve(study: Study, options: argparse.Namespace) -> None:
    _compute(study)
    warm.serve(Path(options.socket), lambda arguments: run(parser().parse_args(arguments)))


def _pin(options: argparse.Namespace) -> int:
    from tunegrid import lock

    return lock.pin(Study.load(*options.config, locked=False), options.config[0], options.check)


def _compare(options: argparse.Namespace) -> int:
    from tunegrid.compare import compare

    differences = compare(options.first, options.second)
    print("\n".join(differences) or "the same results: weights and predictions byte for byte, metrics equal")
    return 1 if differences else 0


def _published(options: argparse.Namespace) -> None:
    from tunegrid.render import render_published, tex_engine

    for file in render_published(options.folder, pdf=tex_engine() is not None):
        print(file)


def _audit(options: argparse.Namespace) -> int:
    from tunegrid.audit.command import audit

    return audit(options.folder, options.csv, options.pairs)


def _schema(options: argparse.Namespace) -> None:
    from tunegrid import records, search_records
    from tunegrid.files import write_json

    schemas = {"study.json": Study.model_json_schema(), **records.json_schemas(), **search_records.json_schemas()}
    for name, schema in schemas.items():
        write_json(options.folder / f"{Path(name).stem}.schema.json", schema)


def _cell(study: Study, options: argparse.Namespace) -> Cell:
    cell = Cell(options.task, options.model, options.method)
    _known(cell, study.cells(), "cell (task_model_method)")
    return cell


def _searched_cell(study: Study, options: argparse.Namespace) -> Cell:
    if study.search is None:
        raise TuneGridError(f"{', '.join(options.config)}: search: not given, so the study searches no learning rates.")
    return _cell(study, options)


def _known(given: object, valid: object, what: str) -> None:
    if given not in valid:
        raise TuneGridError(f"the study has no {what} {given}. {did_you_mean(given, valid)}")


def _same_settings(settings: dict, options: argparse.Namespace) -> None:
    """A workflow that runs for days must not mix two versions of its configuration."""
    from tunegrid.provenance import digest

    if options.settings and options.settings != digest(settings):
        raise TuneGridError(
            f"{', '.join(options.config)}: its settings for this job have changed since the workflow started. "
            "Start the workflow again; it will run again what the change touches."
        )


def _compute(study: Study) -> None:
    """Before anything heavy is imported: the number of threads, and no network from here on."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(study.hardware.threads)
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def _redirect(log: Path) -> object:
    """Sends the output of this process, of its libraries too, to a file; returns the terminal, for an error."""
    log.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.fdopen(os.dup(2), "w")
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    sys.stdout.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)
    return terminal


if __name__ == "__main__":
    sys.exit(main())
