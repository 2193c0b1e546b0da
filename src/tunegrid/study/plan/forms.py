"""What the forms of a run's weights cost: their tuning, their evaluation, and the weights that are saved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from tunegrid.models.forms import form_named
from tunegrid.study.cells import Cell
from tunegrid.study.plan.cells import Estimator
from tunegrid.study.plan.duration import examples, prediction_seconds, training_seconds
from tunegrid.study.plan.memory import training_memory
from tunegrid.study.plan.tuned import Tuned


@dataclass(frozen=True)
class FormPlan:
    """A run's weights in a form.

    Attributes:
        evaluation_seconds: prediction of the test rows.
        tuning_seconds: of its weights, the answers of a teacher included; 0 where nothing is tuned.
        memory: bytes at the peak of the tuning.
        saved_bytes: of the weights that are kept; 0 where they can be made of the run's own at any time.
    """

    evaluation_seconds: float
    tuning_seconds: float = 0.0
    memory: float = 0.0
    saved_bytes: int = 0


@cache
def form_plan(estimator: Estimator, cell: Cell, name: str) -> FormPlan | None:
    """The cost of a form of a cell's weights; None: the model's architecture is not known."""
    study, device, precision, sizes = estimator.study, estimator.device, estimator.precision, estimator.sizes
    form, plan, shape = form_named(name), estimator.cell(cell), estimator.shape(cell.model)
    if plan is None or shape is None:
        return None
    if form.tuned_by is None:
        return FormPlan(plan.evaluation_seconds)
    encoder, decoder = form.layers(shape.encoder_layers, shape.decoder_layers)
    family, task = study.family(cell.model), study.task(cell.task, cell.model)
    tuned = Tuned.fully(replace(shape, encoder_layers=encoder, decoder_layers=decoder), family)
    training = getattr(study, form.tuned_by).training(study.training_settings(cell))
    train = sizes.trained(study.training_of(cell))["train"]
    seconds = training_seconds(tuned, training, train, device, precision)
    if form.tuned_by == "distillation" and study.distillation.targets == "answers":
        answered = train.part(round(examples(training, train.entries)))
        seconds += prediction_seconds(Tuned.fully(shape, family), task, answered, device, precision)
    return FormPlan(
        prediction_seconds(tuned, task, sizes.of(cell.task, cell.model).splits["test"], device, precision),
        seconds,
        training_memory(tuned, training, train, precision, device.is_gpu).peak,
        4 * tuned.total,
    )
