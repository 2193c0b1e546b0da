"""What an evaluation is of: a run or an untuned model, with all that it takes to load it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

from tunegrid.common.temporary import temporary_folder
from tunegrid.data.tokens import load_tokenizer
from tunegrid.methods import Method, Untuned
from tunegrid.methods.untuned import UntunedSettings
from tunegrid.models import Shape
from tunegrid.models.flops import counted
from tunegrid.models.seal import check_base, check_trained_from, check_weights
from tunegrid.results.records import TrainRecord, read_record
from tunegrid.runtime import cpu_kernels
from tunegrid.runtime.torch_device import pick_device
from tunegrid.study.cells import UNTUNED, Run
from tunegrid.study.engine import compute_type, plain_model, require_engine
from tunegrid.study.mixtures import cell_task
from tunegrid.study.study import Study
from tunegrid.tasks import Task

if TYPE_CHECKING:
    from tunegrid.stages.latency import TunedModel


@dataclass(frozen=True)
class Subject:
    """A run, or an untuned model, that answers rows of a task.

    Attributes:
        names: fields of its records: kind, task, model, method, seed.
        folder: of its results.
        weights: the folder of a run's weights, or the untuned model's own.
        task: as the model is asked.
        failure: status and reason of a run that has no weights; None: there are some.
    """

    names: dict[str, Any]
    folder: Path
    method: Method
    weights: Path
    task: Task
    failure: dict[str, Any] | None = None

    def load(self, study: Study) -> TunedModel:
        """Loads the model into the study's engine, whose form of it may lie in `folder` while it is used."""
        require_engine(study.evaluation.engine)
        from tunegrid.models.converted import Converted, convert
        from tunegrid.stages.latency import TunedModel

        base = study.paths.model(self.names["model"])
        check_base(base)
        device = pick_device(study.hardware)
        tokenizer = load_tokenizer(base)
        model, stacks = self.method.load(base, self.weights), None
        if study.evaluation.engine == "ctranslate2":
            plain = plain_model(self.method, model)
            stacks, compute = counted(plain), compute_type(study)
            with ExitStack() as stack:
                place = stack.enter_context(temporary_folder(self.folder / "converted"))
                convert(plain, tokenizer, place)
                del plain, model  # while it predicts, the engine's weights are the only ones in memory
                model = Converted(place, device=device.type, threads=study.hardware.threads, compute=compute)
                finalize(model, stack.pop_all().close)
        else:
            model = cpu_kernels.place(model, device).eval()
        shape = Shape.from_config(self.method.family, json.loads((base / "config.json").read_text()))
        return TunedModel(model, self.method, shape, tokenizer, self.task, study.hardware.precision, stacks)


def run_subject(study: Study, run: Run, folder: Path | None = None) -> Subject:
    """A run whose results are in a folder, by default its own. Raises TuneGridError as `check_run` does."""
    cell, folder = run.cell, folder or study.paths.run(run)
    trained, failure = read_record(folder / "train.json", TrainRecord, **run.names), None
    if trained.status == "ok":
        check_run(study, run, folder, trained)
    else:
        failure = {"status": trained.status, "reason": trained.reason}
    names, weights = {"kind": "run", **run.names}, folder / "weights"
    return Subject(names, folder, study.method(cell), weights, cell_task(study, cell), failure)


def untuned_subject(study: Study, task: str, model: str, folder: Path | None = None) -> Subject:
    """An untuned pretrained model whose results are in a folder, by default that of the task's."""
    names = {"kind": "untuned", "task": task, "model": model, "method": UNTUNED, "seed": None}
    folder = folder or study.paths.untuned(task, model)
    method = Untuned(UntunedSettings(), study.family(model))
    return Subject(names, folder, method, study.paths.model(model), study.task(task, model))


def check_run(study: Study, run: Run, folder: Path, trained: TrainRecord) -> None:
    """Raises TuneGridError if the weights of a run, or its base model, are not those of its record."""
    cell = run.cell
    check_trained_from(study.paths.model(cell.model), folder, trained.provenance.model_fingerprint)
    again = f"Train the run again: {study.train_again(cell)}"
    check_weights(folder / "weights", trained.weights, folder / "train.json", again)
