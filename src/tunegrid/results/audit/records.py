"""Each record of a study against what it can be computed from again: nothing in it was edited, or is of another run."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import size_of
from tunegrid.common.records import DataCard, read_card
from tunegrid.models.seal import check_weights
from tunegrid.results.audit.findings import Checked, Finding
from tunegrid.results.expected import ExpectedTask
from tunegrid.results.read import TOLERANCE, Result, StudyResults
from tunegrid.runtime.provenance import digest
from tunegrid.study.cells import MixtureCell

MOST_WEIGHTS = 2 * 2**30  # bytes of a task's weights that are read, the smallest first; loading checks all of them
CHECK = "records"
MEANING = "The record was edited, or it or the file is of another run: run the job again before its numbers are used."


class Disagreement(NamedTuple):
    """A file and, as a sentence, what it should be or say by another one."""

    file: Path
    text: str


def records_agree(study: StudyResults, task: ExpectedTask) -> Checked:
    """Looks for records that disagree with the files beside them.

    Metrics are computed again from predictions, hashes from configurations, digests from weights. Fingerprints have to
    be those of the cards, and the loss that weights were chosen by has to be in the history.

    Raises:
        TuneGridError: a file that is read cannot be.
    """
    results = [result for result in study.results if result.task == task and (result.metrics or result.training)]
    findings, weighed = [], {result.folder for result in _with_weights(results)}
    for result in results:
        problems = [*_metrics(result), *_configuration(result), *_fingerprints(study, result), *_history(result)]
        problems += _weights(result) if result.folder in weighed else []
        for problem in problems:
            name = str(result.folder.relative_to(study.folder))
            computed = f"{problem.file.relative_to(study.folder)}: {problem.text}"
            findings.append(Finding(CHECK, "error", task.name, (name,), computed, MEANING))
    return len(results), findings


def _metrics(result: Result) -> Iterator[Disagreement]:
    if result.metrics is None or result.status != "ok":
        return
    for name, recorded in result.metrics.metrics.items():
        metric = result.task.metric(name)
        try:
            value = 0.0 if metric.undefined(result.predictions) else metric.score(result.predictions)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            text = f"{name} cannot be computed from predictions.parquet ({type(error).__name__}: {error})."
            yield Disagreement(result.folder / "metrics.json", text)
            continue
        if abs(value - recorded.value) > TOLERANCE:
            text = f"says {name} {recorded.value:.6f}, but predictions.parquet gives {value:.6f}."
            yield Disagreement(result.folder / "metrics.json", text)


def _configuration(result: Result) -> Iterator[Disagreement]:
    if (record := result.training) is None:
        return
    expected = digest({**record.configuration, "seed": record.seed})
    if expected != record.configuration_hash:
        text = f"says configuration_hash {record.configuration_hash}, but that of its configuration is {expected}."
        yield Disagreement(result.folder / "train.json", text)


def _fingerprints(study: StudyResults, result: Result) -> Iterator[Disagreement]:
    cards = {
        "data": study.data_cards.get(result.task.name, {}),
        "model": study.model_cards.get(result.model, {}) if result.model else {},
    }
    for name, record in (("metrics.json", result.metrics), ("train.json", result.training)):
        if name == "train.json" and result.training and result.training.shared:
            trained = study.paths.training_card(MixtureCell.of(result.model, result.method))
            cards["data"] = read_card(trained, DataCard) if trained.is_file() else {}
        for kind, card in cards.items():
            recorded = getattr(record.provenance, f"{kind}_fingerprint") if record else None
            if recorded and card and recorded != card["fingerprint"]:
                text = f"says {kind}_fingerprint {recorded}, but the card of the {kind} says {card['fingerprint']}."
                yield Disagreement(result.folder / name, text)


def _with_weights(results: list[Result]) -> list[Result]:
    sizes = {
        number: size_of(result.folder / "weights")
        for number, result in enumerate(results)
        if result.training and result.training.weights and (result.folder / "weights").is_dir()
    }
    chosen, total = [], 0
    for number, size in sorted(sizes.items(), key=lambda item: item[1]):
        total += size
        if total <= MOST_WEIGHTS:
            chosen.append(results[number])
    return chosen


def _weights(result: Result) -> Iterator[Disagreement]:
    folder = result.folder / "weights"
    if not any(folder.iterdir()):  # of a run that was cleaned
        return
    try:
        check_weights(folder, result.training.weights, result.folder / "train.json", "")
    except TuneGridError as error:
        yield Disagreement(folder, str(error).strip())


def _history(result: Result) -> Iterator[Disagreement]:
    file, record = result.folder / "history.csv", result.training
    if record is None or record.status != "ok" or not file.is_file():
        return
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [(int(row["step"]), row.get("validation_loss") or None) for row in csv.DictReader(lines)]
    last = max((step for step, _ in rows), default=0)
    if last > record.cost.steps:
        yield Disagreement(file, f"has step {last}, but train.json says that the run had {record.cost.steps}.")
    if (chosen := record.selection) is not None:
        losses = [float(loss) for step, loss in rows if step == chosen.step and loss]
        if losses and all(abs(loss - chosen.validation_loss) > TOLERANCE * abs(loss) for loss in losses):
            there = f"train.json says {chosen.validation_loss:.6f}"
            yield Disagreement(file, f"has the validation loss {losses[-1]:.6f} at step {chosen.step}, but {there}.")
