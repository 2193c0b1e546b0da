"""Magnitude pruning of the linear layers: the smallest weights are set to 0.

The share is taken of all layers together (`prune-30`), of each layer (`prune-30-layers`), or two of four neighbours
along the inputs (`prune-2-4`, what sparse tensor cores take). Han et al. 2015, arXiv 1506.02626; Mishra et al. 2021,
arXiv 2104.08378. Embeddings, the LM head, normalisations and biases stay. With `-tuned` at the end of the name
the model is tuned again for a while, and what is 0 stays 0; else nothing is trained after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from tunegrid.models.families import Family
from tunegrid.models.forms.base import Form, Formed, Section, weight_bytes

if TYPE_CHECKING:
    import torch

NAME = re.compile(r"prune-(?:(?P<percent>[1-9]\d?)(?P<each>-layers)?|(?P<two>2-4))(?P<tuned>-tuned)?")


@dataclass(frozen=True)
class Pruned(Form):
    """Zeros are stored and multiplied like any other weight."""

    name: str
    share: float
    within: Literal["model", "layer", "four"]
    tuned_by: Section | None = None

    names, precision = ("prune-30", "prune-30-layers", "prune-2-4", "prune-30-tuned"), "fp32"
    saves = (
        "Nothing when it runs: zeros are stored and multiplied like other weights. It shows what a runtime for sparse "
        "weights would have to work with."
    )

    @classmethod
    def named(cls, name: str) -> Self | None:
        match = NAME.fullmatch(name)
        if match is None:
            return None
        tuned_by = "recovery" if match["tuned"] else None
        if match["two"]:
            return cls(name, 0.5, "four", tuned_by)
        within = "layer" if match["each"] else "model"
        return cls(name, int(match["percent"]) / 100, within, tuned_by)

    def make(self, model: Any, tokenizer: Any, folder: Path, *, family: Family, device: str, threads: int) -> Formed:
        import torch

        weights = linear_weights(model)
        with torch.no_grad():
            self.prune(weights)
        zeros = sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
        return Formed(model.to(device).eval(), weight_bytes(model), zeros)

    def prune(self, weights: Sequence[torch.Tensor]) -> None:
        """Sets the smallest of some weights, [outputs, inputs] each, to 0 in place."""
        if self.within == "model":
            _smallest(weights, self.share)
            return
        for weight in weights:
            if self.within == "four":
                _two_of_four(weight)
            else:
                _smallest([weight], self.share)


def linear_weights(model: Any) -> list[torch.nn.Parameter]:
    """The weights of a model that are pruned, [outputs, inputs] each."""
    import torch

    return [
        module.weight
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not model.get_output_embeddings()
    ]


def _smallest(weights: Sequence[torch.Tensor], share: float) -> None:
    """Sets the share of the smallest magnitudes of all these weights together to 0: so many, whatever their ties."""
    import torch

    magnitudes = torch.cat([weight.abs().flatten() for weight in weights])
    count = round(share * magnitudes.numel())
    kept = torch.ones(magnitudes.numel(), dtype=torch.bool)
    kept[magnitudes.topk(count, largest=False, sorted=False).indices] = False
    start = 0
    for weight in weights:
        weight.mul_(kept[start : start + weight.numel()].view_as(weight))
        start += weight.numel()


def _two_of_four(weight: torch.Tensor) -> None:
    """Keeps the two largest magnitudes of each four neighbours in a row; inputs beyond the last four stay."""
    import torch

    outputs, inputs = weight.shape
    whole = weight[:, : inputs - inputs % 4].reshape(outputs, -1, 4)
    largest = whole.abs().topk(2, dim=-1).indices
    kept = torch.zeros_like(whole).scatter_(-1, largest, 1.0)
    weight[:, : inputs - inputs % 4] = (whole * kept).reshape(outputs, -1)
