"""The stages of the workflow: the table of their commands, one for each rule."""

from __future__ import annotations

import argparse
import os
import shlex
from importlib import import_module
from types import ModuleType

from tunegrid.cli.command import known
from tunegrid.cli.stage import Stage, checked
from tunegrid.common.errors import TuneGridError
from tunegrid.runtime.attempts import Attempt
from tunegrid.study import mixtures
from tunegrid.study import stage_settings as settings
from tunegrid.study.cells import UNTUNED, Cell, Run
from tunegrid.study.study import Study


def _tokenise(stage: ModuleType, study: Study, options: argparse.Namespace, task: str, model: str) -> None:
    if study.hardware.threads > 1:  # the tokenizers have threads of their own, which alter nothing of the result
        os.environ |= {"TOKENIZERS_PARALLELISM": "true", "RAYON_NUM_THREADS": str(study.hardware.threads)}
    family, paths = study.models[model].family, study.paths
    folders = paths.data(task), paths.model(model), paths.tokens(task, model)
    stage.tokenise(study.task(task, model), family, *folders, study.probe_sets(task))


def _train(stage: ModuleType, study: Study, options: argparse.Namespace, cell: Cell, seed: int) -> None:
    run = Run(cell, seed)
    if study.training_of(cell) != cell:
        target = f"--model {cell.model} --method {cell.method}"
        raise TuneGridError(
            f"{cell}: {cell.method} trains one model for several tasks: tunegrid train-mixture CONFIG {target} --seed "
            f"{seed}, then tunegrid share-training CONFIG --task {cell.task} {target} --seed {seed}"
        )
    stage.train(study, run, study.paths.run(run), Attempt(options.attempt, options.attempts))


def _train_died(stage: ModuleType, study: Study, reason: str, started: str, cell: Cell, seed: int) -> None:
    run = Run(cell, seed)
    stage.write_failure(study, run, study.paths.run(run), reason, started)


def _run(study: Study, options: argparse.Namespace) -> Run | None:
    """The run that is evaluated; None: the untuned model."""
    if options.method == UNTUNED and options.seed is None:
        return None
    return Run(checked("cell", study, options), checked("seed", study, options))


def _evaluate(stage: ModuleType, study: Study, options: argparse.Namespace, task: str, model: str) -> None:
    if options.method == UNTUNED and options.seed is not None:
        raise TuneGridError(
            f"--seed {options.seed}: the untuned model has no seed. For a run name its method; for the untuned "
            f"model: tunegrid evaluate {shlex.join(options.config)} --task {task} --model {model} --method untuned"
        )
    if run := _run(study, options):
        stage.evaluate_run(study, run, study.paths.run(run))
    else:
        stage.evaluate_untuned(study, task, model, study.paths.untuned(task, model))


def _evaluate_wordings(stage: ModuleType, study: Study, options: argparse.Namespace, cell: Cell) -> None:
    if options.seed is None:
        stage.evaluate_untuned_wordings(study, cell, study.paths.untuned_wordings(cell.task, cell.model, cell.method))
    else:
        run = Run(cell, checked("seed", study, options))
        stage.evaluate_wordings(study, run, study.paths.run(run))


def _evaluate_domains(stage: ModuleType, study: Study, options: argparse.Namespace, task: str, model: str) -> None:
    if run := _run(study, options):
        stage.evaluate_run_on_domains(study, run)
    else:
        stage.evaluate_untuned_on_domains(study, task, model)


def _evaluate_probes(stage: ModuleType, study: Study, options: argparse.Namespace, task: str, model: str) -> None:
    known(task, [settings.task for settings in study.probes.values()], "task with probes")
    if run := _run(study, options):
        stage.probe_run(study, run)
    else:
        stage.probe_untuned(study, task, model)


def _with_forgetting(study: Study) -> Study:
    if study.forgetting is None:
        raise TuneGridError("forgetting: not given, so the study measures no pretraining loss.")
    return study


def _report(stage: ModuleType, study: Study, options: argparse.Namespace) -> None:
    for file in stage.write_report(study, pdf=not options.no_pdf):
        print(file)


