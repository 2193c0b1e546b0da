"""The interface of forms: a plain model becomes what predicts in its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from tunegrid.models.families import Family

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Section = Literal["recovery", "distillation"]  # of a study: settings of the tuning of a form's weights


@dataclass(frozen=True)
class Formed:
    """A model in another form.

    Attributes:
        predictor: of transformers, or one that CTranslate2 has loaded.
        saved_bytes: of its weights as they are saved.
        zeros: share of the weights of its linear layers that are 0; None: no form that sets weights to 0.
        encoder_layers, decoder_layers: the layers of the model that were kept, from 0; None: no layer was left out.
    """

    predictor: Any
    saved_bytes: int
    zeros: float | None = None
    encoder_layers: list[int] | None = None
    decoder_layers: list[int] | None = None


class Form(ABC):
    """Another form of a plain model's weights. A new one is a subclass in a new file, named in `forms.KINDS`."""

    names: ClassVar[tuple[str, ...]]  # of this kind; where a name has numbers in it, examples
    name: str  # of this form
    precision: ClassVar[str]  # of its computation
    converts: ClassVar[bool] = False  # whether CTranslate2 computes it
    tuned_by: Section | None = None  # what its weights are tuned by before they predict; None: nothing is tuned
    saves: ClassVar[str]  # what it saves, and what it does not, in a sentence

    @classmethod
    def named(cls, name: str) -> Self | None:
        """The form of this name; None: the name is that of another kind."""
        return cls() if name in cls.names else None

    @abstractmethod
    def make(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        folder: Path,
        *,
        family: Family,
        device: str,
        threads: int,
    ) -> Formed:
        """The model in this form, before any tuning; the one that is given may be changed.

        Args:
            model: plain, on the CPU, in fp32.
            folder: empty, for files that are needed while the model is loaded again (`Converted`).

        Raises:
            TuneGridError: the model cannot have this form.
        """

    def layers(self, encoder_layers: int, decoder_layers: int) -> tuple[int, int]:
        """How many layers of encoder and decoder are left of so many."""
        return encoder_layers, decoder_layers

    def why_not(self, encoder_layers: int, decoder_layers: int) -> str | None:
        """Why a model with so many layers cannot have this form; None: it can."""
        return None


def weight_bytes(model: PreTrainedModel) -> int:
    """Bytes of a model's weights as safetensors hold them: what is tied counts once."""
    tensors = {tensor.data_ptr(): tensor for tensor in model.state_dict().values()}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
