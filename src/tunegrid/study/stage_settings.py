"""The settings that alter the result of each stage: this file decides what runs again when a study changes.

Rules of the workflow have them as params, commands compare their digest, and records keep it.
"""

from __future__ import annotations

from typing import Any

from tunegrid.common.fields import Closed
from tunegrid.common.hub.source import commit_of
from tunegrid.methods.needs import PreferencePairs, TrainedReward
from tunegrid.models.forms import form_named
from tunegrid.study.cells import Cell, MixtureCell
from tunegrid.study.mixtures import mixture_settings, text_settings
from tunegrid.study.needs import needed_names
from tunegrid.study.study import Study
from tunegrid.tasks import TaskSettings
from tunegrid.training.settings import WITHOUT_EFFECT

# Part of a task's evaluation, but not of what its primary metric says about a learning rate.
_NO_PART_OF_A_TRIAL = {"evaluation_batch_size", "positive", "hardware", "engine"}


def data_settings(study: Study, task: str) -> dict[str, Any]:
    """What alters the rows of a task."""
    return _row_settings(study.tasks[task])


def domain_settings(study: Study, task: str, domain: str) -> dict[str, Any]:
    """What alters the rows of another domain of a task."""
    return _row_settings(study.domain_task(task, domain).settings)


def _row_settings(settings: TaskSettings) -> dict[str, Any]:
    chosen = settings.model_dump(include={"kind", "source", *settings.rows_depend_on})
    return chosen | {"source": _source_settings(settings.source)}


def _source_settings(source: Closed) -> dict[str, Any]:
    """A source at its locked commit, without the licence, which alters nothing."""
    return source.model_dump(exclude={"licence"}) | commit_of(source)


def pairs_settings(study: Study, task: str, name: str, model: str | None = None) -> dict[str, Any]:
    """What alters preference pairs; those of the task's rows depend on these, and sampled ones on the run, as files.

    Args:
        model: that learns from them; of pairs that are none of its own it alters nothing.
    """
    source = study.preferences[name].source
    settings = {"source": _source_settings(source)}
    if not study.preferences[name].of_model:
        return settings
    return settings | {
        "seed": study.seeds[0],
        "tokens": token_settings(study, task, model),
        "evaluation": _by_transformers(study, task),
    }


def reward_settings(study: Study, task: str, model: str, name: str) -> dict[str, Any]:
    """What alters a reward model, beside its pairs and the base model."""
    settings = study.rewards[name]
    return {
        **study.family(model).settings(),
        "training": settings.training.model_dump(exclude=WITHOUT_EFFECT),
        "seed": settings.seed,
        "pairs": pairs_settings(study, task, settings.pairs, model) | _template(study, settings.pairs),
        "hardware": study.hardware.model_dump(),
        "tokens": token_settings(study, task, model),
    }


def model_settings(study: Study, model: str) -> dict[str, Any]:
    """What alters a base model, beside the rows that it may be pretrained on."""
    settings = study.models[model]
    threads = {"threads": study.hardware.threads} if settings.source.kind == "pretrain" else {}
    return {**study.family(model).settings(), "source": _source_settings(settings.source)} | threads


def token_settings(study: Study, task: str, model: str) -> dict[str, Any]:
    """What alters the tokens of a task for a model, beside the rows and the model's tokenizer."""
    prompt = study.task(task, model).prompt(study.models[model].family)
    return {"prompt": prompt, **text_settings(study, task, model)}


def run_settings(study: Study, cell: Cell) -> dict[str, Any]:
    """What alters the weights of a cell's runs, beside the seed, the data and the base model."""
    settings = study.method_settings(cell)
    if isinstance(trained := study.training_of(cell), MixtureCell):
        method = {"kind": settings.kind, "method": settings.method.model_dump(exclude={"title"})}
        tokens = mixture_settings(study, trained)
    else:
        method, tokens = settings.model_dump(exclude={"title"}), token_settings(study, cell.task, cell.model)
    method.get("update", {}).pop("title", None)
    names = needed_names(study, cell, PreferencePairs)
    pairs = {name: pairs_settings(study, cell.task, name, cell.model) | _template(study, name) for name in names}
    names = needed_names(study, cell, TrainedReward)
    rewards = {name: reward_settings(study, cell.task, cell.model, name) for name in names}
    return {
        **study.family(cell.model).settings(),
        "method": method,
        "training": study.training_settings(cell).model_dump(exclude=WITHOUT_EFFECT),
        "hardware": study.hardware.model_dump(),
        "tokens": tokens,
        **({"preferences": pairs} if pairs else {}),
        **({"rewards": rewards} if rewards else {}),
    }


def _template(study: Study, name: str) -> dict[str, Any]:
    return study.preferences[name].model_dump(include={"template"})


