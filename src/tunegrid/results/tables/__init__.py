"""Tidy tables of a study: every number of the report stands in one of these, and each is a CSV file.

| table | one row per |
| --- | --- |
| results | run, untuned model or baseline, and metric |
| cells | cell, untuned model or baseline, and metric: mean over seeds, spread, intervals, difference to the baseline |
| pairs | pair of cells of a task: difference in the primary metric, p-value, p-value after Holm |
| recommendation | task |
| detectable | task: smallest difference that the study can find, rows and seeds that would separate first from second |
| effects | pair of methods, or of models: mean difference over all tasks, and in each task |
| over_tasks | model and method: interquartile mean and mean of its runs' normalised scores in all tasks |
| profiles | model, method and normalised score: share of its runs, in all tasks, above that score |
| beside | number of the paper and cell of the study: published, reproduced, verdict |
| agreement | task: how many of the paper's numbers agree, rank order of the cells, recommendation |
| costs | run |
| pareto | cell and cost: its score, its cost, whether it is on the front |
| forms | cell and form of its weights: difference to the weights as trained, what it saves |
| efficiency | cell and beta: score and rank of quality and cost together |
| efficiency_constants | task: what the costs of its cells are divided by in the efficiency score |
| settings | run and setting |
| history | line of a run's history.csv |
| provenance | result |
| data | task and split |
| contamination | task: test rows whose text occurs in its training rows |
| pretraining | task and model: what is published about the model's training on the data set |
| slices | cell, untuned model or baseline, and slice of the test rows: the primary metric with its interval |
| confusion | result of a task with labels, reference and predicted label |
| calibration | the same, and bin of the predicted label's probability |
| thresholds | the same, and threshold of the probability of the positive label |
| entities | cell, untuned model or baseline of a task with entities, and type of entity: its scores |
| malformed | result of such a task: answers with a malformed part |
| domains | cell, untuned model or baseline, and other domain: its score there, and its loss against its own test set |
| transfer | method and other domain: means over the models |
| forgetting | cell: pretraining loss before and after tuning |
| forgetting_pairs | pair of methods of a model and task: difference in that loss |
| forgetting_methods | method and task: mean change of that loss over the models |
| probes | cell or untuned model, and set of bias probes: the difference that a word makes, and its change by tuning |
| cuts | task, model and split |
| ceilings | task, model and metric: what the vocabulary and the lengths let the model score |
| rewards | reward model: what it is worth on held-out pairs, and its cost |
| reward_calibration | reward model and bin of the probability of the answer that it prefers |
| observations | run that learns from preferences and evaluation: reward, divergence, length, metric |
| judgements | run with a reward model and judge: its answers against those of its start |
| preferences | the same over the seeds of a cell, with intervals |
| search | trial of a cell's learning rate |
| mixtures | model, instruction tuning and task: examples of the task in the mixture |
| wordings | result of instruction tuning, or of the untuned model, wording and metric |
| instruction | cell of instruction tuning, trained or other wordings: primary metric, differences to the untuned |
| audit | finding of the audit of these results, or check that found nothing |
| unexpected | folder of a run that is not in the study's configuration |
"""

from pathlib import Path
from typing import Any

from tunegrid.results import ceilings
from tunegrid.results.audit import study as study_audit
from tunegrid.results.examples import entities, labels, slices
from tunegrid.results.examples.read import read_examples
from tunegrid.results.expected import Expected, Row
from tunegrid.results.paper import agreement
from tunegrid.results.read import SPLITS, Result, StudyResults, read_results
from tunegrid.results.tables import (
    contamination,
    costs,
    detectable,
    domains,
    effects,
    forgetting,
    forms,
    history,
    instruction,
    over_tasks,
    preferences,
    probes,
    recommendation,
    search,
)
from tunegrid.results.tables.frames import frame_of, provenance_columns, read_frame, write_frame
from tunegrid.results.tables.scores import TaskScores
from tunegrid.tasks.tokenise import COUNTS

