"""The set-up of a training, for a run and for a trial of the search alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import read_object
from tunegrid.data.tokens import load_tokenizer
from tunegrid.methods import Method
from tunegrid.models import Shape
from tunegrid.models.flops import trainable_parameters
from tunegrid.models.seal import check_base
from tunegrid.results.records import ChoiceRecord, read_record
from tunegrid.runtime import cpu_kernels
from tunegrid.runtime.provenance import digest, installed_packages
from tunegrid.runtime.torch_device import pick_device
from tunegrid.stages.inputs import UnusableInput, fingerprints, open_inputs
from tunegrid.stages.training_data import training_data
from tunegrid.study.cells import Cell, MixtureCell, Run
from tunegrid.study.stage_settings import choice_settings
from tunegrid.study.study import Study
from tunegrid.training.session import TrainingSession

# The bits of a training, and the format of its checkpoints, depend on the versions of these.
LIBRARIES = ("accelerate", "adapters", "bitsandbytes", "numpy", "peft", "torch", "transformers", "tunegrid")


class NoLearningRate(UnusableInput):
    """No trial of a cell's search could be scored; the message says why."""


def searched(study: Study, cell: Cell) -> tuple[Study, dict[str, Any]]:
    """(the study with the learning rate that the search chose for a cell, what a run's configuration says about that).

    Without a search: the study as it is, and nothing.

    Raises:
        NoLearningRate: no trial of the cell could be scored.
        TuneGridError: the choice is missing, or is of other settings than the study has now.
    """
    if study.search is None:
        return study, {}
    file = study.paths.choice(cell)
    if not file.exists():
        raise TuneGridError(
            f"{file}: not there. This study searches its learning rates: `tunegrid search-trial` for every "
            "factor of the cell, then `tunegrid search-choice`, come before `tunegrid train`."
        )
    choice = read_record(file, ChoiceRecord, **cell.names)
    if choice.configuration_hash != digest(choice_settings(study, cell)):
        raise TuneGridError(f"{file}: was chosen with other settings than the study has now. Search again.")
    if choice.status != "ok":
        raise NoLearningRate(choice.reason)
    origin = {"factor": choice.factor, "configured_learning_rate": choice.configured_learning_rate}
    return study.with_training(cell, {"learning_rate": choice.learning_rate}), {"search": origin}


def prepare(
    study: Study, run: Run, method: Method, settings: dict[str, Any], start: Run | None = None
) -> TrainingSession:
    """Loads everything that a run is trained with.

    Args:
        settings: the settings that alter its result.
        start: the run whose needs it is trained with, the start of another method, say; None: its own.
    """
    from transformers import set_seed

    cell, paths = run.cell, study.paths
    device = pick_device(study.hardware)
    set_seed(run.seed)
    start = start or run
    method.inputs = open_inputs(study, start, method)
    _require_inputs(study, cell)
    check_base(paths.model(cell.model))
    base = method.load_base(paths.model(cell.model))
    shape = Shape.from_config(method.family, read_object(paths.model(cell.model) / "config.json"))
    model = method.inject(base)
    _check_size(cell, method, model, shape)
    data, training = training_data(study, cell), study.training_settings(cell)
    if problem := training.warmup_problem(training.steps(len(data.train))):
        raise TuneGridError(f"{cell}: {problem}.")
    tokenizer = load_tokenizer(paths.model(cell.model))
    return TrainingSession(
        model=cpu_kernels.place(model, device),
        tokenizer=tokenizer,
        task=data.task,
        read_rows=data.read_rows,
        read_validation_rows=data.read_validation_rows,
        train=data.train,
        validation=data.validation,
        training=training,
        seed=run.seed,
        precision=study.hardware.precision,
        checkpoints=checkpoints_folder(study, run, settings, start),
        loss=method.loss,
        metric=data.metric(tokenizer) if training.select_by == "metric" else None,
    )


def _check_size(cell: Cell, method: Method, model: Any, shape: Shape) -> None:
    """Raises TuneGridError if the method changed other modules, or trains other parameters, than the architecture has.

    Libraries skip modules that they do not find without a word.
    """
    family = f"Is its family really {shape.family.name}?"
    count, expected = len(method.injected_modules(model)), method.expected_modules(shape)
    if count != expected:
        raise TuneGridError(
            f"{cell}: {cell.method} was put into {count} modules, but the architecture of {cell.model} has {expected} "
            f"of them. {family}"
        )
    count, expected = trainable_parameters(model), method.trainable_count(shape)
    if expected is not None and count != expected:
        raise TuneGridError(
            f"{cell}: {cell.method} trains {count} parameters, but by the architecture of {cell.model} and the "
            f"method's settings it has to train {expected}. {family} Or the checkpoint does not fit its config.json."
        )


def _require_inputs(study: Study, cell: Cell) -> None:
    """Raises TuneGridError if a stage before the training has not run: that says nothing about the method."""
    paths, tokens = study.paths, study.paths.training_tokens(cell)
    fetch = "pretrain" if study.models[cell.model].source.kind == "pretrain" else "fetch-model"
    files = [tokens / f"{split}.arrow" for split in ("train", "validation")]
    needed = {f"{fetch} CONFIG --model {cell.model}": [paths.model_card(cell.model)]}
    if isinstance(cell, MixtureCell):
        files.append(paths.training_card(cell))
        needed[f"tokenise-mixture CONFIG --model {cell.model} --method {cell.method}"] = files
    else:
        rows = [paths.data_card(cell.task), paths.split(cell.task, "validation")]
        needed = {f"fetch-data CONFIG --task {cell.task}": rows} | needed
        needed[f"tokenise CONFIG --task {cell.task} --model {cell.model}"] = files
    for command, files in needed.items():
        for file in files:
            if not file.is_file():
                raise TuneGridError(f"{file}: no such file. Write it first: tunegrid {command}")


def checkpoints_folder(study: Study, run: Run, settings: dict[str, Any], start: Run | None = None) -> Path:
    """The folder of a run's checkpoints: another one for other settings, data, base models or versions of libraries.

    Args:
        start: the run whose needs it is trained with; None: its own.
    """
    cards = (study.paths.training_card(run.cell), study.paths.model_card(run.cell.model))
    own = [read_object(card)["fingerprint"] for card in cards]
    versions = {name: version for name, version in installed_packages().items() if name in LIBRARIES}
    key = digest([settings, run.seed, *own, *fingerprints(study, start or run), versions])
    return study.paths.checkpoints(run, key)
