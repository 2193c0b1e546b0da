"""The engine that predicts test rows: whether it is there, and which cells it cannot predict."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Literal

from tunegrid.common.errors import TuneGridError
from tunegrid.common.yaml_file import KeyProblem
from tunegrid.models.forms import Form, form_named
from tunegrid.models.forms.base import Section
from tunegrid.study.cells import Cell
from tunegrid.study.evaluation_settings import Engine
from tunegrid.study.limits import PLAIN
from tunegrid.study.study import Study

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tunegrid.methods import Method

# Values of `model_type` in config.json whose conversion the tests hold to the same answers.
CONVERTIBLE = ("bart", "mt5", "t5")
# Section with the tuning of forms -> (how those are named, the section's settings as an example).
TUNED_BY: dict[Section, tuple[str, str]] = {
    "recovery": ("…-tuned", "{steps: 100, learning_rate: 1.0e-3}"),
    "distillation": ("distil-…", "{steps: 500, learning_rate: 1.0e-3}"),
}


def check_engine(study: Study) -> None:
    """Checks that the engine of the evaluation can predict with every cell.

    Raises:
        KeyProblem: a cell, or the precision, is nothing for the engine.
    """
    _check_forms(study)
    if study.evaluation.engine == "transformers":
        return
    place = ("evaluation", "engine")
    for cell in study.cells():
        if reason := why_not_converted(study.method(cell)):
            raise KeyProblem(
                place,
                f"the cell {cell}: {reason}. Leave it out (grid.exclude: [{{model: {cell.model}, method: "
                f"{cell.method}}}]), or predict with transformers",
            )
    if (study.hardware.device, study.hardware.precision) == ("cpu", "bf16"):
        raise KeyProblem(place, "CTranslate2 does not compute in bf16 on a CPU. Set hardware.precision to fp32")


def _check_forms(study: Study) -> None:
    """Checks that what may be recommended is under `compress`, and that cells can be brought into all forms there."""
    for i, name in enumerate(study.recommend.forms):
        if name != PLAIN and name not in study.compress:
            known = f"add it: compress: [{', '.join([*study.compress, name])}]"
            raise KeyProblem(("recommend", "forms", i), f"{name} is not under compress, so it has no score; {known}")
    if study.compress and not study.formed_runs():
        raise KeyProblem(("compress",), "no cell merges into plain weights, so that there is nothing to compress")
    for section, (names, advice) in TUNED_BY.items():
        tuned = [name for name in study.compress if form_named(name).tuned_by == section]
        if tuned and getattr(study, section) is None:
            place = ("compress", study.compress.index(tuned[0]))
            raise KeyProblem(place, f"{tuned[0]} is tuned; say how long and how fast: {section}: {advice}")
        if getattr(study, section) is not None and not tuned:
            raise KeyProblem((section,), f"has no effect: no form under compress is named {names}")
    for i, name in enumerate(study.compress):
        for cell in study.cells():
            if study.forms(cell) and (reason := _why_not_in_form(study, cell, form_named(name))):
                raise KeyProblem(("compress", i), f"{name}, of the cell {cell}: {reason}")


def _why_not_in_form(study: Study, cell: Cell, form: Form) -> str | None:
    """Why a cell whose runs merge cannot have a form, as far as that is known before its model is there."""
    if form.converts and (reason := why_not_converted(study.method(cell))):
        return reason
    if form.tuned_by == "distillation" and study.is_shared(cell):
        return "a model that is tuned on several tasks at once has no student; name it of a method that tunes on one"
    shape = study.shape(cell.model)
    return shape and form.why_not(shape.encoder_layers, shape.decoder_layers)


def require_engines(study: Study) -> None:
    """Raises TuneGridError if what the study predicts with is not installed."""
    require_engine(study.evaluation.engine)
    if any(form_named(name).converts for name in study.compress):
        require_engine("ctranslate2")


def require_engine(engine: Engine) -> None:
    """Raises TuneGridError if the engine is not installed."""
    if engine == "ctranslate2" and importlib.util.find_spec("ctranslate2") is None:
        raise TuneGridError("CTranslate2 is not installed. Type: make setup EXTRAS=serve")


def require_server() -> None:
    """Raises TuneGridError if what a server needs is not installed."""
    if any(importlib.util.find_spec(name) is None for name in ("fastapi", "prometheus_client", "uvicorn")):
        raise TuneGridError("The server's packages are not installed. Type: make setup EXTRAS=serve")


def require_onnx() -> None:
    """Raises TuneGridError if what writes ONNX is not installed."""
    if any(importlib.util.find_spec(name) is None for name in ("onnxruntime", "optimum")):
        raise TuneGridError("What writes ONNX is not installed. Type: make setup EXTRAS=onnx")


def compute_type(study: Study) -> Literal["float32", "bfloat16"]:
    """CTranslate2's name for the precision of a study."""
    return "bfloat16" if study.hardware.precision == "bf16" else "float32"


def plain_model(method: Method, model: Any) -> PreTrainedModel:
    """The tuned model without the method's modules. Raises TuneGridError where it has no such form."""
    plain = method.merge(model)
    if plain is None:
        raise TuneGridError(f"{method.title}: {why_not_converted(method)}.")
    return plain


def why_not_converted(method: Method) -> str | None:
    """The reason why CTranslate2 cannot predict with models tuned by a method; None: it can."""
    if reason := method.why_unmerged():
        return f"CTranslate2 computes plain models only, and {reason}"
    unknown = [name for name in method.family.model_types if name not in CONVERTIBLE]
    if unknown:
        return (
            f"the conversion to CTranslate2 is not tried with models of the type {unknown[0]}, only with those of "
            f"{', '.join(CONVERTIBLE)}"
        )
    return None
