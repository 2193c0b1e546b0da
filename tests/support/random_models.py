"""Models of every family and method with random weights that tell texts apart, and what they generate."""

import pytest

from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES as MODEL_FAMILIES
from tunegrid.models.decoding import Generation

TEXTS = [
    "a dog",
    "the old key is in the garden of Anna and Ben on Monday",
    "Ben",
    "a red house",
    "who found the key? " * 5,
]
METHOD_SETTINGS = {"full": {}, "lora": {"r": 2, "alpha": 1}, "adapters": {"reduction_factor": 4}}


def randomised(kind: str, family: str, folder):
    """A model with the modules of a method in it, and weights that make it say different things."""
    import torch

    cls = METHODS[kind]
    method = cls(cls.Settings(kind=kind, **METHOD_SETTINGS.get(kind, {})), MODEL_FAMILIES[family])
    model = method.inject(method.load_base(folder / family)).eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data = torch.randn(parameter.shape, generator=generator) * (0.2 if family == "bart" else 0.5)
    return model


@pytest.fixture(scope="module")
def random_model(checkpoints):
    from tunegrid.data.tokens import load_tokenizer

    models = {}

    def load(family: str, kind: str = "full"):
        if (family, kind) not in models:
            models[family, kind] = randomised(kind, family, checkpoints)
        return models[family, kind], load_tokenizer(checkpoints / family)

    return load


def generated(model, tokenizer, texts=TEXTS, batch_size=8, **settings):
    from tunegrid.models.generate import generate

    settings = Generation(**{"max_new_tokens": 6, **settings})
    sources = tokenizer(texts)["input_ids"]
    answers = generate(model, tokenizer, sources, settings, batch_size=batch_size, precision="fp32")
    return [answer.text for answer in answers]
