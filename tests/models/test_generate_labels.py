"""Labels are chosen by the log-probabilities of their tokens, whatever the batches."""

import pytest

from tests.support.checkpoints import FAMILIES
from tests.support.random_models import METHOD_SETTINGS, TEXTS

METHODS = [*METHOD_SETTINGS, "prefix", "prompt"]


@pytest.mark.parametrize("kind", METHOD_SETTINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_label_scores_are_the_log_probabilities_of_their_tokens(random_model, family, kind):
    import torch

    from tunegrid.models.generate import choose_labels

    model, tokenizer = random_model(family, kind)
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


MANY = [  # some begin alike, one is the beginning of another, one has tokens of its own alone
    "card arrival", "card arrival late", "card linking", "card payment fee charged", "card payment fee", "card",
    "exchange rate", "exchange via app", "why", "card payment wrong exchange rate",
]  # fmt: skip


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("family", FAMILIES)
def test_many_labels_share_their_beginnings_and_score_as_if_each_was_read_whole(
    random_model, family, kind, monkeypatch
):
    from tunegrid.models import answer_scores, generate

    model, tokenizer = random_model(family, kind)
    sources, options = tokenizer(TEXTS)["input_ids"], {"batch_size": len(TEXTS), "precision": "fp32"}
    read = []
    forward = model.forward
    monkeypatch.setattr(
        model, "forward", lambda **inputs: read.append(inputs["decoder_input_ids"].shape[1]) or forward(**inputs)
    )
    predictions, scores = generate.choose_labels(model, tokenizer, sources, MANY, **options)
    shared = sum(read)
    read.clear()
    monkeypatch.setattr(answer_scores, "SHARED_FROM", len(MANY) + 1)
    whole, expected = generate.choose_labels(model, tokenizer, sources, MANY, **options)
    assert scores.to_numpy() == pytest.approx(expected.to_numpy(), abs=2e-3)
    assert predictions == whole
    ids = [tuple(tokenizer(text_target=label)["input_ids"]) for label in MANY]
    assert sum(read) == sum(map(len, ids))
    if kind != "prompt":  # its tokens stand in front of each text, so that nothing is shared
        assert shared == len({answer[:length] for answer in ids for length in range(len(answer))})


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_do_not_depend_on_batches(random_model, family):
    from tunegrid.models.generate import choose_labels

    model, tokenizer = random_model(family)
    sources = tokenizer(TEXTS)["input_ids"]
    one, many = (
        choose_labels(model, tokenizer, sources, ["negative", "positive"], batch_size=size, precision="fp32")
        for size in (1, 8)
    )
    assert one[0] == many[0]
    assert one[1].to_numpy() == pytest.approx(many[1].to_numpy(), abs=1e-3)


def test_on_a_cpu_labels_are_scored_in_batches_of_few_tokens(random_model, monkeypatch):
    from tunegrid.models import generate

    model, tokenizer = random_model("t5")
    sources = [list(range(5, 5 + length)) for length in (30, 12, 10, 4, 3, 3, 2)]
    widths = []
    pad = tokenizer.pad
    monkeypatch.setattr(
        tokenizer, "pad", lambda rows, **options: widths.append(len(rows["input_ids"])) or pad(rows, **options)
    )
    monkeypatch.setattr(generate, "CPU_TIMES", 1)
    monkeypatch.setattr(generate, "CPU_LABEL_TOKENS", 24)
    options = {"batch_size": 4, "precision": "fp32"}
    few = generate.choose_labels(model, tokenizer, sources, ["negative", "positive"], **options)
    # The longest is alone; 12 + 10 fit, padded to 12; never more than the rows of a batch.
    assert widths == [1, 2, 4]
    monkeypatch.setattr(generate, "CPU_LABEL_TOKENS", 10_000)
    all_at_once = generate.choose_labels(model, tokenizer, sources, ["negative", "positive"], **options)
    assert few[0] == all_at_once[0]
    assert few[1].to_numpy() == pytest.approx(all_at_once[1].to_numpy(), abs=1e-3)
