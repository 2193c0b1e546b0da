"""The jobs of a study, each with the file that it is done by, its log, and the names that it runs under."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from tunegrid.study.cells import UNTUNED, Cell, MixtureCell, Run
from tunegrid.study.needs import judged_cells, used_pairs, used_rewards
from tunegrid.study.study import Study

STAGES = (
    "data", "pairs", "models", "tokens", "rewards", "search", "choices", "training", "sharing", "evaluation",
    "forms", "wordings", "judgement", "untuned", "baselines", "domains", "probes", "forgetting", "report",
)  # fmt: skip


# Stages of a run: their command, and the file that they are done by.
COMMANDS = {
    "training": ("train", "train.json"),
    "sharing": ("share-training", "train.json"),
    "evaluation": ("evaluate", "metrics.json"),
    "wordings": ("evaluate-wordings", "wordings.json"),
}


@dataclass(frozen=True)
class Item:
    """A job of a study, whatever its state.

    Attributes:
        stage: one of STAGES.
        title: the job's name for a person.
        done: the file that exists when the job is done: its record, where it has one.
        kept: another file that shows that it was done, after `done` has been removed.
        more: further records of it, without which it is not done.
        log: the name of its log, as `Paths.log` takes it.
        command: the subcommand of `tunegrid` and the values of its options, as on its process's command line.
        comment: what Snakemake's plugin for Slurm writes into the queue for it.
        cell: the cell that it belongs to, if any.
        part: its seed, that and its form, the factor of its trial, or the name of its baseline, pairs or reward model.
    """

    stage: str
    title: str
    done: Path
    log: str
    command: tuple[str, ...]
    comment: str
    task: str | None = None
    model: str | None = None
    cell: Cell | None = None
    part: str | None = None
    kept: Path | None = None
    more: tuple[Path, ...] = ()

    @property
    def names(self) -> dict[str, Any]:
        """What its records say of themselves, as far as its cell, or its task and model, say it too."""
        if self.cell:
            return self.cell.names
        method = {"baselines": self.part, "untuned": UNTUNED}.get(self.stage)
        names = {"task": self.task, "model": self.model, "method": method}
        return {name: value for name, value in names.items() if value is not None}


def items(study: Study) -> Iterator[Item]:
    """Yields every job of a study, stage by stage."""
    yield from _inputs(study)
    for task, model, name in used_rewards(study):
        title, done = f"reward model {name} of {task}, {model}", study.paths.reward(task, model, name) / "reward.json"
        names, facts = (task, model, name), {"task": task, "model": model, "part": name}
        yield _job("rewards", title, done, "train_reward", "train-reward", *names, **facts)
    if study.search is not None:
        for cell in study.cells():
            yield from _search(study, cell)
    for run in study.training_runs():
        yield _mixture(study, run) if isinstance(run.cell, MixtureCell) else _run(study, "training", run)
    shared = [run for run in study.runs() if study.is_shared(run.cell)]
    for run in shared:
        yield _run(study, "sharing", run)
    for run in study.runs():
        yield _run(study, "evaluation", run)
    for run in study.formed_runs():
        cell, names = run.cell, (*astuple(run.cell), str(run.seed), run.variant)
        title, done = f"{cell}, seed {run.seed}, {run.variant}", study.paths.run(run) / "metrics.json"
        facts = {"task": cell.task, "model": cell.model, "cell": cell, "part": f"{run.seed}, {run.variant}"}
        yield _job("forms", title, done, "compress", "compress", *names, log=f"compress/{run.path}", **facts)
    for run in shared:
        yield _run(study, "wordings", run)
    judged = judged_cells(study)
    for run in study.runs():
        if run.cell in judged:
            yield _judgement(study, run)
    yield from _untrained(study)
    yield from _domains(study)
    yield from _probes(study)
    if study.forgetting:
        yield from _forgetting(study)
    yield Item("report", "report", study.paths.report / "report.html", "report", ("report",), "rule_report")


def _job(stage: str, title: str, done: Path, rule: str, command: str, *names: str, log: str = "", **facts: Any) -> Item:
    """A job whose log, command and comment are made of its names, in their order."""
    log = log or "/".join((rule, *names))
    comment = f"rule_{rule}_wildcards_{'_'.join(names)}" if names else f"rule_{rule}"
    return Item(stage, title, done, log, (command, *names), comment, **facts)


def _inputs(study: Study) -> Iterator[Item]:
    paths = study.paths
    for task in study.grid.tasks:
        yield _job("data", f"data of {task}", paths.data_card(task), "fetch_data", "fetch-data", task, task=task)
        for domain in study.tasks[task].evaluate_on:
            title, done = f"data of {task}, {domain}", paths.domain(task, domain) / "card.json"
            yield _job("data", title, done, "fetch_domain", "fetch-domain", task, domain, task=task, part=domain)
    for task, name, model in used_pairs(study):
        title, done, facts = (
            f"pairs {name} of {task}",
            paths.pairs_card(task, name, model),
            {"task": task, "part": name},
        )
        if model is None:
            yield _job("pairs", title, done, "fetch_pairs", "fetch-pairs", task, name, **facts)
        else:
            names, facts = (task, model, name), facts | {"model": model}
            item = _job("pairs", f"{title}, {model}", done, "sample_pairs", "sample-pairs", *names, **facts)
            yield replace(item, comment=f"rule_sample_pairs_wildcards_{task}_{name}_{model}")  # in the path's order
    for model in study.grid.models:
        made = study.models[model].source.kind == "pretrain"
        title, rule = ("pretraining", "pretrain_model") if made else ("fetching", "fetch_model")
        command, files = "pretrain" if made else "fetch-model", {"kept": paths.kept_card(model), "model": model}
        yield _job("models", f"{title} of {model}", paths.model_card(model), rule, command, model, **files)
    for task, model in product(study.grid.tasks, study.grid.models):
        title, done = f"tokens of {task} for {model}", paths.tokens(task, model) / "stats.json"
        yield _job("tokens", title, done, "tokenise", "tokenise", task, model, task=task, model=model)
    for cell in filter(study.is_shared, study.trainings()):
        names, facts = (cell.model, cell.method), {"model": cell.model, "cell": cell}
        done = paths.mixture_tokens(*names) / "stats.json"
        yield _job("tokens", f"tokens of {cell}", done, "tokenise_mixture", "tokenise-mixture", *names, **facts)
    for cell in filter(study.is_shared, study.cells()):
        names, facts = astuple(cell), {"task": cell.task, "model": cell.model, "cell": cell}
        done = paths.wording_tokens(*names) / "stats.json"
        yield _job("tokens", f"wordings of {cell}", done, "tokenise_wordings", "tokenise-wordings", *names, **facts)


def _search(study: Study, cell: Cell) -> Iterator[Item]:
    names, facts = astuple(cell), {"task": cell.task, "model": cell.model, "cell": cell}
    for factor in study.search.trials:
        title, done = f"{cell}, search x {factor}", study.paths.trial(cell, factor)
        log, command = f"search_trial/{cell.path}/factor-{factor}", "search-trial"
        yield _job("search", title, done, "search_trial", command, *names, factor, log=log, part=factor, **facts)
    done = study.paths.choice(cell)
    yield _job("choices", f"{cell}, choice", done, "choose_learning_rate", "search-choice", *names, **facts)


def _run(study: Study, stage: str, run: Run) -> Item:
    cell, seed = run.cell, str(run.seed)
    command, file = COMMANDS[stage]
    log, done = (
        f"{'train' if stage == 'sharing' else command.replace('-', '_')}/{run.path}",
        study.paths.run(run) / file,
    )
    # The name of a training rule contains the cell, so the seed is its only wildcard.
    wildcards = f"{command.replace('-', '_')}_wildcards_{cell}"
    if stage in ("training", "sharing"):
        wildcards = f"{cell.training_rule}_wildcards"
    facts = {"task": cell.task, "model": cell.model, "cell": cell, "part": seed}
    return Item(
        stage,
        f"{cell}, seed {seed}",
        done,
        log,
        (command, cell.task, cell.model, cell.method, seed),
        f"rule_{wildcards}_{seed}",
        **facts,
    )


def _mixture(study: Study, run: Run) -> Item:
    cell, seed = run.cell, str(run.seed)
    done, log = study.paths.run(run) / "train.json", f"train_mixture/{cell.model}/{cell.method}/seed-{seed}"
    names, facts = (cell.model, cell.method, seed), {"model": cell.model, "cell": cell, "part": seed}
    return _job("training", f"{cell}, seed {seed}", done, "train_mixture", "train-mixture", *names, log=log, **facts)


def _judgement(study: Study, run: Run) -> Item:
    title, done = f"{run.cell}, seed {run.seed}, judged", study.paths.run(run) / "judgement.json"
    names, facts = (*astuple(run.cell), str(run.seed)), {"task": run.cell.task, "model": run.cell.model}
    facts |= {"cell": run.cell, "part": names[-1]}
    return _job("judgement", title, done, "judge", "judge", *names, log=f"judge/{run.path}", **facts)


def _untrained(study: Study) -> Iterator[Item]:
    """Yields the evaluations that need no training."""
    paths = study.paths
    for task, model in product(study.grid.tasks, study.grid.models):
        log, comment = f"evaluate_untuned/{task}/{model}", f"rule_evaluate_untuned_wildcards_{task}_{model}"
        command, done = ("evaluate", task, model, UNTUNED), paths.untuned(task, model) / "metrics.json"
        yield Item("untuned", f"{task}, {model} untuned", done, log, command, comment, task=task, model=model)
    for cell in filter(study.is_shared, study.cells()):
        names, facts = astuple(cell), {"task": cell.task, "model": cell.model, "cell": cell}
        done, rule = paths.untuned_wordings(*names) / "wordings.json", "evaluate_untuned_wordings"
        yield _job("wordings", f"{cell}, untuned", done, rule, "evaluate-wordings", *names, **facts)
    for task in study.grid.tasks:
        for name in study.task(task).baselines():
            done, facts = paths.baseline(task, name) / "metrics.json", {"task": task, "part": name}
            yield _job("baselines", f"{task}, {name}", done, "evaluate_baseline", "baseline", task, name, **facts)


def _domains(study: Study) -> Iterator[Item]:
    """Yields the evaluations on other domains: one for all domains of a task, of each run, model and baseline."""
    paths = study.paths
    for task in study.grid.tasks:
        parts = [Path(domain) / "metrics.json" for domain in study.tasks[task].evaluate_on]
        if not parts:
            continue
        yield from _further(study, "domains", "other domains", task, paths.domain_results, parts)
        for name in study.task(task).baselines():
            done, *more = [paths.domain_results(paths.baseline(task, name)) / part for part in parts]
            title, facts = f"{task}, {name}, other domains", {"task": task, "part": name, "more": tuple(more)}
            yield _job("domains", title, done, "baseline_domains", "baseline-domains", task, name, **facts)


def _probes(study: Study) -> Iterator[Item]:
    """Yields the scoring of bias probes: one for all sets of a task, of each run and each untuned model."""
    for task in study.grid.tasks:
        names = [name for name, settings in study.probes.items() if settings.task == task]
        if parts := [Path(name) / "probe.json" for name in names]:
            yield from _further(study, "probes", "bias probes", task, study.paths.probe_results, parts)


def _forgetting(study: Study) -> Iterator[Item]:
    """Yields the jobs of `forgetting`: the text, and the pretraining loss of each run and each untuned model."""
    paths = study.paths
    yield _job("data", "held-out text", paths.held_out_text / "card.json", "held_out_text", "held-out-text")
    for run in study.runs():
        names, facts = (*astuple(run.cell), str(run.seed)), {"task": run.cell.task, "model": run.cell.model}
        facts |= {"cell": run.cell, "part": names[-1], "log": f"evaluate_forgetting/{run.path}"}
        title, done = f"{run.cell}, seed {run.seed}, pretraining loss", paths.run(run) / "forgetting.json"
        yield _job("forgetting", title, done, "evaluate_forgetting", "evaluate-forgetting", *names, **facts)
    for model in study.grid.models:
        title, done = f"{model} untuned, pretraining loss", paths.untuned_forgetting(model) / "forgetting.json"
        yield _job("forgetting", title, done, "forgetting_untuned", "forgetting-untuned", model, model=model)


def _further(
    study: Study, stage: str, what: str, task: str, results: Callable[[Path], Path], parts: Sequence[Path]
) -> Iterator[Item]:
    """Yields a further evaluation of each run and each untuned model of a task, by a job that writes several records.

    Args:
        results: the folder of its records within that of the run or the untuned model.
        parts: the records in it.
    """
    paths, rule, command = study.paths, f"evaluate_{stage}", f"evaluate-{stage}"
    for run in (run for run in study.runs() if run.cell.task == task):
        names, facts = (*astuple(run.cell), str(run.seed)), {"task": task, "model": run.cell.model, "cell": run.cell}
        done, *more = [results(paths.run(run)) / part for part in parts]
        facts |= {"part": names[-1], "more": tuple(more), "log": f"{rule}/{run.path}"}
        yield _job(stage, f"{run.cell}, seed {run.seed}, {what}", done, rule, command, *names, **facts)
    for model in study.grid.models:
        done, *more = [results(paths.untuned(task, model)) / part for part in parts]
        facts = {"task": task, "model": model, "more": tuple(more)}
        item = _job(stage, f"{task}, {model} untuned, {what}", done, f"{rule}_untuned", command, task, model, **facts)
        yield replace(item, command=(*item.command, UNTUNED))
