"""The token ids of a checkpoint: those that its configuration names, and those of its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import write_json
from tunegrid.common.words import plural
from tunegrid.data.tokens import load_tokenizer
from tunegrid.models.checkpoint import read_object
from tunegrid.models.families import Family

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

START = "decoder_start_token_id"
ODD_TEXT = "A text, ½ ß 漢 {😀}"  # with characters that a vocabulary may not have
NAMED = ("bos_token_id", START, "eos_token_id", "pad_token_id")


def take_generation_ids(folder: Path, name: str) -> None:
    """Writes into config.json the token ids that only generation_config.json has, where newer checkpoints keep them.

    Args:
        name: what messages call the checkpoint.
    """
    file = folder / "generation_config.json"
    if not file.exists():
        return
    config, generation = read_object(folder / "config.json", name), read_object(file, name)
    taken = {key: generation[key] for key in NAMED if config.get(key) is None and generation.get(key) is not None}
    if taken:
        write_json(folder / "config.json", config | taken)


def settle_decoder_start(folder: Path, name: str, family: Family, model: PreTrainedModel) -> None:
    """Writes the token that the decoder starts with into config.json, by the family's rule, where it has none.

    Raises:
        TuneGridError: the family has no rule either.
    """
    if getattr(model.config, START) is not None:
        return
    start = getattr(model.config, f"{family.decoder_start}_token_id", None)
    if start is None:
        raise TuneGridError(
            f"{name}: neither config.json nor generation_config.json has {START}, and the family {family.name} does "
            "not say it (`decoder_start`). Add it to config.json."
        )
    setattr(model.config, START, start)
    write_json(folder / "config.json", read_object(folder / "config.json", name) | {START: start})


def check_token_ids(folder: Path, name: str, model: PreTrainedModel) -> None:
    """Checks that every token id has a row of the embedding, and that model and tokenizer agree on the special ones.

    Raises:
        TuneGridError: they do not, or the tokenizer cannot be loaded.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    for key in NAMED:
        value = getattr(model.config, key, None)
        for token_id in _ids(value):
            # Only an end may be one of several.
            known = type(token_id) is int and 0 <= token_id < rows
            if not known or (isinstance(value, list) and key != "eos_token_id"):
                raise TuneGridError(f"{name}: config.json: {key}: {token_id!r} is no id of a vocabulary of {rows}.")
    tokenizer = load_tokenizer(folder, name)
    check_tokenizer(tokenizer, name)
    beyond = sorted((token_id, token) for token, token_id in tokenizer.get_vocab().items() if token_id >= rows)
    if beyond:
        token_id, token = beyond[0]
        raise TuneGridError(
            f"{name}: the tokenizer's token {token!r} has id {token_id}, but the embedding has {plural(rows, 'row')} "
            f"(ids 0 to {rows - 1}); {plural(len(beyond), 'token')} in all {'has' if len(beyond) == 1 else 'have'} "
            "none. Were tokens added without model.resize_token_embeddings?"
        )
    for special in ("pad", "eos"):
        token_id, ids = getattr(tokenizer, f"{special}_token_id"), _ids(getattr(model.config, f"{special}_token_id"))
        if token_id is None:
            raise TuneGridError(f"{name}: the tokenizer has no {special} token.")
        if ids and token_id not in ids:
            raise TuneGridError(
                f"{name}: the tokenizer's {special} token has id {token_id}, but config.json says {special}_token_id: "
                f"{', '.join(map(str, ids))}. Is it the tokenizer of another model?"
            )


def check_tokenizer(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Checks that a tokenizer turns a text into ids and back without being told more than the text.

    Raises:
        TuneGridError: it wants to know languages (mBART's, NLLB's, M2M-100's), or raises an error.
    """
    if wanted := next((key for key in ("src_lang", "source_lang") if hasattr(tokenizer, key)), None):
        raise TuneGridError(
            f"{name}: the tokenizer ({type(tokenizer).__name__}) marks each text with its language (`{wanted}`), which "
            "tasks here do not name. Use a model whose vocabulary has no marks of languages, such as mT5."
        )
    try:
        tokenizer.decode(tokenizer(ODD_TEXT)["input_ids"])
    except Exception as error:  # the libraries raise many kinds
        reason = str(error).strip().split("\n")[0]
        raise TuneGridError(
            f"{name}: the tokenizer ({type(tokenizer).__name__}) cannot encode a text: {type(error).__name__}: {reason}"
        ) from None


def _ids(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
