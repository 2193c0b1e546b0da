"""A student with fewer layers, tuned after they were left out (knowledge distillation).

It keeps evenly spaced layers of the tuned model, the first and the last among them (Shleifer and Rush 2020, arXiv
2010.13002, "shrink and fine-tune"), and learns the training rows' own targets, or what that model, its teacher, answers
to these rows (sequence-level knowledge distillation: Kim and Rush 2016, arXiv 1606.07947). Names are as those of
DistilBART: `distil-12-3` has 12 encoder layers and 3 decoder layers; `distil-3` has 3 decoder layers and the
whole encoder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tunegrid.common.errors import TuneGridError
from tunegrid.common.words import plural
from tunegrid.models.families import Family
from tunegrid.models.forms.base import Form, Formed, Section, weight_bytes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

NAME = re.compile(r"distil-(?:(?P<encoder>[1-9]\d?)-)?(?P<decoder>[1-9]\d?)")


@dataclass(frozen=True)
class Student(Form):
    """`encoder`: its layers; None: all that the model has."""

    name: str
    encoder: int | None
    decoder: int

    names, precision = ("distil-3", "distil-12-3"), "fp32"
    tuned_by: ClassVar[Section] = "distillation"
    saves = "The layers that it leaves out: bytes, memory and time, most of it where the decoder is shallow."

    @classmethod
    def named(cls, name: str) -> Self | None:
        match = NAME.fullmatch(name)
        if match is None:
            return None
        return cls(name, int(match["encoder"]) if match["encoder"] else None, int(match["decoder"]))

    def layers(self, encoder_layers: int, decoder_layers: int) -> tuple[int, int]:
        return self.encoder or encoder_layers, self.decoder

    def why_not(self, encoder_layers: int, decoder_layers: int) -> str | None:
        encoder, decoder = self.layers(encoder_layers, decoder_layers)
        has = f"it has {plural(encoder_layers, 'encoder layer')} and {plural(decoder_layers, 'decoder layer')}"
        if encoder > encoder_layers or decoder > decoder_layers:
            return f"{has}, fewer than {self.name} would keep"
        if (encoder, decoder) == (encoder_layers, decoder_layers):
            return f"{has}, of which {self.name} leaves out none"
        return None

    def make(self, model: Any, tokenizer: Any, folder: Path, *, family: Family, device: str, threads: int) -> Formed:
        stacks = {name: _layers(getattr(model, f"get_{name}")()) for name in ("encoder", "decoder")}
        if reason := self.why_not(*map(len, stacks.values())):
            raise TuneGridError(f"{self.name}: {reason}.")
        counts = self.layers(*map(len, stacks.values()))
        kept = {name: evenly_spaced(len(of), count) for (name, of), count in zip(stacks.items(), counts, strict=True)}
        student = _with_layers(model, family, kept).to(device).eval()
        return Formed(student, weight_bytes(student), encoder_layers=kept["encoder"], decoder_layers=kept["decoder"])


def evenly_spaced(layers: int, count: int) -> list[int]:
    """Indices of so many layers, evenly spaced from the first to the last; of one, the first."""
    return [int(place * (layers - 1) / (count - 1) + 0.5) for place in range(count)] if count > 1 else [0]


def _layers(stack: torch.nn.Module) -> torch.nn.ModuleList:
    import torch

    return next(part for part in stack.children() if isinstance(part, torch.nn.ModuleList))


def _with_layers(model: PreTrainedModel, family: Family, kept: dict[str, list[int]]) -> PreTrainedModel:
    """A new model with some of a model's layers, and all else as it is there."""
    sizes = family.sizes
    changes = {sizes.encoder_layers: len(kept["encoder"]), sizes.decoder_layers: len(kept["decoder"])}
    config = model.config.to_dict() | changes
    if "num_hidden_layers" in config:  # BART's second name for the encoder's
        config["num_hidden_layers"] = len(kept["encoder"])
    student = type(model)(type(model.config).from_dict(config))
    student.generation_config = model.generation_config
    names = {id(module): name for name, module in student.named_modules()}
    sources = {}  # beginnings of the names of the student's tensors -> those of the model's
    for stack, indices in kept.items():
        place = names[id(_layers(getattr(student, f"get_{stack}")()))]
        sources |= {f"{place}.{own}.": f"{place}.{index}." for own, index in enumerate(indices)}
    tensors = model.state_dict()
    student.load_state_dict({name: tensors[_source(name, sources)] for name in student.state_dict()})
    return student


def _source(name: str, sources: dict[str, str]) -> str:
    start = next((start for start in sources if name.startswith(start)), "")
    return sources.get(start, "") + name.removeprefix(start)
