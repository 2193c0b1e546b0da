"""The pretraining loss: by hand from the model's own loss, of T5's spans and BART's whole texts."""

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from tunegrid.common.errors import TuneGridError
from tunegrid.common.package_data import models_folder
from tunegrid.models.pretrain.batches import Corruption
from tunegrid.models.pretrain.forgetting import Forgetting, _pairs, pretraining_losses

TEXTS = [
    {"text": "Anna lives in Oslo. Ben keeps a parrot. The book is called The Silent River."},
    {"text": "The doctor sees the dog."},
    {"text": "Clara drinks some milk. I found the plot really dull. My boss loved it, but I did not."},
]


@pytest.fixture(params=["t5", "bart"])
def loaded(request):
    folder = models_folder() / request.param  # the tests' own T5 has no sentinels
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    return request.param, model, AutoTokenizer.from_pretrained(folder)


def test_it_is_the_models_loss_of_each_text_by_itself(loaded):
    family, model, tokenizer = loaded
    settings = Forgetting(batch_size=2, corruption_rate=0.3)
    losses = pretraining_losses(model, tokenizer, family, TEXTS, settings, "fp32")
    for (source, target), (nats, tokens) in zip(_pairs(tokenizer, family, TEXTS, settings), losses, strict=True):
        with torch.inference_mode():
            alone = model(input_ids=torch.tensor([source]), labels=torch.tensor([target])).loss
        assert tokens == len(target)
        assert nats / tokens == pytest.approx(alone.item(), rel=1e-4)


def test_what_is_hidden_is_the_form_of_the_family_and_stays_the_same(loaded):
    family, _, tokenizer = loaded
    settings = Forgetting(corruption_rate=0.3)
    pairs = _pairs(tokenizer, family, TEXTS, settings)
    assert pairs == _pairs(tokenizer, family, TEXTS, settings)
    assert pairs[:2] == _pairs(tokenizer, family, TEXTS[:2], settings)  # a text does not depend on the others
    assert pairs != _pairs(tokenizer, family, TEXTS, Forgetting(corruption_rate=0.3, seed=2))
    for (source, target), row in zip(pairs, TEXTS, strict=True):
        plain = tokenizer(row["text"])["input_ids"]
        if family == "bart":
            assert target == plain
            assert tokenizer.mask_token_id in source
        else:
            sentinel = Corruption.of(tokenizer, "t5", settings).sentinels[0]
            assert source.count(sentinel) == target.count(sentinel) == 1
            assert len(target) < len(plain)
    assert all(len(source) <= 18 for source, _ in _pairs(tokenizer, family, TEXTS, Forgetting(max_length=16)))


def test_exercises_are_read_as_they_are(loaded):
    family, model, tokenizer = loaded
    rows = [{"source": "In German: the dog", "target": "der Hund"}]
    settings = Forgetting(objective="exercises")
    [(source, target)] = _pairs(tokenizer, family, rows, settings)
    assert (source, target) == tuple(tokenizer(text)["input_ids"] for text in rows[0].values())
    [(nats, tokens)] = pretraining_losses(model, tokenizer, family, rows, settings, "fp32")
    assert (tokens, nats > 0) == (len(target), True)


def test_a_vocabulary_without_sentinels_is_refused(loaded):
    family, model, tokenizer = loaded
    other = "t5" if family == "bart" else "bart"
    if other == "bart":
        tokenizer.mask_token = None
    with pytest.raises(TuneGridError, match=r"^forgetting: .* no (sentinels|mask)"):
        pretraining_losses(model, tokenizer, other, TEXTS, Forgetting(), "fp32")
