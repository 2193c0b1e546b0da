"""The interface of tuning methods: load the base, put modules into it, train, save, load and merge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tunegrid.common.citations import Formula
from tunegrid.common.fields import Closed, Title
from tunegrid.methods.needs import Inputs, Need
from tunegrid.models.families import Family
from tunegrid.models.flops import Stacks, Tokens, base_stacks, counted

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape
    from tunegrid.training.session import Objective, TrainingSession, TrainingSummary
    from tunegrid.training.settings import Training

FP32 = 4


class MethodSettings(Closed):
    """The settings that every method has."""

    title: Title = Field("", description="Name in tables; default: the method's own.")

    @property
    def own_title(self) -> str | None:
        """The title of a method with these settings; None: that of its kind."""
        return None

    @property
    def described(self) -> bool:
        """Whether the equation of its kind (`Method.about`) is that of a method with these settings."""
        return True


class Method(ABC):
    """A way to tune a pretrained model. A new one is a subclass in a new file, named in `methods.METHODS`.

    The order of a run is `load_base`, `inject`, `fit`, `save`; an evaluation calls `load`, in another process.
    Everything but `inject`, `save` and `load` has a default that suits most methods:

    - a method that loads its base differently (quantised, say) overrides `load_base`;
    - one with its own objective overrides `loss`;
    - one with its own training loop (reinforcement learning, say) overrides `fit`.
    """

    Settings: ClassVar[type[MethodSettings]] = MethodSettings
    title: ClassVar[str]
    tunes: ClassVar[str] = ""  # what it trains, in a few words, for tables
    about: ClassVar[Formula | None] = None  # its equation and its source, for the report
    # "all": every parameter; "layers": parameters inside the layers of the stacks; "prompt": vectors in front of the
    # sources; None: nothing: the model is evaluated as it is, without a training job.
    trains: ClassVar[Literal["all", "layers", "prompt"] | None] = "layers"
    effort = 1.0  # of a training step, as a multiple of one with the cross-entropy of the same rows, for the plan
    samples = False  # whether the model answers each training row that it sees, for the plan
    passes = 1  # of a training step over its rows
    answers = 1  # that a training row has
    forward_models = 0  # plain models that a training holds beside its own, for what they say of answers
    forward_formula = ""  # of `forward_flops`, in words
    added_tokens = 0  # virtual tokens that the model sees in front of each source
    library: ClassVar[Literal["peft", "adapters"] | None] = None  # loads the folder that `save` writes
    attention: Literal["eager"] | None = None  # that the base has to be loaded with; None: any
    # The method's own objective: (self, session, batch) -> loss of `session.model`. None: the cross-entropy of the
    # target's tokens. Batches come whole, where others are computed in groups of rows, and `batch["row"]` says which of
    # `session.rows` they are of.
    loss: Objective | None = None

    def __init__(self, settings: MethodSettings, family: Family) -> None:
        self.settings = settings
        self.family = family
        self.inputs: Inputs = {}  # the values of `needs`, set before a training loads its base

    @classmethod
    def why_not(cls, settings: MethodSettings, family: Family) -> str | None:
        """The reason why this method cannot tune a model of this family; None if it can. Called before any job runs."""
        return None

    @classmethod
    def missing_package(cls) -> str | None:
        """The package that the method needs and this machine lacks, in a sentence; None: nothing is missing.

        Only what trains or loads a model needs it: the results of another machine are read without it.
        """
        return None

    @classmethod
    def training_problem(cls, training: Training) -> str | None:
        """The reason why the method cannot be trained with these settings; None if it can. Called before any job."""
        return None

    def misfit(self, shape: Shape) -> str | None:
        """The reason why a model of these sizes cannot have these settings; None if it can. Called before any job."""
        return None

    def load_base(self, folder: Path) -> PreTrainedModel:
        """The pretrained model, on the CPU, in fp32 (bf16 is autocast over fp32 weights)."""
        from tunegrid.models.load import load_model

        return load_model(folder)

    @abstractmethod
    def inject(self, model: PreTrainedModel) -> torch.nn.Module:
        """The model with the method's modules in it; only what is to be trained requires a gradient."""

    def injected_modules(self, model: torch.nn.Module) -> list[str]:
        """Names of the modules that `inject` touched."""
        return []

    def expected_modules(self, shape: Shape) -> int:
        """How many modules `inject` has to touch, by the architecture alone.

        Libraries skip a target that they do not find, in silence, so this number is compared with what was injected.
        """
        return 0

    def trainable_count(self, shape: Shape) -> int | None:
        """How many parameters the method trains, by the architecture alone; None: not known.

        It is compared with the model before a run starts, and the plan of a study estimates cost and memory from it.
        """
        return None

    def added_count(self, shape: Shape) -> int:
        """How many parameters `inject` puts into the model, beside those of the base."""
        return 0

    def stacks(self, shape: Shape) -> Stacks | None:
        """Parameters of the tuned model in each stack, by the architecture alone; None: as for `trainable_count`."""
        trainable, base = self.trainable_count(shape), base_stacks(shape)
        if trainable is None:
            return None
        if self.trains == "all":
            return Stacks(base.encoder, base.encoder, base.decoder, base.decoder, base.head, base.head)
        if self.trains != "layers":
            return base
        # A model without its encoder's layers has in its decoder's what this one has there.
        half = replace(shape, encoder_layers=0)
        in_decoder = self.trainable_count(half)
        added, added_decoder = self.added_count(shape), self.added_count(half)
        encoder, decoder = base.encoder + added - added_decoder, base.decoder + added_decoder
        return Stacks(encoder, trainable - in_decoder, decoder, in_decoder, base.head, 0)

    def forward_flops(self, own: Stacks, plain: Stacks, seen: Tokens, whole: Tokens) -> float:
        """FLOPs of the forward passes of a training beside those of its steps.

        Args:
            own, plain: parameters of the model that is trained, and of one without the method.
            seen: tokens of the answers that a training sees, each pass over them counted once.
            whole: tokens of the training and validation splits.
        """
        return 0.0

    def saved_count(self, shape: Shape) -> int | None:
        """How many parameters `save` writes, by the architecture alone; None: as for `trainable_count`."""
        return shape.parameters + self.added_count(shape) if self.trains == "all" else self.trainable_count(shape)

    def counted(self, model: torch.nn.Module) -> Stacks:
        """Parameters of the tuned model in each stack, for its operations: packed weights count unpacked."""
        return counted(model)

    def weight_bytes(self, shape: Shape) -> float:
        """Bytes of the tuned model's weights in memory."""
        return FP32 * (shape.parameters + self.added_count(shape))

    def activation_bytes(self, shape: Shape, source: float, target: float) -> tuple[float, float]:
        """Bytes that the method's own modules keep for the backward pass of one example: (encoder's, decoder's).

        Args:
            source, target: tokens of the example, `added_tokens` included.
        """
        return 0, 0

    def needs(self) -> Sequence[Need]:
        """What the training reads beside tokens, rows and base: files, and what the study has by a name.

        All become inputs of the training's job. `inputs` has the values of those that are no files.
        """
        return []

    def fit(self, session: TrainingSession) -> TrainingSummary:
        """Trains `session.model` in place."""
        from tunegrid.training.trainer import fit

        return fit(session)

    @abstractmethod
    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """Writes what the method changed into an empty folder, as safetensors."""

    @abstractmethod
    def load(self, base: Path, weights: Path) -> torch.nn.Module:
        """The tuned model from its base's folder and the folder that `save` wrote."""

    def why_unmerged(self) -> str | None:
        """The reason why the tuned model has no plain form; None: `merge` makes it. Called before any job runs."""
        merges = type(self).merge is not Method.merge
        return None if merges else f"what {self.title} adds cannot be merged into the weights"

    def merge(self, model: torch.nn.Module) -> PreTrainedModel | None:
        """The tuned model as a plain one without the method's modules; None where that is not defined."""
        return None
