"""What a library would put into a model of a shape, before there is one: parameters and their places."""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from tunegrid.common.errors import TuneGridError
from tunegrid.models.flops import Stacks, base_stacks, trainable_parameters
from tunegrid.runtime import light_imports

if TYPE_CHECKING:
    from tunegrid.methods.base import Method
    from tunegrid.models.shape import Shape


def inserted(method: Method, shape: Shape, way: str | None) -> tuple[int | None, int, Stacks | None]:
    """Parameters that are trained, those that are added, and all by stack, in a model without trained weights.

    Args:
        way: "meta": in a model without any weights; "weights": in one with random weights; "layers": from models of
            few layers with random weights, because each layer adds the same. None: they are not known before a run.

    Raises:
        TuneGridError: the settings do not fit the sizes, by the library's own checks.
    """
    if way is None:
        return None, 0, None
    settings = method.settings.model_dump_json()
    if way == "layers":
        return _extrapolated(type(method), settings, shape)
    return _inserted(type(method), settings, shape, way == "meta")


def misfit(method: Method, shape: Shape, on_meta: bool) -> str | None:
    """The library's own reason why a model of these sizes cannot have the settings; None if it can."""
    try:
        if on_meta:
            inserted(method, shape, "meta")
        else:
            inserted(method, _with_layers(shape, 1, 1), "weights")
    except TuneGridError as error:
        return str(error)
    return None


@lru_cache(maxsize=1_000)
def _inserted(cls: type[Method], settings: str, shape: Shape, on_meta: bool) -> tuple[int, int, Stacks]:
    light_imports.drop_hints()  # the libraries are imported by commands that compute nothing, too
    import torch

    from tunegrid.models.shape import empty_model

    method = cls(cls.Settings.model_validate_json(settings), shape.family)
    with torch.random.fork_rng(devices=[]), torch.device("meta" if on_meta else "cpu"):
        model = empty_model(shape)
        before = sum(parameter.numel() for parameter in model.parameters())
        try:
            tuned = method.inject(model)
        except Exception as error:  # libraries raise all kinds
            name = method.settings.own_title or cls.title
            raise TuneGridError(f"{name} of {cls.library}: {str(error) or type(error).__name__}") from error
    after = sum(parameter.numel() for parameter in tuned.parameters())
    stacks, head = method.counted(tuned), base_stacks(shape).head
    return trainable_parameters(tuned), after - before, replace(stacks, head=head, head_trainable=0)


def _extrapolated(cls: type[Method], settings: str, shape: Shape) -> tuple[int, int, Stacks]:
    models = (_with_layers(shape, 1, 1), _with_layers(shape, 2, 1), _with_layers(shape, 1, 2))
    counts = []
    for model in models:
        trainable, added, stacks = _inserted(cls, settings, model, False)
        counts.append((trainable, added, *astuple(stacks)[:4]))  # without those of the head
    trainable, added, *stacks = (
        at + (encoder - at) * (shape.encoder_layers - 1) + (decoder - at) * (shape.decoder_layers - 1)
        for at, encoder, decoder in zip(*counts, strict=True)
    )
    return trainable, added, Stacks(*stacks, base_stacks(shape).head, 0)


def _with_layers(shape: Shape, encoder: int, decoder: int) -> Shape:
    """A smaller model with layers of the same sizes."""
    return replace(shape, encoder_layers=encoder, decoder_layers=decoder, vocabulary=min(shape.vocabulary, 512))