COLUMNS = {
    "results": "study kind task model method seed metric primary value direction signature undefined examples "
    "predictions_cut predictions_empty note status reason collapse",
    "cells": "study kind task model method metric primary mean sd seeds_ok seeds_expected ci_low ci_high "
    "next_low next_high baseline difference difference_low difference_high note undefined status reason median "
    "collapsed collapse_rate collapse_rate_low collapse_rate_high seeds_above_baseline probability_best",
    "pairs": "study task metric first_model first_method second_model second_method "
    "difference p_value p_holm separated about collapsed",
    "recommendation": recommendation.COLUMNS,
    "detectable": detectable.COLUMNS,
    "effects": effects.COLUMNS,
    **over_tasks.COLUMNS,
    "beside": agreement.COMPARISON_COLUMNS,
    "agreement": agreement.AGREEMENT_COLUMNS,
    **costs.COLUMNS,
    "forms": forms.COLUMNS,
    "settings": "study task model method seed setting value",
    "history": history.COLUMNS,
    "provenance": "study kind task model method seed stage code_version git_commit python platform processor "
    "instruction_set accelerator threads precision fp32_library packages data_fingerprint model_fingerprint "
    "data_revision model_revision started finished",
    "data": "study task split rows rows_available unusable_rows test_rows_seen_in_training "
    "test_contexts_seen_in_training protocol source revision commit licence fingerprint",
    "models": "study model source revision commit licence fingerprint",
    **contamination.COLUMNS,
    **slices.COLUMNS,
    **labels.COLUMNS,
    **entities.COLUMNS,
    **domains.COLUMNS,
    **probes.COLUMNS,
    **forgetting.COLUMNS,
    "cuts": f"study task model split rows {' '.join(COUNTS)} share_cut",
    "ceilings": ceilings.COLUMNS,
    "search": search.COLUMNS,
    **preferences.COLUMNS,
    "audit": study_audit.COLUMNS,
    **instruction.COLUMNS,
    "unexpected": "study folder",
}


def write_tables(results: Path, expected: Expected, folder: Path, resamples: int | None = None) -> list[Path]:
    """Writes every table of a study as `folder`/<name>.csv and returns the files; `resamples` as for `build_tables`."""
    files = []
    for name, frame in build_tables(results, expected, resamples).items():
        files.append(folder / f"{name}.csv")
        write_frame(frame, name, files[-1])
    return files


def read_tables(folder: Path) -> dict[str, Any]:
    """The frames that `write_tables` wrote to a folder, by name, equal to those of `build_tables`.

    Raises TuneGridError for a file that is missing or is not one of these tables.
    """
    return {name: read_frame(name, columns, folder / f"{name}.csv") for name, columns in COLUMNS.items()}


def build_tables(results: Path, expected: Expected, resamples: int | None = None) -> dict[str, Any]:
    """All tables of a study as pandas frames, by name. Raises TuneGridError for files that are not what they should be.

    `resamples`: of the bootstrap; None: 10,000, of secondary metrics 2,000.
    """
    study = read_results(results, expected)
    rows: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    collapses: dict[Path, str] = {}
    of_tasks = [TaskScores(study, task, resamples) for task in expected.tasks]
    for task, scores in zip(expected.tasks, of_tasks, strict=True):
        collapses |= {result.folder: scores.collapse_of(result) for result in study.of(task, "run")}
        rows["cells"] += scores.cell_rows()
        rows["pairs"] += scores.pair_rows()
        rows["recommendation"].append(recommendation.recommendation_row(scores))
        rows["forms"] += forms.form_rows(scores, [pair for pair in study.forms if pair[0].task == task], resamples)
        rows["detectable"] += detectable.detectable_rows(scores)
        examples = read_examples(study, task)
        rows["slices"] += slices.slice_rows(examples, scores.units, resamples, scores.collapsed)
        by_type = entities.entity_tables(examples, scores.units, resamples, scores.collapsed)
        asked = domains.domain_rows(scores) | probes.probe_rows(scores) | forgetting.forgetting_rows(scores)
        for name, found in (labels.label_tables(examples) | by_type | asked).items():
            rows[name] += found
    rows["effects"] = effects.effect_rows(expected, of_tasks)
    rows |= over_tasks.over_tasks_rows(of_tasks)
    rows["beside"] = agreement.comparison_rows(expected, rows["cells"], study.data_cards)
    rows["agreement"] = agreement.agreement_rows(expected, rows["beside"], rows["recommendation"])
    for result in study.results:
        rows["results"] += _result_rows(result, collapses.get(result.folder, ""))
        rows["provenance"] += _provenance_rows(result)
        if result.kind == "run":
            rows["costs"].append(costs.cost_row(result))
            rows["settings"] += _setting_rows(result)
    rows["data"], rows["models"], rows["cuts"] = _data_rows(study), _model_rows(study), _cut_rows(study)
    rows["contamination"] = contamination.contamination_rows(results, expected)
    rows["pretraining"] = contamination.pretraining_rows(expected)
    rows["ceilings"] = ceilings.ceiling_rows(expected, study.ceilings)
    rows["search"], provenance = search.search_rows(study)
    rows["provenance"] += provenance
    rows["history"] = history.history_rows(study)
    rows |= preferences.preference_rows(study)
    costs.add_search(rows["costs"], rows["search"])
    rows |= costs.cell_rows(expected, rows["cells"], rows["costs"], rows["pairs"])
    rows["audit"] = study_audit.audit_rows(study)
    rows |= instruction.instruction_rows(study, resamples)
    rows["unexpected"] = [{"folder": folder} for folder in study.unexpected]
    named = {name: [row | {"study": expected.study} for row in found] for name, found in rows.items()}
    return {name: frame_of(name, columns, named[name]) for name, columns in COLUMNS.items()}


