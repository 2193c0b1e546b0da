"""Checks that the values of a checkpoint's config.json are of the type that the model's layers compute with.

transformers keeps what stands there. A text where a number belongs fails in the middle of a training, or never and
alters it: "false" is true, and every layer is left out with a probability of 1000.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection

from transformers import GenerationConfig, PretrainedConfig

from tunegrid.common.errors import TuneGridError

PROBABILITIES = ("dropout", "dropout_rate", "layerdrop")  # ends of names
# Keys that alter what a model computes and that no tensor's shape shows; of models of one type some have other values.
# All published checkpoints say them; what the oldest T5 leave out (`feed_forward_proj`) is then always relu.
UNSEEN = re.compile(r"(.*_)?heads|activation_function|scale_embedding|layer_norm_eps(ilon)?")


def check_values(config: PretrainedConfig, given: Collection[str], name: str) -> None:
    """Compares the values of a config.json with the types of the defaults of the model's type.

    Settings of generation are not compared: a study has its own.

    Args:
        config: what transformers made of config.json.
        given: the keys of config.json; others have their defaults.
        name: what messages call the checkpoint.

    Raises:
        TuneGridError: a value is a text or a list where a number belongs, no truth value where one does, or a
            probability outside of 0 to 1; or a value is left out that only config.json can tell.
    """
    given = {config.attribute_map.get(key, key) for key in given}
    unused, values = GenerationConfig().to_dict().keys(), config.to_dict()
    of_any_type = PretrainedConfig().to_dict()  # which files leave out where they are the default
    for key, default in type(config)().to_dict().items():
        if key not in given and key not in of_any_type and UNSEEN.fullmatch(key):
            raise TuneGridError(
                f"{name}: config.json does not say {key}, which the weights do not show; {default!r}, what is taken "
                "otherwise, may be that of another model. Add what the model was trained with."
            )
        if key not in given or key in unused or key.endswith("_token_id"):
            continue
        value, kind = values.get(key, default), _kind(default)
        if kind and kind != _kind(value) and not (kind == "a number" and _is_whole(value)):
            raise TuneGridError(f"{name}: config.json: {key}: {value!r}, but {kind} belongs there.")
        # The default of some is null: the part has the dropout of the whole.
        if key.endswith(PROBABILITIES) and value != default and not _is_probability(value):
            raise TuneGridError(f"{name}: config.json: {key}: {value!r}, but a probability from 0 to 1 belongs there.")


def _kind(value: object) -> str | None:
    """What a value is, in words; None: neither a number nor a truth value."""
    if isinstance(value, bool):
        return "true or false"
    if _is_whole(value):
        return "a whole number"
    return "a number" if isinstance(value, float) and math.isfinite(value) else None


def _is_probability(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
