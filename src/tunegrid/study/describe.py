"""A description of a study in words, which `tunegrid check` prints."""

from __future__ import annotations

from typing import Any

from tunegrid.common.words import plural
from tunegrid.study.lock import hub_sources
from tunegrid.study.mixtures import mixed_names
from tunegrid.study.study import Study


def describe(study: Study) -> str:
    """Describes a study's tasks, models and cells in several lines."""
    cells, seeds = study.cells(), ", ".join(map(str, study.seeds))
    lines = [
        f"{study.title} ({study.name})",
        f"  {len(cells)} cells, seeds {seeds}: {len(study.training_runs())} training jobs, "
        f"{len(study.grid.tasks) * len(study.grid.models)} untuned evaluations",
        f"  hardware: {study.hardware.device}, {study.hardware.threads} thread(s) a job, {study.hardware.precision}",
        "tasks",
    ]
    for name in study.grid.tasks:
        settings = study.tasks[name]
        by_rows = "; splits by row (protocol: published)" if getattr(settings, "protocol", "") == "published" else ""
        source = f"{_source(settings.source)}{by_rows}"
        lines.append(f"  {name}: {study.title_of('tasks', name)}; {source} [{settings.source.licence}]")
        for domain, other in settings.evaluate_on.items():
            lines.append(f"    also evaluated on {domain}; {_source(other)} [{other.licence}]")
        for probe, probes in study.probe_sets(name).items():
            task = study.task(name)
            pairs, remark = sum(1 for _ in probes.rows(task)), probes.remark(task)
            sides = " and ".join(probes.sides)
            lines.append(f"    bias probes {probe}: {probes.title} ({sides}), {plural(pairs, 'pair')}")
            if remark:
                lines.append(f"      {remark}")
    lines.append("models")
    for name in study.grid.models:
        model = study.models[name]
        lines.append(f"  {name}: {study.title_of('models', name)}, family {model.family}; {_source(model.source)}")
    if search := study.search:
        jobs, share = len(cells) * len(search.factors), f"{100 * search.train_share:g}%"
        lines.append("search")
        lines.append(
            f"  {len(search.factors)} trials a cell, at {', '.join(search.trials)} times its learning rate, on {share} "
            f"of the training rows, scored on at most {search.validation_rows} validation rows: {jobs} trials"
        )
    if study.forgetting:
        text = study.forgetting.text or "generated text"
        lines.append(f"forgetting\n  {study.forgetting.objective}, {study.forgetting.documents} rows of {text}")
    lines.append("cells")
    width = max(len(str(cell)) for cell in cells)
    for cell in cells:
        training, method = study.training_settings(cell), study.method_settings(cell)
        length = f"{training.max_steps} steps" if training.max_steps else f"{training.epochs:g} epochs"
        if study.is_shared(cell):
            mixed = mixed_names(study, method)
            held_out = "" if cell.task in mixed else "; held out"
            settings = {"by": method.method.kind, "on": "+".join(mixed) + held_out}.items()
        else:
            settings = method.model_dump(exclude={"kind", "title"}).items()
        own = ", ".join(f"{key} {text}" for key, value in settings if (text := _setting(value)))
        rate = f"learning rate {training.learning_rate:g}"
        if search:
            rates = (search.learning_rate(training, factor) for factor in search.factors)
            rate = f"learning rate one of {', '.join(f'{rate:g}' for rate in rates)}"
        lines.append(f"  {cell!s:{width}}  {rate}, {length}, batch {training.batch_size}" + (f"; {own}" if own else ""))
    if any(source.commit is None for _, source in hub_sources(study)):
        lines.append(
            "Not pinned: another day the Hub may serve other files. `tunegrid pin` with this configuration fixes them."
        )
    return "\n".join(lines)


def _setting(value: Any) -> str:
    """A setting of a method in words; "" where it is not set."""
    match value:
        case None | "":
            return ""
        case float():
            return f"{value:g}"
        case list():
            return "+".join(map(str, value))
        case dict():
            inner = {key: text for key, part in value.items() if key != "title" and (text := _setting(part))}
            kind = inner.pop("kind", None)
            words = ", ".join(f"{key} {text}" for key, text in inner.items())
            return f"{kind} ({words})" if kind and words else kind or words
    return str(value)


def _source(source: Any) -> str:
    if getattr(source, "hub_id", None) is None:
        return source.describe()
    return source.describe() + (f", locked to commit {source.commit}" if source.commit else ", not pinned")
