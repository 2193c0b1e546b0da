"""Prompt tuning (Lester et al. 2021; the paper's section 5.2.5), by the peft library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tunegrid.common.citations import LESTER_2021, Formula
from tunegrid.methods.base import FP32, MethodSettings
from tunegrid.methods.peft_library import PeftLibrary
from tunegrid.models.families import Family

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

    from tunegrid.models.shape import Shape


class PromptSettings(MethodSettings):
    """Settings of prompt tuning."""

    kind: Literal["prompt"]
    length: int = Field(20, ge=1, le=512, description="Vectors in front of each source.")
    init: Literal["vocabulary", "text", "random"] = Field(
        "vocabulary",
        description="What the vectors are at first: embeddings of tokens drawn from the vocabulary, those of `text`, "
        "or normal numbers with the spread of the embeddings.",
    )
    text: str = Field(
        "", max_length=10_000, description="With `init: text`: its tokens, repeated or cut to `length`, are the start."
    )


class Prompt(PeftLibrary):
    """Trains vectors in front of the embedded source; the model stays as it is."""

    Settings = PromptSettings
    settings: PromptSettings
    title = "Prompt Tuning"
    tunes = "vectors in front"
    trains = "prompt"
    about = Formula(
        title,
        r"P^{*} = \arg\min_{P} \sum_{(x, y)} -\log\, p_{W_0}(y \mid [P; E(x)])",
        "P star is the P that minimises the sum over all pairs of source x and target y of minus log p of y given P in "
        "front of the embedded x",
        "Vectors P stand in front of the embedded source E(x) and are all that is trained; the model W₀ stays as it "
        "is. Its encoder reads them as it reads tokens.",
        (LESTER_2021,),
    )

    @classmethod
    def why_not(cls, settings: PromptSettings, family: Family) -> str | None:
        together = (settings.init == "text") == bool(settings.text.strip())
        return None if together else "`text` and `init: text` go together"

    @property
    def added_tokens(self) -> int:
        return self.settings.length

    def load_base(self, folder: Path) -> PreTrainedModel:
        self._folder = folder
        return super().load_base(folder)

    def inject(self, model: PreTrainedModel) -> PeftModel:
        import torch
        from peft import PromptTuningConfig, TaskType

        # Without the last argument peft makes as many vectors for the decoder, which nothing uses or trains.
        config = PromptTuningConfig(
            task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=self.settings.length, num_transformer_submodules=1
        )
        start = self._start(model.get_input_embeddings().weight)
        tuned = self.put_into(model, config)
        with torch.no_grad():
            tuned.prompt_encoder["default"].embedding.weight.copy_(start)
        return tuned

    def _start(self, embeddings: torch.Tensor) -> torch.Tensor:
        """The vectors at first, [length, d_model]. Draws from torch's generator."""
        import torch

        from tunegrid.data.tokens import load_tokenizer

        length = self.settings.length
        if self.settings.init == "random":
            return torch.randn(length, embeddings.shape[1]) * embeddings.std()
        tokenizer = load_tokenizer(self._folder)
        if self.settings.init == "vocabulary":
            special = set(tokenizer.all_special_ids)
            ordinary = [token for token in range(min(len(tokenizer), len(embeddings))) if token not in special]
            ids = [ordinary[place] for place in torch.randint(len(ordinary), (length,)).tolist()]
        else:
            written = tokenizer(self.settings.text, add_special_tokens=False)["input_ids"]
            ids = [written[place % len(written)] for place in range(length)]
        return embeddings[ids].detach().clone()

    def injected_modules(self, model: PeftModel) -> list[str]:
        from peft import PromptEmbedding

        return [name for name, module in model.named_modules() if isinstance(module, PromptEmbedding)]

    def expected_modules(self, shape: Shape) -> int:
        return 1

    def trainable_count(self, shape: Shape) -> int:
        return self.settings.length * shape.d_model

    def activation_bytes(self, shape: Shape, source: float, target: float) -> tuple[float, float]:
        return FP32 * self.settings.length * shape.d_model, 0

    def save(self, model: PeftModel, folder: Path) -> None:
        model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
