"""The stages of the workflow: every rule's command."""

from __future__ import annotations

import argparse
import os

from tunegrid.cli.command import Commands, Supervised, known, prepare_to_compute, same_settings
from tunegrid.common.errors import TuneGridError
from tunegrid.runtime.attempts import Attempt
from tunegrid.study.cells import UNTUNED, Cell, Run
from tunegrid.study.stage_settings import (
    choice_settings,
    data_settings,
    evaluation_settings,
    model_settings,
    run_settings,
    token_settings,
    trial_settings,
)
from tunegrid.study.study import Study


def add_to(commands: Commands) -> None:
    cell = ("task", "model", "method")
    commands.job("fetch-data", _fetch_data, "Read, clean and check the rows of a task.", "task")
    commands.job("fetch-model", _fetch_model, "Copy or download a pretrained model.", "model")
    commands.job("pretrain", _pretrain, "Pretrain a small model.", "model", heavy=True)
    commands.job(
        "tokenise", _tokenise, "Turn the rows of a task into a model's token ids.", "task", "model", heavy=True
    )
    supervised = Supervised(lambda given: f"{_name(given)}, seed {given.seed}", _run, _train_died)
    train = commands.supervised_job("train", _train, "Train one run.", *cell, supervised=supervised)
    train.add_argument("--seed", type=int, required=True)
    supervised = Supervised(lambda given: f"{_name(given)}, search x {given.factor}", _trial, _search_trial_died)
    text = "Try one learning rate of a cell."
    commands.supervised_job("search-trial", _search_trial, text, *cell, "factor", supervised=supervised)
    commands.job("search-choice", _search_choice, "Choose a cell's learning rate among its trials.", *cell)
    evaluate = commands.job("evaluate", _evaluate, "Predict and score the test set.", *cell, heavy=True)
    evaluate.add_argument("--seed", type=int, help="the run's seed; none for --method untuned")
    text = "Score a baseline that needs no pretrained model."
    commands.job("baseline", _baseline, text, "task", "name", heavy=True)
    commands.job("tables", _tables, "Collect the results into tables/*.csv.")
    report = commands.job("report", _report, "Render the report from the results that are there.")
    report.add_argument("--no-pdf", action="store_true", help="LaTeX and HTML only")


def _fetch_data(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.stages.fetch_data import fetch_data

    known(options.task, study.grid.tasks, "task")
    same_settings(data_settings(study, options.task), options)
    fetch_data(options.task, study.task(options.task), study.paths.data(options.task))


def _fetch_model(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.stages.fetch_model import fetch_model

    known(options.model, study.grid.models, "model")
    same_settings(model_settings(study, options.model), options)
    fetch_model(study, options.model, study.paths.model(options.model))


def _pretrain(study: Study, options: argparse.Namespace) -> None:
    known(options.model, study.grid.models, "model")
    same_settings(model_settings(study, options.model), options)
    prepare_to_compute(study, model=True)
    from tunegrid.stages.fetch_model import pretrain_model

    pretrain_model(study, options.model, study.paths.model(options.model))


def _tokenise(study: Study, options: argparse.Namespace) -> None:
    known(options.task, study.grid.tasks, "task")
    known(options.model, study.grid.models, "model")
    same_settings(token_settings(study, options.task, options.model), options)
    prepare_to_compute(study)
    if study.hardware.threads > 1:  # the tokenizers are parallel by themselves; it alters nothing of the result
        os.environ |= {"TOKENIZERS_PARALLELISM": "true", "RAYON_NUM_THREADS": str(study.hardware.threads)}
    from tunegrid.stages.tokenise import tokenise

    task, model, paths = options.task, options.model, study.paths
    family = study.models[model].family
    tokenise(study.task(task, model), family, paths.data(task), paths.model(model), paths.tokens(task, model))


def _run(study: Study, options: argparse.Namespace) -> Run:
    """The run that is to be trained, with the settings that it was to have."""
    run = Run(_cell(study, options), options.seed)
    known(run.seed, study.seeds, "seed")
    same_settings(run_settings(study, run.cell), options)
    return run


def _train(study: Study, options: argparse.Namespace) -> None:
    run = _run(study, options)
    prepare_to_compute(study, model=True)
    from tunegrid.stages.train import train

    train(study, run, study.paths.run(run), Attempt(options.attempt, options.attempts))


def _train_died(study: Study, options: argparse.Namespace, reason: str, started: str) -> None:
    from tunegrid.stages.train import write_failure

    run = _run(study, options)
    write_failure(study, run, study.paths.run(run), reason, started)


def _trial(study: Study, options: argparse.Namespace) -> Cell:
    """The cell of a trial, with the settings that it was to have."""
    cell = _searched_cell(study, options)
    known(options.factor, study.search.trials, "factor of the search")
    same_settings(trial_settings(study, cell, options.factor), options)
    return cell


def _search_trial(study: Study, options: argparse.Namespace) -> None:
    cell = _trial(study, options)
    prepare_to_compute(study, model=True)
    from tunegrid.stages.search import run_trial

    run_trial(study, cell, options.factor, Attempt(options.attempt, options.attempts))


def _search_trial_died(study: Study, options: argparse.Namespace, reason: str, started: str) -> None:
    from tunegrid.stages.search import write_failed_trial

    write_failed_trial(study, _trial(study, options), options.factor, reason, started)


def _search_choice(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.stages.search import choose_rate

    cell = _searched_cell(study, options)
    same_settings(choice_settings(study, cell), options)
    choose_rate(study, cell)


def _evaluate(study: Study, options: argparse.Namespace) -> None:
    known(options.task, study.grid.tasks, "task")
    known(options.model, study.grid.models, "model")
    same_settings(evaluation_settings(study, options.task), options)
    prepare_to_compute(study, model=True)
    from tunegrid.stages.evaluate import evaluate_run, evaluate_untuned

    if options.method == UNTUNED:
        evaluate_untuned(study, options.task, options.model, study.paths.untuned(options.task, options.model))
    else:
        cell = _cell(study, options)
        known(options.seed, study.seeds, "seed")
        run = Run(cell, options.seed)
        evaluate_run(study, run, study.paths.run(run))


def _baseline(study: Study, options: argparse.Namespace) -> None:
    known(options.task, study.grid.tasks, "task")
    known(options.name, study.task(options.task).baselines(), "baseline")
    same_settings(evaluation_settings(study, options.task), options)
    prepare_to_compute(study)
    from tunegrid.stages.evaluate import evaluate_baseline

    evaluate_baseline(study, options.task, options.name, study.paths.baseline(options.task, options.name))


def _tables(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.stages.tables import write_tables

    write_tables(study)


def _report(study: Study, options: argparse.Namespace) -> None:
    from tunegrid.stages.report import write_report

    for file in write_report(study, pdf=not options.no_pdf):
        print(file)


def _name(options: argparse.Namespace) -> Cell:
    return Cell(options.task, options.model, options.method)


def _cell(study: Study, options: argparse.Namespace) -> Cell:
    cell = _name(options)
    known(cell, study.cells(), "cell (task_model_method)")
    return cell


def _searched_cell(study: Study, options: argparse.Namespace) -> Cell:
    if study.search is None:
        raise TuneGridError(f"{', '.join(options.config)}: search: not given, so the study searches no learning rates.")
    return _cell(study, options)