def evaluation_settings(study: Study, task: str) -> dict[str, Any]:
    """What alters the predictions and scores on a task's test rows, beside the rows and the weights."""
    keys = {"kind", "generation", "evaluation_batch_size", *study.tasks[task].scores_depend_on}
    engine = study.evaluation.model_dump(exclude_defaults=True)  # the default keeps the digests of studies without it
    return study.tasks[task].model_dump(include=keys) | {"hardware": study.hardware.model_dump()} | engine


def _by_transformers(study: Study, task: str) -> dict[str, Any]:
    return {key: value for key, value in evaluation_settings(study, task).items() if key != "engine"}


def worded_evaluation_settings(study: Study, cell: Cell) -> dict[str, Any]:
    """What alters the answers to the wordings of a mixture, beside the rows and the weights."""
    rows = study.method_settings(cell).wording_rows
    return evaluation_settings(study, cell.task) | {"wording_rows": rows}


def judgement_settings(study: Study, cell: Cell) -> dict[str, Any]:
    """What alters the judgement of a cell's runs, beside their answers, those of their starts and the reward model."""
    reward = needed_names(study, cell, TrainedReward)[0]
    return {"reward": reward, "evaluation": evaluation_settings(study, cell.task)}


def domains_settings(study: Study, task: str, model: str | None = None) -> dict[str, Any]:
    """What alters the predictions and scores on a task's other domains, beside their rows and the weights.

    Args:
        model: whose prompt the rows are read with; None: a baseline's, which reads none.
    """
    tokens = {"tokens": token_settings(study, task, model)} if model else {}
    return {**evaluation_settings(study, task), **tokens, "domains": sorted(study.tasks[task].evaluate_on)}


def probes_settings(study: Study, task: str, model: str) -> dict[str, Any]:
    """What alters the scores on a task's bias probes, beside the weights."""
    sets = {name: probes.identity() for name, probes in study.probe_sets(task).items()}
    return {**evaluation_settings(study, task), "tokens": token_settings(study, task, model), "probes": sets}


def held_out_settings(study: Study) -> dict[str, Any]:
    """What alters the held-out text, beside what the models were pretrained on; a text file is an input of its own."""
    return study.forgetting.model_dump(include={"objective", "documents", "seed"}) if study.forgetting else {}


def forgetting_settings(study: Study, *_: Any) -> dict[str, Any]:
    """What alters the pretraining loss of a model, beside the text and the weights."""
    if not study.forgetting:
        return {}
    return study.forgetting.model_dump(exclude={"text"}) | {"hardware": study.hardware.model_dump()}


def form_settings(study: Study, cell: Cell, form: str) -> dict[str, Any]:
    """What alters the predictions and scores of a cell's runs in another form, beside the rows and the weights."""
    own = _by_transformers(study, cell.task)
    if section := form_named(form).tuned_by:
        tuning = getattr(study, section)
        more = tuning.model_dump(exclude={"steps", "learning_rate"})
        training = tuning.training(study.training_settings(cell)).model_dump()
        own |= {section: training | more, "training tokens": run_settings(study, cell)["tokens"]}
    return own | {"form": form}


def trial_study(study: Study, cell: Cell, trial: str) -> Study:
    """A copy of the study whose training of a cell is that of a trial. `trial`: a key of `Search.trials`."""
    search = study.search
    return study.with_training(cell, search.trial_changes(study.training_settings(cell), search.trials[trial]))


def trial_settings(study: Study, cell: Cell, trial: str) -> dict[str, Any]:
    """What alters the result of a trial, beside the data and the base model."""
    evaluation = evaluation_settings(study, cell.task)
    return run_settings(trial_study(study, cell, trial), cell) | {
        "search": study.search.model_dump(exclude={"factors"}),
        "evaluation": {key: value for key, value in evaluation.items() if key not in _NO_PART_OF_A_TRIAL},
    }


def choice_settings(study: Study, cell: Cell) -> dict[str, Any]:
    """What alters the choice of a cell's learning rate: the settings of all its trials."""
    return {trial: trial_settings(study, cell, trial) for trial in study.search.trials}


def report_settings(study: Study) -> dict[str, Any]:
    """What alters the tables and the report, beside the results."""
    titles = {part: study.titles(part) for part in ("tasks", "models", "methods")}
    parts = ("tasks", "models", "preferences")
    licences = {part: {n: s.source.licence for n, s in getattr(study, part).items()} for part in parts}
    words = {"title": study.title, "description": study.description, "seeds": study.seeds}
    if study.probes:
        words["probes"] = {
            name: probes.model_dump(include=set(probes.WORDS))
            for task in study.grid.tasks
            for name, probes in study.probe_sets(task).items()
        }
    return {**words, "titles": titles, "licences": licences, "recommend": study.recommend.model_dump()}
