"""The model card of an exported run: what it is, scores with intervals, data, cost, how to load it, limits, licences.

Everything in it comes from the study's records and tables. Its code does, without TuneGrid, what `tunegrid predict`
does (`report/templates/model-card-code.py.j2`); the tests execute it from the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import Formatter
from typing import TYPE_CHECKING, Any

from tunegrid import __version__
from tunegrid.common.digits import DASH, binary_size, count, percent, seconds
from tunegrid.common.errors import TuneGridError
from tunegrid.common.records import DataCard, read_card, read_rows
from tunegrid.data.sources import SPLITS
from tunegrid.deploy.choose import Winner
from tunegrid.deploy.front_matter import base_licence, front_matter, languages_of
from tunegrid.report.templates import environment
from tunegrid.results.records import ChoiceRecord, MetricsRecord, read_record
from tunegrid.results.statistics.intervals import CONFIDENCE
from tunegrid.study.cells import Run
from tunegrid.study.mixtures import cell_task
from tunegrid.study.study import Study
from tunegrid.tasks import Task

if TYPE_CHECKING:
    from transformers import GenerationConfig

    from tunegrid.deploy.form import Layout

SAME = 1e-9  # between a run's own score and the mean of one seed, if the tables are of this run


def model_card(
    study: Study, winner: Winner, layout: Layout, settings: GenerationConfig, languages: Sequence[str] = ()
) -> str:
    """The card as Markdown with the Hub's front matter. `settings`: what the exported model generates with."""
    cell = winner.run.cell
    task, metrics = cell_task(study, cell), _metrics(study, winner)
    data, model = read_card(study.paths.data_card(cell.task), DataCard), study.models[cell.model].source
    languages = list(languages) or languages_of(study, cell.task)
    titles = {
        "model": study.title_of("models", cell.model),
        "method": study.title_of("methods", cell.method),
        "task": study.title_of("tasks", cell.task),
    }
    name = f"{titles['model']}, {titles['method']}, {titles['task']}"
    results = _results(study, winner, task, metrics)
    facts = {
        **titles,
        "front_matter": front_matter(study, winner, layout, name, metrics, languages),
        "name": name,
        "base": model.describe(),
        "hub_data": data.get("id"),
        "run": f"seed {winner.run.seed}, configuration {winner.training.configuration_hash}, trained "
        f"{winner.training.provenance.finished[:10]}, exported by TuneGrid {__version__}",
        "study": study.title,
        "reason": winner.reason,
        "description": study.description.strip(),
        "results": results,
        "results_note": _results_note(study, winner, metrics, bool(results and results[0][3] != DASH)),
        "data_source": _data_source(study, cell.task, data),
        "data_rows": [(split, count(data["rows"].get(split))) for split in SPLITS],
        "data_note": _data_note(data),
        "cost": _cost(study, winner),
        "how": _how(layout),
        "code": _code(task, layout, settings),
        "prompt_shown": _shown(task),
        "prompt_note": _prompt_note(task),
        "limits": _limits(study, winner, task, layout, languages),
        "licence_note": _licence_note(study, winner),
        "confidence": CONFIDENCE,
    }
    return _template("model-card.md.j2").render({key: _line(key, value) for key, value in facts.items()})


def _line(key: str, value: Any) -> Any:
    """Text of the study stays on its line: a title with a line break must not begin another part of the card."""
    return value if key in ("front_matter", "code", "prompt_shown") or not isinstance(value, str) else _flat(value)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _template(name: str) -> Any:
    made = environment(autoescape=False)  # Markdown and Python, not HTML
    made.filters["literal"] = repr
    return made.get_template(name)


# -- scores -----------------------------------------------------------------------------------------------------------


def _metrics(study: Study, winner: Winner) -> MetricsRecord | None:
    file = study.paths.run(Run(winner.run.cell, winner.run.seed, winner.form)) / "metrics.json"
    record = read_record(file, MetricsRecord, kind="run", **winner.run.names) if file.is_file() else None
    return record if record and record.status == "ok" else None


def _results(study: Study, winner: Winner, task: Task, metrics: MetricsRecord | None) -> list[list[str]]:
    """A row per metric: its name, this run, the mean over seeds, its interval, the untuned model."""
    if metrics is None:
        return []
    cell, rows = winner.run.cell, []
    file = study.paths.tables / "cells.csv"
    key = ("task", "model", "kind", "method", "metric")
    names = (*key, "mean", "ci_low", "ci_high", "seeds_ok", "seeds_expected")
    table = read_rows(file, *names) if file.is_file() else []
    by_key = {tuple(row[name] for name in key): row for row in table}
    for metric in task.metrics:
        own, before = (
            by_key.get((cell.task, cell.model, kind, method, metric.name), {})
            for kind, method in (("run", cell.method), ("untuned", "untuned"))
        )
        own, value = {} if winner.form else own, metrics.metrics[metric.name].value
        if own.get("seeds_ok") == "1" and len(study.seeds) == 1 and abs(float(own["mean"]) - value) > SAME:
            raise TuneGridError(
                f"{file}: says {metric.name} {own['mean']} for {cell}, but its metrics.json {value}. The tables are of "
                "other results: write them again with `tunegrid tables`."
            )
        numbers = [own.get(key) for key in ("mean", "ci_low", "ci_high")] + [before.get("mean")]
        mean, low, high, untuned = (metric.short(float(number)) if number else DASH for number in numbers)
        over = f"{mean} ({own['seeds_ok']} of {own['seeds_expected']})" if own else DASH
        interval = DASH if DASH in (low, high) else f"{low} to {high}"
        rows.append([metric.title, metric.short(value), over, interval, untuned])
    return rows


