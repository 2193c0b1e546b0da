"""The jobs of a study, each with the file that it is done by, its log, and the names that it runs under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    def method(self) -> str | None:
        """The method of its cell, if it has one."""
        return self.cell.method if self.cell else None

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
        title, file = f"reward model {name} of {task}, {model}", study.paths.reward(task, model, name) / "reward.json"
        yield _job("rewards", title, "train_reward", file, task=task, model=model, parts=(name,))
    if study.search is not None:
        for cell in study.cells():
            yield from _search(study, cell)
    for run in study.training_runs():
        yield _mixture(study, run) if isinstance(run.cell, MixtureCell) else _training(study, "training", run, "train")
    shared = [run for run in study.runs() if study.is_shared(run.cell)]
    for run in shared:
        yield _training(study, "sharing", run, "share-training")
    for run in study.runs():
        yield _of_run(study, "evaluation", run, "evaluate", "metrics.json")
    for run in study.formed_runs():
        yield _of_run(study, "forms", run, "compress", "metrics.json")
    for run in shared:
        yield _of_run(study, "wordings", run, "evaluate_wordings", "wordings.json")
    judged = judged_cells(study)
    for run in study.runs():
        if run.cell in judged:
            yield _of_run(study, "judgement", run, "judge", "judgement.json", what="judged")
    yield from _untrained(study)
    yield from _domains(study)
    yield from _probes(study)
    if study.forgetting:
        yield from _forgetting(study)
    yield _job("report", "report", "report", study.paths.report / "report.html")


def _job(
    stage: str,
    title: str,
    rule: str,
    *files: Path,
    cell: Cell | None = None,
    task: str | None = None,
    model: str | None = None,
    parts: Sequence[str] = (),
    command: str = "",
    log: str = "",
    comment: str = "",
    kept: Path | None = None,
) -> Item:
    """A job whose log, command and comment are made of its names: of its cell, or its task and model, then its parts.

    Args:
        files: the one that it is done by, then further records.
        command: the subcommand of `tunegrid`; "": the name of the rule.
    """
    method = None
    if cell:
        task, model, method = None if isinstance(cell, MixtureCell) else cell.task, cell.model, cell.method
    names = [*filter(None, (task, model, method)), *parts]
    log, command = log or "/".join((rule, *names)), command or rule.replace("_", "-")
    comment, part, (done, *more) = comment or comment_of(rule, names), ", ".join(parts) or None, files
    return Item(stage, title, done, log, (command, *names), comment, task, model, cell, part, kept, tuple(more))


def comment_of(rule: str, wildcards: Iterable[str]) -> str:
    """The name of a job in `Item.comment`."""
    values = "_".join(wildcards)
    return f"rule_{rule}_wildcards_{values}" if values else f"rule_{rule}"


def _of_run(study: Study, stage: str, run: Run, rule: str, *files: str | Path, what: str = "", **facts: str) -> Item:
    """A job of a run, or of one of its forms, whose log has the run's name in paths.

    Args:
        files: its records in the folder of the run.
        what: the end of its title.
        facts: what is not as `_job` makes it.
    """
    title = ", ".join(filter(None, (str(run.cell), f"seed {run.seed}", run.variant, what)))
    parts = [str(run.seed), *filter(None, [run.variant])]
    places = (study.paths.run(run) / file for file in files)
    return _job(stage, title, rule, *places, cell=run.cell, parts=parts, **{"log": f"{rule}/{run.path}", **facts})


def _inputs(study: Study) -> Iterator[Item]:
    paths = study.paths
    for task in study.grid.tasks:
        yield _job("data", f"data of {task}", "fetch_data", paths.data_card(task), task=task)
        for domain in study.tasks[task].evaluate_on:
            file = paths.domain(task, domain) / "card.json"
            yield _job("data", f"data of {task}, {domain}", "fetch_domain", file, task=task, parts=(domain,))
    for task, name, model in used_pairs(study):
        title, file = f"pairs {name} of {task}", paths.pairs_card(task, name, model)
        if model is None:
            yield _job("pairs", title, "fetch_pairs", file, task=task, parts=(name,))
        else:
            comment = f"rule_sample_pairs_wildcards_{task}_{name}_{model}"  # in the path's order
            facts = {"task": task, "model": model, "parts": (name,), "comment": comment}
            yield _job("pairs", f"{title}, {model}", "sample_pairs", file, **facts)
    for model in study.grid.models:
        file, facts = paths.model_card(model), {"model": model, "kept": paths.kept_card(model)}
        if study.models[model].source.kind == "pretrain":
            yield _job("models", f"pretraining of {model}", "pretrain_model", file, command="pretrain", **facts)
        else:
            yield _job("models", f"fetching of {model}", "fetch_model", file, **facts)
    for task, model in product(study.grid.tasks, study.grid.models):
        file = paths.tokens(task, model) / "stats.json"
        yield _job("tokens", f"tokens of {task} for {model}", "tokenise", file, task=task, model=model)
    for cell in filter(study.is_shared, study.trainings()):
        file = paths.training_tokens(cell) / "stats.json"
        yield _job("tokens", f"tokens of {cell}", "tokenise_mixture", file, cell=cell)
    for cell in filter(study.is_shared, study.cells()):
        file = paths.wording_tokens(*astuple(cell)) / "stats.json"
        yield _job("tokens", f"wordings of {cell}", "tokenise_wordings", file, cell=cell)


def _search(study: Study, cell: Cell) -> Iterator[Item]:
    for factor in study.search.trials:
        title, file, log = f"{cell}, search x {factor}", study.paths.trial(cell, factor), f"{cell.path}/factor-{factor}"
        yield _job("search", title, "search_trial", file, cell=cell, parts=(factor,), log=f"search_trial/{log}")
    rule, command = "choose_learning_rate", "search-choice"
    yield _job("choices", f"{cell}, choice", rule, study.paths.choice(cell), cell=cell, command=command)


def _training(study: Study, stage: str, run: Run, command: str) -> Item:
    # The name of a training rule contains the cell, so the seed is its only wildcard.
    comment = f"rule_{run.cell.training_rule}_wildcards_{run.seed}"
    return _of_run(study, stage, run, "train", "train.json", command=command, comment=comment)


def _mixture(study: Study, run: Run) -> Item:
    log = f"train_mixture/{run.cell.model}/{run.cell.method}/seed-{run.seed}"
    return _of_run(study, "training", run, "train_mixture", "train.json", log=log)


def _untrained(study: Study) -> Iterator[Item]:
    """Yields the evaluations that need no training."""
    paths = study.paths
    for task, model in product(study.grid.tasks, study.grid.models):
        file, facts = paths.untuned(task, model) / "metrics.json", {"task": task, "model": model, "command": "evaluate"}
        yield _untuned(_job("untuned", f"{task}, {model} untuned", "evaluate_untuned", file, **facts))
    for cell in filter(study.is_shared, study.cells()):
        file, rule = paths.untuned_wordings(*astuple(cell)) / "wordings.json", "evaluate_untuned_wordings"
        yield _job("wordings", f"{cell}, untuned", rule, file, cell=cell, command="evaluate-wordings")
    for task in study.grid.tasks:
        for name in study.task(task).baselines():
            title, file = f"{task}, {name}", paths.baseline(task, name) / "metrics.json"
            yield _job("baselines", title, "evaluate_baseline", file, task=task, parts=(name,), command="baseline")


def _untuned(item: Item) -> Item:
    """The item with a command that takes the untuned model for a method."""
    return replace(item, command=(*item.command, UNTUNED))


def _domains(study: Study) -> Iterator[Item]:
    """Yields the evaluations on other domains: one for all domains of a task, of each run, model and baseline."""
    paths, what = study.paths, "other domains"
    for task in study.grid.tasks:
        files = [paths.domain_results(Path()) / domain / "metrics.json" for domain in study.tasks[task].evaluate_on]
        if not files:
            continue
        yield from _further(study, "domains", what, task, files)
        for name in study.task(task).baselines():
            places = (paths.baseline(task, name) / file for file in files)
            yield _job("domains", f"{task}, {name}, {what}", "baseline_domains", *places, task=task, parts=(name,))


def _probes(study: Study) -> Iterator[Item]:
    """Yields the scoring of bias probes: one for all sets of a task, of each run and each untuned model."""
    folder = study.paths.probe_results(Path())
    for task in study.grid.tasks:
        files = [folder / name / "probe.json" for name, probes in study.probes.items() if probes.task == task]
        if files:
            yield from _further(study, "probes", "bias probes", task, files)


def _forgetting(study: Study) -> Iterator[Item]:
    """Yields the jobs of `forgetting`: the text, and the pretraining loss of each run and each untuned model."""
    paths, file, what = study.paths, "forgetting.json", "pretraining loss"
    yield _job("data", "held-out text", "held_out_text", paths.held_out_text / "card.json")
    for run in study.runs():
        yield _of_run(study, "forgetting", run, "evaluate_forgetting", file, what=what)
    for model in study.grid.models:
        place = paths.untuned_forgetting(model) / file
        yield _job("forgetting", f"{model} untuned, {what}", "forgetting_untuned", place, model=model)


def _further(study: Study, stage: str, what: str, task: str, files: Sequence[Path]) -> Iterator[Item]:
    """Yields a further evaluation of each run and each untuned model of a task, by a job that writes several records.

    Args:
        files: its records in the folder of the run or the untuned model.
    """
    rule, command = f"evaluate_{stage}", f"evaluate-{stage}"
    for run in (run for run in study.runs() if run.cell.task == task):
        yield _of_run(study, stage, run, rule, *files, what=what)
    for model in study.grid.models:
        title, places = f"{task}, {model} untuned, {what}", (study.paths.untuned(task, model) / file for file in files)
        facts = {"task": task, "model": model, "command": command}
        yield _untuned(_job(stage, title, f"{rule}_untuned", *places, **facts))
