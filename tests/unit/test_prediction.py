"""Predictions: their order, that batches do not matter, and label scores against the log-probabilities worked by hand."""

import pytest
from checkpoints import FAMILIES

from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES as MODEL_FAMILIES
from tunegrid.tasks.base import Generation

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
    method = cls(cls.Settings(kind=kind, **METHOD_SETTINGS[kind]), MODEL_FAMILIES[family])
    model = method.inject(method.load_base(folder / family)).eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data = torch.randn(parameter.shape, generator=generator) * (0.2 if family == "bart" else 0.5)
    return model


@pytest.fixture(scope="module")
def loaded(checkpoints):
    from tunegrid.tokenise import load_tokenizer

    models = {}

    def load(family: str, kind: str = "full"):
        if (family, kind) not in models:
            models[family, kind] = randomised(kind, family, checkpoints)
        return models[family, kind], load_tokenizer(checkpoints / family)

    return load


def generated(model, tokenizer, texts=TEXTS, batch_size=8, **settings):
    from tunegrid.prediction import generate

    settings = Generation(**{"max_new_tokens": 6, **settings})
    sources = tokenizer(texts)["input_ids"]
    answers = generate(model, tokenizer, sources, settings, batch_size=batch_size, precision="fp32")
    return [answer.text for answer in answers]


@pytest.mark.parametrize("kind", METHOD_SETTINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_predictions_come_in_the_order_of_the_sources_whatever_the_batches(loaded, family, kind):
    model, tokenizer = loaded(family, kind)
    single = [generated(model, tokenizer, [text])[0] for text in TEXTS]
    assert len(set(single)) > 1, "the model tells the sources apart"
    assert generated(model, tokenizer, batch_size=8) == single
    assert generated(model, tokenizer, batch_size=2) == single
    assert generated(model, tokenizer, TEXTS[::-1], batch_size=3) == single[::-1]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_decoding_is_the_most_probable_token_each_time(loaded, family):
    import torch

    model, tokenizer = loaded(family)
    for text in TEXTS[:3]:
        source = tokenizer([text], return_tensors="pt")
        decoder = torch.tensor([[model.config.decoder_start_token_id]])
        for _ in range(6 + tokenizer.num_special_tokens_to_add()):
            with torch.inference_mode():
                logits = model(**source, decoder_input_ids=decoder).logits
            decoder = torch.cat([decoder, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
            if decoder[0, -1] == tokenizer.eos_token_id:
                break
        expected = tokenizer.decode(decoder[0], skip_special_tokens=True).strip()
        assert generated(model, tokenizer, [text]) == [expected]


@pytest.mark.parametrize("saved_by", ["4.27.0", "4.57.6"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_checkpoint_s_own_generation_settings_are_ignored(checkpoints, family, saved_by):
    """bart-base brings four beams and no repeated trigram; they must not decide how one method's model is decoded."""
    from transformers import GenerationConfig

    from tunegrid.tokenise import load_tokenizer

    model, tokenizer = randomised("full", family, checkpoints), load_tokenizer(checkpoints / family)
    before = generated(model, tokenizer)
    own = GenerationConfig(
        num_beams=4, no_repeat_ngram_size=1, repetition_penalty=5.0, min_length=5, early_stopping=True, max_length=3,
        length_penalty=3.0, forced_bos_token_id=7, forced_eos_token_id=8, do_sample=True, suppress_tokens=[9, 10, 11],
        decoder_start_token_id=model.config.decoder_start_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
    )  # fmt: skip
    own.transformers_version = saved_by
    model.generation_config = own
    assert generated(model, tokenizer) == before


def test_the_task_s_own_settings_are_used(loaded):
    model, tokenizer = loaded("t5")
    short, long = generated(model, tokenizer, max_new_tokens=1), generated(model, tokenizer, max_new_tokens=12)
    assert short != long
    assert [a.startswith(b[:1]) for a, b in zip(long, short, strict=True)] == [True] * len(TEXTS)
    assert generated(model, tokenizer, num_beams=4) != generated(model, tokenizer)


# -- label words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", METHOD_SETTINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_label_scores_are_the_log_probabilities_of_their_tokens(loaded, family, kind):
    import torch

    from tunegrid.prediction import choose_labels

    model, tokenizer = loaded(family, kind)
    labels = ["negative", "positive", "a wonderful film"]
    words = [tokenizer(label)["input_ids"] for label in labels]
    assert len({len(word) for word in words}) > 1, "labels of different numbers of tokens"
    sources = tokenizer(TEXTS)["input_ids"]
    predictions, scores = choose_labels(model, tokenizer, sources, labels, batch_size=2, precision="fp32")
    assert list(scores.columns) == [f"score_{label}" for label in labels]
    for row, source in enumerate(sources):
        expected = []
        for word in words:
            decoder = [model.config.decoder_start_token_id, *word[:-1]]
            with torch.inference_mode():  # one source, one label, no padding, no cache
                logits = (
                    model(
                        input_ids=torch.tensor([source]),
                        attention_mask=torch.ones(1, len(source), dtype=torch.long),
                        decoder_input_ids=torch.tensor([decoder]),
                    )
                    .logits[0]
                    .double()
                )
            logarithms = logits - logits.exp().sum(-1, keepdim=True).log()
            expected.append(sum(logarithms[i, token].item() for i, token in enumerate(word)))
        assert scores.iloc[row].tolist() == pytest.approx(expected, abs=2e-3)
        assert predictions[row] == labels[max(range(3), key=expected.__getitem__)]


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_do_not_depend_on_batches(loaded, family):
    from tunegrid.prediction import choose_labels

    model, tokenizer = loaded(family)
    sources = tokenizer(TEXTS)["input_ids"]
    one, many = (
        choose_labels(model, tokenizer, sources, ["negative", "positive"], batch_size=size, precision="fp32")
        for size in (1, 8)
    )
    assert one[0] == many[0]
    assert one[1].to_numpy() == pytest.approx(many[1].to_numpy(), abs=1e-3)