def _results_note(study: Study, winner: Winner, metrics: MetricsRecord | None, intervals: bool) -> str:
    if metrics is None:
        return ""
    text = f"On {metrics.examples:,} test rows. Nothing was trained on them, and no weights or seed chosen by them"
    text += "; the model and the method were, so that a winner's scores are a little too good. "
    text = text if winner.recommended else text.partition(";")[0] + ". "
    if winner.form:
        text += f"Mean and interval were computed of the weights as they were trained, not as {winner.form}. "
    elif not intervals:
        text += "There are no intervals: the study's tables were not written. "
    elif len(study.seeds) == 1:
        text += "With one seed, the intervals hold the choice of the test rows only, not what another seed would give. "
    else:
        text += "The intervals are of the mean over seeds and hold both the seeds and the choice of the test rows. "
    if winner.recommended and winner.recommended.get("stability"):
        text += (
            f"The study's rule recommends the same model and method in "
            f"{percent(float(winner.recommended['stability']))} of predicted fresh studies (other seeds, other test "
            "rows). "
        )
    signatures = {name: metric.signature for name, metric in metrics.metrics.items() if metric.signature}
    return text + " ".join(f"sacreBLEU's signature of {name}: `{signature}`." for name, signature in signatures.items())


# -- data and cost ----------------------------------------------------------------------------------------------------


def _data_source(study: Study, task: str, card: dict[str, Any]) -> str:
    parts = [f"{card['source'][:1].upper()}{card['source'][1:]}"]
    parts += [f"{key} {card[key]}" for key in ("revision", "commit", "protocol") if card.get(key)]
    return f"{'; '.join(parts)}. Licence: {study.tasks[task].source.licence}. Fingerprint: `{card['fingerprint']}`."


def _data_note(card: dict[str, Any]) -> str:
    text = f"Test rows that occur in the training rows: {card.get('test_rows_seen_in_training', 'not counted')}."
    skipped = sum(reason["rows"] for split in card.get("unusable_rows", {}).values() for reason in split.values())
    return text + (f" Rows that could not be used and were left out: {skipped:,}." if skipped else "")


def _cost(study: Study, winner: Winner) -> list[tuple[str, str]]:
    record, cell = winner.training, winner.run.cell
    choice = study.paths.choice(cell)
    searched = []
    if study.search and choice.is_file():
        spent = read_record(choice, ChoiceRecord, **cell.names).search_seconds
        searched.append(("search of the learning rate, for all seeds of it", f"{seconds(spent)} s"))
    cost, size, where = record.cost, record.parameters, record.provenance
    share = percent(size.trainable / max(1, size.total))
    flops = f"{cost.training_flops:.3g}" if cost.training_flops is not None else DASH
    return [
        ("parameters trained", f"{size.trainable:,} of {size.total:,} ({share})"),
        ("steps", f"{cost.steps:,}, {cost.examples:,} examples, {cost.tokens:,} tokens"),
        ("optimisation", f"{seconds(cost.optimisation_seconds)} s"),
        ("evaluation while training, loading, saving",
         f"{seconds(cost.evaluation_seconds + cost.loading_seconds + cost.saving_seconds)} s"),
        ("peak memory", binary_size(cost.peak_memory_bytes)),
        (f"floating-point operations, estimated: {cost.flops_formula}", flops),
        ("saved weights", binary_size(cost.saved_bytes)),
        ("on", f"{where.accelerator or where.processor}, {where.threads} thread(s), {where.precision}"),
        *searched,
    ]  # fmt: skip


# -- use --------------------------------------------------------------------------------------------------------------


def _how(layout: Layout) -> str:
    needs = {
        "transformers": "transformers",
        "ctranslate2": "ctranslate2 and transformers",
        "optimum": "transformers, optimum-onnx and onnxruntime",
        "peft": "transformers and peft",
        "adapters": "transformers and adapters",
    }
    torch = "" if layout.library == "ctranslate2" else ", and torch"
    text = f"It needs {needs[layout.library]}{torch}. Start it in this folder, or say in `folder` where that is."
    if layout.base:
        text += " The model untuned is in `base/`, what was trained in `adapter/`; nothing is fetched."
    elif layout.adapter is not None:
        text += " This folder holds what was trained; the model that it belongs to comes from the Hub."
    if layout.library == "adapters":
        text += " The adapters library reads a local folder: of a repository on the Hub, take a snapshot first."
    return text