def _result_rows(result: Result, collapse: str) -> list[Row]:
    metrics = result.metrics.metrics if result.status == "ok" and result.metrics else {}
    names = list(metrics) or [metric.name for metric in result.task.metrics]
    empty = _empty_answers(result) if metrics else None
    shared = result.names | {"status": result.status, "reason": result.reason, "predictions_empty": empty}
    shared |= {name: getattr(result.metrics, name, None) for name in ("examples", "predictions_cut", "note")}
    rows = []
    for name in names:
        primary = name == result.task.primary.name
        row = shared | {"metric": name, "primary": primary, "collapse": collapse if primary else ""}
        rows.append(row | (metrics[name].model_dump() if name in metrics else {}))
    return rows


def _empty_answers(result: Result) -> int | None:
    """How many answers have no text; None where none was to be written, or where one without text can be right."""
    if result.kind == "baseline" or result.task.labels is not None:
        return None
    answers = result.predictions[["prediction", "references"]]
    if any(not text.strip() for texts in answers["references"] for text in texts):
        return None
    return sum(not text.strip() for text in answers["prediction"])


def _setting_rows(result: Result) -> list[Row]:
    settings = _flat(result.training.configuration) if result.training else {}
    return [result.names | {"setting": name, "value": value} for name, value in settings.items()]


def _flat(settings: Row, prefix: str = "") -> Row:
    flat: Row = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _provenance_rows(result: Result) -> list[Row]:
    records = {"train": result.training, "evaluate": result.metrics}
    return [
        result.names | {"stage": stage} | provenance_columns(record.provenance)
        for stage, record in records.items()
        if record is not None
    ]


def _data_rows(study: StudyResults) -> list[Row]:
    rows = []
    licences = {task.name: task.licence for task in study.expected.tasks}
    for task, card in study.data_cards.items():
        for split in SPLITS:
            row: Row = {"task": task, "split": split, "protocol": card.get("protocol")}
            row |= {name: (card.get(name) or {}).get(split) for name in ("rows", "rows_available")}
            row |= _source(card, licences[task])
            if "unusable_rows" in card:  # of the source's split of that name
                skipped = card["unusable_rows"].get(split, {}).values()
                row["unusable_rows"] = sum(reason["rows"] for reason in skipped)
            if split == "test":
                names = ("test_rows_seen_in_training", "test_contexts_seen_in_training")
                row |= {name: card.get(name) for name in names}
            rows.append(row)
    return rows


def _model_rows(study: StudyResults) -> list[Row]:
    licences = {model.name: model.licence for model in study.expected.models}
    return [{"model": model} | _source(card, licences[model]) for model, card in study.model_cards.items()]


def _source(card: Row, licence: str | None) -> Row:
    return {name: card.get(name) for name in ("source", "revision", "commit", "fingerprint")} | {"licence": licence}


def _cut_rows(study: StudyResults) -> list[Row]:
    rows = []
    for (task, model), stats in study.tokens.items():
        for split in SPLITS:
            counts = (stats.get("splits") or {}).get(split) or {}
            row: Row = {"task": task, "model": model, "split": split}
            row |= {name: counts.get(name) for name in ("rows", *COUNTS)}
            row["share_cut"] = row["sources_cut"] / row["rows"] if row["rows"] else None
            rows.append(row)
    return rows
