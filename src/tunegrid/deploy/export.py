"""A run as a folder that a library loads without TuneGrid: weights, settings, tokenizer, card.

| method | `model` (the default) | `adapter` |
| --- | --- | --- |
| full, BitFit | a plain model | not defined: there is none |
| LoRA | a plain model, merged | what peft loads |
| adapters, prefix tuning | what the adapters library loads, with its base | what the adapters library loads |
| prompt tuning | what peft loads, with its base | what peft loads |

An adapter stands alone in its folder where its base is a model of the Hub, which it then names with its commit. Any
other base goes with it (`base/`, `adapter/`), for nobody else could get it. With `model` it always does.

`ctranslate2` and `onnx` are the plain model, merged where there is something to merge, as CTranslate2 and optimum's
ONNX Runtime load it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import check_own_folder, own_folder, read_object, write_json, write_text
from tunegrid.common.hub.source import OnHub
from tunegrid.common.records import ModelCard, read_card
from tunegrid.deploy.choose import Winner
from tunegrid.deploy.form import Form, Layout
from tunegrid.deploy.predict import load_form
from tunegrid.study.engine import require_engine, require_onnx, why_not_converted
from tunegrid.study.study import Study

if TYPE_CHECKING:
    from tunegrid.models.converted import ComputeType
    from tunegrid.models.forms import Form as WeightsForm

COMMAND = "tunegrid export"  # in the marker of a folder that it wrote
WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
# What loads a plain model, by the form of the folder.
PLAIN_LIBRARIES: dict[Form, Any] = {"model": "transformers", "ctranslate2": "ctranslate2", "onnx": "optimum"}


def export(
    study: Study,
    winner: Winner,
    folder: Path,
    *,
    form: Form = "model",
    force: bool = False,
    languages: Sequence[str] = (),
    compute: ComputeType = "float32",
    weights: WeightsForm | None = None,
) -> Layout:
    """Writes a run into a folder, which is there whole or not at all.

    Args:
        force: replace an earlier export in the folder.
        languages: of the texts, for the card; none: those that are known of the data.
        compute: type of the weights of a model of CTranslate2.
        weights: form of the run's weights, computed by transformers; None: as they were trained.

    Raises:
        TuneGridError: the folder is in use, or the run has no such form.
    """
    check_folder(study, folder, force)
    check_form(study, winner, form)
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.deploy.card import model_card
    from tunegrid.models.generate import generation_config

    cell, saved = winner.run.cell, winner.folder / "weights"
    base, method = study.paths.model(cell.model), study.method(cell)
    tokenizer = load_tokenizer(base)
    if weights is None:
        model = method.load(base, saved)
    else:
        import torch

        model = load_form(study, winner, weights, tokenizer, torch.device("cpu"))
    # Last of all files, for saving a model writes settings too: those of its checkpoint, or of its architecture.
    settings = generation_config(model, tokenizer, study.task(cell.task).settings.generation)
    if settings.num_beams == 1:
        settings.length_penalty = 1.0  # without beams it alters nothing, and is refused
    plain = model if weights else None if form == "adapter" else method.merge(model)
    layout = _layout(study, winner, form, is_plain=plain is not None)
    with own_folder(folder, COMMAND) as new:
        if layout.library == "ctranslate2":
            from tunegrid.models.converted import convert

            convert(plain, tokenizer, new, compute)
        elif layout.library == "optimum":
            from tunegrid.models.onnx import write_onnx

            write_onnx(plain, new)
        elif layout.adapter is None:
            plain.save_pretrained(new, safe_serialization=True)
        else:
            _copy_adapter(saved, new / layout.adapter, layout)
            if layout.base:
                _copy(base, new / layout.base, "config.json", *WEIGHTS)
        for place in {new, new / layout.base}:  # for whoever loads the settings alone, and for the model
            settings.save_pretrained(place)
        tokenizer.save_pretrained(new / layout.base)
        write_text(new / "README.md", model_card(study, winner, layout, settings, languages))
    return layout


def _layout(study: Study, winner: Winner, form: Form, is_plain: bool) -> Layout:
    cell = winner.run.cell
    method, hub = study.method(cell), hub_name(study, cell.model)
    if is_plain:
        return Layout(PLAIN_LIBRARIES[form], "", None, hub)
    if method.library is None:
        raise TuneGridError(f"{cell}: the method {cell.method} says neither how to merge nor which library loads it.")
    alone = form == "adapter" and hub is not None
    places = ("", "") if alone else ("base", "adapter")
    return Layout(method.library, *places, hub, method.attention)


def check_folder(study: Study, folder: Path, force: bool) -> None:
    """Raises TuneGridError if the folder cannot be written, or holds anything but an earlier export."""
    here, place, results = Path.cwd(), folder.resolve(), study.paths.root.resolve()
    if here.is_relative_to(place) or results.is_relative_to(place) or place.is_relative_to(results):
        raise TuneGridError(
            f"{folder}: holds the current folder or the study's results, or is among them. What an export writes "
            "replaces the whole folder: name one of its own."
        )
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise TuneGridError(f"{folder}: is not empty. Name another folder, or --force to replace an earlier export.")
    check_own_folder(folder, COMMAND)


def check_form(study: Study, winner: Winner, form: Form) -> None:
    """Raises TuneGridError if the run's method has no such form."""
    cell = winner.run.cell
    if form == "ctranslate2":
        require_engine(form)
        if reason := why_not_converted(study.method(cell)):
            raise TuneGridError(f"{cell}: {reason}. Leave out `--as ctranslate2`.")
    if form == "onnx":
        require_onnx()
        if reason := study.method(cell).why_unmerged():
            raise TuneGridError(f"{cell}: ONNX holds plain models only, and {reason}. Leave out `--as onnx`.")
    if form == "adapter" and study.method(cell).library is None:
        raise TuneGridError(
            f"{cell}: {study.title_of('methods', cell.method)} makes no adapter that a library loads; leave out "
            "`--as adapter` to get the whole model."
        )


def hub_name(study: Study, model: str) -> tuple[str, str | None] | None:
    """(id, commit) of a base model on the Hub; None where it does not come from there."""
    source = study.models[model].source
    if not isinstance(source, OnHub) or source.hub_id is None:
        return None
    return source.hub_id, read_card(study.paths.model_card(model), ModelCard).get("commit") or source.commit


def _copy_adapter(weights: Path, folder: Path, layout: Layout) -> None:
    """The adapter as its library saved it, with the name of its base where that has one for others too."""
    _copy(weights, folder, "adapter_config.json", *WEIGHTS)
    file = folder / "adapter_config.json"
    config = read_object(file)
    identifier, commit = layout.hub or (None, None)
    if layout.library == "peft":
        config |= {"base_model_name_or_path": identifier, "revision": commit}
    else:
        config |= {"model_name": identifier or ""}
    write_json(file, config)


def _copy(source: Path, folder: Path, *patterns: str) -> None:
    folder.mkdir(exist_ok=True)
    for file in sorted({file for pattern in patterns for file in source.glob(pattern)}):
        shutil.copyfile(file, folder / file.name)
