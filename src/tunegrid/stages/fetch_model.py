"""The stage `fetch_model`: a checkpoint in the Hub's layout, with a card that describes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import replaced_folder, write_json
from tunegrid.models.checkpoint import check_checkpoint, count_numbers, tensor_names
from tunegrid.models.seal import CARD, digests, fingerprint
from tunegrid.models.shape import Shape
from tunegrid.runtime import light_imports
from tunegrid.study.study import Study

MUCH = 100_000_000  # parameters that any machine has memory for, whether they fit the weights or not


def fetch_model(study: Study, name: str, folder: Path) -> None:
    """Copies or downloads a model into a folder.

    Raises:
        TuneGridError: it cannot be had, is damaged, or is not of the family that the study says.
    """
    source = study.models[name].source
    with replaced_folder(folder) as new:
        facts = source.fetch(new)
        accept(study, name, new, facts)


def accept(study: Study, name: str, folder: Path, facts: dict[str, Any]) -> None:
    """Checks a checkpoint before anything is computed with it, and writes its card.

    Raises:
        TuneGridError: it is not whole, its tensors are not those of the model, its numbers are not finite, …
    """
    label, family = f"models.{name}: {study.models[name].source.describe()}", study.family(name)
    config = check_checkpoint(folder, label)
    shape = Shape.of_model(name, family, config, study.known_families().values())
    # A layer has several tensors; one that has none would still be built.
    if (layers := shape.encoder_layers + shape.decoder_layers) > (tensors := len(tensor_names(folder, label))):
        raise TuneGridError(f"{label}: config.json says {layers:,} layers, but the weights are {tensors:,} tensors.")
    # Whatever does not fit would be made of random numbers first, and only then be compared.
    if shape.parameters > max(4 * (numbers := count_numbers(folder, label)), MUCH):
        raise TuneGridError(
            f"{label}: config.json says a model of {shape.parameters:,} parameters, but the weights have {numbers:,}."
        )
    light_imports.import_transformers()
    from tunegrid.models.config_values import check_values
    from tunegrid.models.load import check_computes, check_fit, check_numbers, check_tied
    from tunegrid.models.sentencepiece import write_fast_tokenizer
    from tunegrid.models.token_ids import check_token_ids, settle_decoder_start, take_generation_ids

    take_generation_ids(folder, label)
    model = check_fit(folder, label)
    check_values(model.config, config.keys(), label)
    check_tied(folder, label, model, head_is_tied=not family.gated or "tie_word_embeddings" in config)
    write_fast_tokenizer(folder, label)
    settle_decoder_start(folder, label, family, model)
    check_token_ids(folder, label, model)
    check_computes(model, label)
    check_numbers(folder, label)
    files = digests(folder)
    card = {
        "model": name,
        "family": study.models[name].family,
        "source": study.models[name].source.describe(),
        **facts,
        "fingerprint": fingerprint(files),
        "files": files,
    }
    write_json(folder / CARD, card)
