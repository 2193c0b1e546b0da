"""Methods in the tests' small checkpoints, and what their models compute."""

from pathlib import Path

from tests.support.checkpoints import DECODER_LAYERS, ENCODER_LAYERS
from tunegrid.methods import METHODS, Method
from tunegrid.models import FAMILIES, Shape

FAMILY_NAMES = ("t5", "flan-t5", "bart")


TUNED = ("full", "lora", "adapters")


ATTENTIONS = ENCODER_LAYERS + 2 * DECODER_LAYERS


BLOCKS = ENCODER_LAYERS + DECODER_LAYERS


def make(kind: str, family: str, **settings) -> Method:
    cls = METHODS[kind]
    return cls(cls.Settings(kind=kind, **settings), FAMILIES[family])


def shape_of(method: Method, model) -> Shape:
    return Shape.from_config(method.family, model.config.to_dict())


def randomise(model) -> None:
    """Trained-like weights: LoRA's B and much of an adapter start at zero, which would hide mistakes."""
    import torch

    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3


def batch_of(checkpoints, family: str):
    from tunegrid.data.tokens import load_tokenizer

    tokenizer = load_tokenizer(checkpoints / family)
    batch = tokenizer(["the old key is in the garden", "a dog"], padding=True, return_tensors="pt")
    labels = tokenizer(["the garden", "a red house"], padding=True, return_tensors="pt")["input_ids"]
    return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "labels": labels}


def logits(model, batch):
    import torch

    with torch.inference_mode():
        return model.eval()(**batch).logits


def safe_tensors(file: Path) -> dict:
    from safetensors.numpy import load_file

    return load_file(file)