# fmt: off
STAGES = (
    Stage("fetch-data", "Read, clean and check the rows of a task.", "fetch_data", ["task"], settings.data_settings,
          lambda stage, study, _, task: stage.fetch_data(task, study.task(task), study.paths.data(task))),
    Stage("fetch-model", "Copy or download a pretrained model.", "fetch_model", ["model"], settings.model_settings,
          lambda stage, study, _, model: stage.fetch_model(study, model, study.paths.model(model))),
    Stage("fetch-pairs", "Read preference pairs, or make them of a task's rows.", "fetch_pairs", ["task", "pairs"],
          settings.pairs_settings,
          lambda stage, study, _, task, pairs:
              stage.fetch_pairs(study, task, pairs, study.paths.pairs(task, pairs))),
    Stage("sample-pairs", "Have a tuned model sample answers, and make preference pairs of them by a rule.",
          "sample_pairs", ["task", "model", "sampled"],
          lambda study, task, model, name: settings.pairs_settings(study, task, name, model),
          lambda stage, study, options, task, model, name:
              stage.sample_pairs(study, task, model, name, study.paths.pairs(task, name, model),
                                 Attempt(options.attempt, options.attempts)),
          "device", lambda stage, study, reason, started, task, model, name:
              stage.write_failed_pairs(study, task, model, name, study.paths.pairs(task, name, model), reason,
                                       started)),
    Stage("pretrain", "Pretrain a small model.", "pretrain", ["model"], settings.model_settings,
          lambda stage, study, _, model: stage.pretrain_model(study, model, study.paths.model(model)), "device"),
    Stage("tokenise", "Turn the rows of a task into a model's token ids.", "tokenise", ["task", "model"],
          settings.token_settings, _tokenise, "cpu"),
    Stage("train", "Train one run.", "train", ["cell", "seed"],
          lambda study, cell, seed: settings.run_settings(study, cell), _train, "device", _train_died),
    Stage("tokenise-mixture", "Turn the rows of several tasks into a model's token ids, each in one of its wordings.",
          "tokenise_mixture", ["mixture"], mixtures.mixture_settings,
          lambda stage, study, _, cell:
              stage.tokenise_mixture(study, cell, study.paths.mixture_tokens(cell.model, cell.method)), "cpu"),
    Stage("tokenise-wordings", "Turn the test rows of a task into a model's token ids, in each wording.",
          "tokenise_wordings", ["shared"], mixtures.wording_settings,
          lambda stage, study, _, cell: stage.tokenise_wordings(
              study, cell, study.paths.wording_tokens(cell.task, cell.model, cell.method)), "cpu"),
    Stage("train-mixture", "Train one model on a mixture of tasks.", "train", ["mixture", "seed"],
          lambda study, cell, seed: settings.run_settings(study, cell), _train, "device", _train_died),
    Stage("share-training", "Make what was trained on a mixture the run of a task.", "share_training",
          ["shared", "seed"], lambda study, cell, seed: settings.run_settings(study, cell),
          lambda stage, study, _, cell, seed:
              stage.share_training(study, Run(cell, seed), study.paths.run(Run(cell, seed)))),
    Stage("train-reward", "Train a reward model on preference pairs.", "train_reward", ["task", "model", "reward"],
          settings.reward_settings,
          lambda stage, study, options, task, model, reward:
              stage.train_reward(study, task, model, reward, study.paths.reward(task, model, reward),
                                 Attempt(options.attempt, options.attempts)),
          "device", lambda stage, study, reason, started, task, model, reward:
              stage.write_failed_reward(study, task, model, reward, study.paths.reward(task, model, reward), reason,
                                        started)),
    Stage("search-trial", "Try one learning rate of a cell.", "search", ["cell", "factor"], settings.trial_settings,
          lambda stage, study, options, cell, factor:
              stage.run_trial(study, cell, factor, Attempt(options.attempt, options.attempts)),
          "device", lambda stage, study, reason, started, cell, factor:
              stage.write_failed_trial(study, cell, factor, reason, started)),
    Stage("search-choice", "Choose a cell's learning rate among its trials.", "search", ["cell"],
          settings.choice_settings, lambda stage, study, _, cell: stage.choose_rate(study, cell)),
    Stage("evaluate", "Predict and score the test set.", "evaluate", ["task", "model"],
          lambda study, task, model: settings.evaluation_settings(study, task), _evaluate, "device"),
    Stage("compress", "Predict and score the test set with a run's weights in another form.", "compress",
          ["cell", "seed", "form"], lambda study, cell, seed, form: settings.form_settings(study, cell, form),
          lambda stage, study, _, cell, seed, form: stage.evaluate_form(
              study, Run(cell, seed), form, study.paths.run(Run(cell, seed, form))), "device"),
    Stage("evaluate-wordings", "Predict and score the test set in each wording of a mixture.", "evaluate_wordings",
          ["shared"], settings.worded_evaluation_settings, _evaluate_wordings, "device"),
    Stage("judge", "Compare a run with the one that it started from, by its reward model and by the task.", "judge",
          ["judged", "seed"], lambda study, cell, seed: settings.judgement_settings(study, cell),
          lambda stage, study, _, cell, seed: stage.judge(study, Run(cell, seed), study.paths.run(Run(cell, seed))),
          "device"),
    Stage("baseline", "Score a baseline that needs no pretrained model.", "evaluate", ["task", "name"],
          lambda study, task, name: settings.evaluation_settings(study, task),
          lambda stage, study, _, task, name:
              stage.evaluate_baseline(study, task, name, study.paths.baseline(task, name)),
          "cpu", lambda stage, study, reason, started, task, name:
              stage.write_failed_baseline(study, task, name, study.paths.baseline(task, name), reason, started)),
    Stage("fetch-domain", "Read, clean and check the test rows of another domain of a task.", "fetch_data",
          ["task", "domain"], settings.domain_settings,
          lambda stage, study, _, task, domain: stage.fetch_domain(
              task, domain, study.domain_task(task, domain), study.paths.domain(task, domain))),
    Stage("evaluate-domains", "Predict and score the other domains of a task.", "domains", ["task", "model"],
          settings.domains_settings, _evaluate_domains, "device"),
    Stage("baseline-domains", "Score a baseline on the other domains of a task.", "domains", ["task", "name"],
          lambda study, task, name: settings.domains_settings(study, task),
          lambda stage, study, _, task, name: stage.evaluate_baseline_on_domains(study, task, name), "cpu"),
    Stage("evaluate-probes", "Score the bias probes of a task.", "probes", ["task", "model"],
          settings.probes_settings, _evaluate_probes, "device"),
    Stage("held-out-text", "Write text that no model of the study was pretrained on.", "held_out_text", [],
          settings.held_out_settings,
          lambda stage, study, _: stage.write_held_out_text(_with_forgetting(study), study.paths.held_out_text)),
    Stage("evaluate-forgetting", "Measure a run's pretraining loss on held-out text.", "forgetting", ["cell", "seed"],
          settings.forgetting_settings,
          lambda stage, study, _, cell, seed:
              stage.forgetting_of_run(_with_forgetting(study), Run(cell, seed)), "device"),
    Stage("forgetting-untuned", "Measure an untuned model's pretraining loss.", "forgetting", ["model"],
          settings.forgetting_settings,
          lambda stage, study, _, model: stage.forgetting_of_untuned(_with_forgetting(study), model), "device"),
    Stage("tables", "Collect the results into tables/*.csv.", "tables", [], None,
          lambda stage, study, _: stage.write_tables(study)),
    Stage("report", "Render the report from the results that exist.", "report", [], None, _report),
)
# fmt: on

# What the stages that compute import late.
IMPORTED_LATE = (
    "adapters",
    "peft",
    "sacrebleu",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
    "transformers.data.metrics.squad_metrics",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bart.modeling_bart",
    "transformers.models.t5.modeling_t5",
    "tunegrid.models.generate",
    "tunegrid.models.reward",
    "tunegrid.stages.latency",
    "tunegrid.tasks.metrics.evaluate_metric",
    "tunegrid.training.trainer",
)


def import_everything() -> None:
    """Imports what the stages that compute import. None of it starts a thread, which would not live on in a fork."""
    for name in IMPORTED_LATE:
        import_module(name)
    for stage in STAGES:
        if stage.computes_on:
            stage.load()