def _code(task: Task, layout: Layout, settings: GenerationConfig) -> str:
    overlap, labels = task.window_overlap(), task.labels()
    search = None
    if layout.library == "ctranslate2" and not labels:
        from tunegrid.models.converted import search_options

        search = search_options(settings, settings.max_new_tokens)
    return _template("model-card-code.py.j2").render(
        layout=layout,
        fields=list(task.source_columns),
        truncatable=task.truncatable,
        prompt=_prompt(task),
        longest=task.settings.max_source_length,
        windows=overlap is not None,
        overlap=overlap,
        words={label: task.word(label) for label in labels} if labels else None,
        replacements=task.replacements,
        search=search,
        prefix=settings.forced_bos_token_id,
        forced=0 if settings.forced_bos_token_id is None else 1,
        example={name: task.example.get(name, "A text.") for name in task.source_columns},
    )


def _prompt(task: Task) -> str:
    """The template with only the row's own fields left to fill in."""
    fields, text = task.prompt_fields(), ""
    for literal, name, _, _ in Formatter().parse(task.prompt(task.family.name)):
        text += literal.replace("{", "{{").replace("}", "}}")
        if name is not None:
            text += fields[name].replace("{", "{{").replace("}", "}}") if name in fields else f"{{{name}}}"
    return text


def _shown(task: Task) -> str:
    return _prompt(task).format(**{name: f"<{name}>" for name in task.source_columns})


def _prompt_note(task: Task) -> str:
    limit, overlap = task.settings.max_source_length, task.window_overlap()
    text = f"`<…>` stands for the row's own text. The tokenizer adds its special tokens. At most {limit} tokens: of a "
    text += f"longer {task.truncatable} "
    if overlap is None:
        text += "the end is cut, never the words around it. "
    else:
        text += f"windows are read that share {overlap} tokens, and the most probable answer counts. "
    if labels := task.labels():
        words = ", ".join(f"`{task.word(label)}` ({label})" for label in labels)
        return text + f"The model does not generate: of the words {words} the most probable one is the answer."
    how = task.settings.generation
    beams = "greedy" if how.num_beams == 1 else f"{how.num_beams} beams, length penalty {how.length_penalty:g}"
    return text + f"Answers have at most {how.max_new_tokens} tokens; {beams}: `generation_config.json` says so."


# -- limits and licences ----------------------------------------------------------------------------------------------


def _limits(study: Study, winner: Winner, task: Task, layout: Layout, languages: Sequence[str]) -> list[str]:
    cell, limits = winner.run.cell, []
    if study.tasks[cell.task].source.kind == "generated" or study.models[cell.model].source.kind in (
        "packaged",
        "pretrain",
    ):
        limits.append("The data are generated, or the model was pretrained in small: it is there to try things out.")
    known = f"in {', '.join(languages)}" if languages else "(the study does not say in which language)"
    if (shared := winner.training.shared) is None:
        limits.append(f"It was tuned on texts {known} and for this one prompt; nothing is known of others.")
    else:
        held_out = " That task was held out: it saw no row of it." if shared.held_out else ""
        limits.append(
            f"It was tuned on texts {known}, on a mixture of tasks in several wordings ({', '.join(shared.tasks)}), of "
            f"which this prompt is one.{held_out}"
        )
    if len(study.seeds) == 1:
        limits.append("One seed was trained: another one may score higher or lower than the intervals say.")
    if winner.form:
        limits.append(
            f"The weights are in the form {winner.form}, which the score is of; training and its cost are those of the "
            "weights that it was made of."
        )
    if winner.recommended is None:
        limits.append("It is not the run that the study recommends.")
    if study.hardware.precision != "fp32":
        limits.append(
            f"It was scored under {study.hardware.precision} autocast; the code above computes in fp32, and a few "
            "answers may differ."
        )
    if layout.library == "ctranslate2":
        limits.append(
            "The scores are of these weights in transformers, or in CTranslate2 in the study's precision; other types "
            "of weights (int8) answer differently."
        )
    if layout.library in ("transformers", "ctranslate2", "optimum") and study.method(cell).library:
        limits.append(
            "The updates are merged into the weights; the scores are of unmerged ones, the same but for rounding."
        )
    return limits


def _licence_note(study: Study, winner: Winner) -> str:
    cell = winner.run.cell
    model, data = (_flat(source.licence) for source in (study.models[cell.model].source, study.tasks[cell.task].source))
    text = f"As the study names them: the model that was tuned: {model}; the data that it was tuned on: {data}. "
    if base_licence(study, cell.model)["license"] == "unknown":
        text += "The first is not known, so neither is that of these weights. "
    return text + "What both together allow is for whoever uses the weights to find out."
