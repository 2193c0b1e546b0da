"""The stage `compress`: a run's predictions and scores with its weights in another form, as `evaluate` makes them."""

from __future__ import annotations

import gc
import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

from tunegrid.common.files import replaced_folder
from tunegrid.common.temporary import temporary_folder
from tunegrid.data.tokens import load_tokenizer
from tunegrid.methods import Untuned
from tunegrid.methods.untuned import UntunedSettings
from tunegrid.models import Shape
from tunegrid.models.flops import counted, total_parameters
from tunegrid.models.forms import Form, form_named
from tunegrid.models.forms.base import weight_bytes
from tunegrid.models.seal import check_base, digests
from tunegrid.results.records import MetricsRecord
from tunegrid.results.records.evaluation import FormFacts
from tunegrid.runtime import cpu_kernels, cpu_memory
from tunegrid.runtime.torch_device import pick_device
from tunegrid.stages.evaluate import evaluate_loaded, write_unscored
from tunegrid.stages.subject import Subject, run_subject
from tunegrid.stages.tune_form import tune_form
from tunegrid.study.cells import Run
from tunegrid.study.engine import plain_model, require_engine
from tunegrid.study.mixtures import test_tokens
from tunegrid.study.study import Study
from tunegrid.training.session import Diverged

if TYPE_CHECKING:
    from tunegrid.stages.latency import TunedModel


def evaluate_form(study: Study, run: Run, name: str, folder: Path) -> MetricsRecord:
    """Predicts and scores the test set with a run's weights in a form; a run that failed gets a record without scores.

    Args:
        name: of the form, as in `compress` of the study.
        folder: for the results, within the run's own.
    """
    form, subject = form_named(name), run_subject(study, run)
    names = subject.names
    folder.mkdir(parents=True, exist_ok=True)
    if subject.failure:
        return write_unscored(study, folder, names, **subject.failure)
    engine = "ctranslate2" if form.converts else "transformers"
    require_engine(engine)
    from tunegrid.models.generate import NonFiniteLogits

    try:
        return evaluate_loaded(
            study,
            folder,
            names,
            lambda: _load(study, run, form, folder, subject),
            test_tokens(study, run.cell),
            study.measure.latency_examples,
            engine=engine,
            precision=form.precision,
        )
    except Diverged as error:
        return write_unscored(study, folder, names, "diverged", f"when it was tuned again: {error}")
    except NonFiniteLogits as error:
        return write_unscored(study, folder, names, "failed", f"its teacher: {error}")


def _load(study: Study, run: Run, form: Form, folder: Path, subject: Subject) -> tuple[TunedModel, dict[str, Any]]:
    """The run's model in the form, and the form's part of the record."""
    from tunegrid.models.load import load_model
    from tunegrid.stages.latency import TunedModel

    base, method = study.paths.model(run.cell.model), subject.method
    check_base(base)
    device, tokenizer = pick_device(study.hardware), load_tokenizer(base)
    plain = plain_model(method, method.load(base, subject.weights))
    stacks, plain_bytes, parameters = counted(plain), weight_bytes(plain), total_parameters(plain)
    with ExitStack() as stack:
        place, threads = stack.enter_context(temporary_folder(folder / "converted")), study.hardware.threads
        formed = form.make(plain, tokenizer, place, family=method.family, device=device.type, threads=threads)
        finalize(formed.predictor, stack.pop_all().close)
    predictor, config, tuning = formed.predictor, json.loads((base / "config.json").read_text()), {}
    if formed.decoder_layers is not None:
        config, stacks, parameters = predictor.config.to_dict(), counted(predictor), total_parameters(predictor)
    if form.tuned_by:
        tuning = _tuned(study, run, form, predictor, plain, tokenizer, folder)
        # As it will answer later, and in a process that holds nothing of its training.
        formed = replace(formed, predictor=None)
        del predictor, plain
        gc.collect()
        cpu_memory.give_back_holes()
        predictor = cpu_kernels.place(load_model(folder / "weights"), device).eval()
    shape = Shape.from_config(method.family, config)
    facts = FormFacts(
        name=form.name,
        saved_bytes=formed.saved_bytes,
        plain_bytes=plain_bytes,
        zeros=formed.zeros,
        encoder_layers=formed.encoder_layers,
        decoder_layers=formed.decoder_layers,
        parameters=parameters,
        saves=form.saves,
        **tuning,
    )
    as_it_is = Untuned(UntunedSettings(), method.family)  # nothing is left to merge
    # No autocast: a form has its own precision.
    tuned = TunedModel(predictor, as_it_is, shape, tokenizer, subject.task, "fp32", stacks)
    return tuned, {"form": facts}


def _tuned(study: Study, run: Run, form: Form, model: Any, plain: Any, tokenizer: Any, folder: Path) -> dict[str, Any]:
    """Tunes and saves the weights of a form, in `weights/` of its folder; returns what the record says of that."""
    with temporary_folder(folder / form.tuned_by) as place:
        summary, answering_seconds = tune_form(study, run, form, model, plain, tokenizer, place)
    with replaced_folder(folder / "weights") as weights:
        model.save_pretrained(weights, safe_serialization=True)
    return {
        "tuning_steps": summary.steps,
        "recovery_seconds": summary.optimisation_seconds,
        "answering_seconds": answering_seconds,
        "weights": digests(folder / "weights"),
    }
