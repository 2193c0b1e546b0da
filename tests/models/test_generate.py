"""Generation: order and batches, decoding settings, the first token, and scores worked out by hand."""

import pytest

from tests.support.checkpoints import FAMILIES
from tests.support.random_models import METHOD_SETTINGS, TEXTS, generated, randomised
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES as MODEL_FAMILIES
from tunegrid.models.decoding import Generation


@pytest.mark.parametrize("kind", METHOD_SETTINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_predictions_come_in_the_order_of_the_sources_whatever_the_batches(random_model, monkeypatch, family, kind):
    from tunegrid.models import generate

    monkeypatch.setattr(generate, "CPU_TIMES", 1)
    model, tokenizer = random_model(family, kind)
    single = [generated(model, tokenizer, [text])[0] for text in TEXTS]
    assert len(set(single)) > 1, "the model tells the sources apart"
    assert generated(model, tokenizer, batch_size=8) == single
    assert generated(model, tokenizer, batch_size=2) == single
    assert generated(model, tokenizer, TEXTS[::-1], batch_size=3) == single[::-1]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_decoding_is_the_most_probable_token_each_time(random_model, family):
    import torch

    model, tokenizer = random_model(family)
    for text in TEXTS[:3]:
        source = tokenizer([text], return_tensors="pt")
        start = [model.config.decoder_start_token_id] + ([tokenizer.bos_token_id] if family == "bart" else [])
        decoder = torch.tensor([start])
        while decoder.shape[1] < 1 + 6 + tokenizer.num_special_tokens_to_add():
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

    from tunegrid.data.tokens import load_tokenizer

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


# What the real checkpoints bring: bart-large-cnn's settings for summaries, bart-base's, T5's for its own tasks.
SHIPPED = {
    "bart": {"num_beams": 4, "early_stopping": True, "no_repeat_ngram_size": 3, "length_penalty": 2.0, "min_length": 56,
             "max_length": 142, "forced_bos_token_id": 0, "forced_eos_token_id": 2},
    "t5": {"task_specific_params": {"translation_en_to_de": {"early_stopping": True, "max_length": 300, "num_beams": 4}}},
}  # fmt: skip


@pytest.mark.parametrize("family", SHIPPED)
def test_settings_in_config_json_do_not_leak_into_generation_either(checkpoints, tmp_path, family):
    """Old checkpoints keep them in config.json, and loading moves them into the model's generation settings."""
    import json
    import shutil

    from tunegrid.data.tokens import load_tokenizer

    model, tokenizer = randomised("full", family, checkpoints), load_tokenizer(checkpoints / family)
    model.save_pretrained(tmp_path / "plain")
    shutil.copytree(tmp_path / "plain", tmp_path / "shipped")
    (tmp_path / "shipped/generation_config.json").unlink()
    config = json.loads((tmp_path / "plain/config.json").read_text())
    (tmp_path / "shipped/config.json").write_text(json.dumps(config | SHIPPED[family]))
    method = METHODS["full"](METHODS["full"].Settings(kind="full"), MODEL_FAMILIES[family])
    plain, shipped = (method.load(tmp_path / name, tmp_path / name).eval() for name in ("plain", "shipped"))
    if family == "bart":
        assert shipped.generation_config.no_repeat_ngram_size == 3, "the settings are there to leak"
    for settings in ({}, {"num_beams": 4, "length_penalty": 0.6}):
        assert generated(plain, tokenizer, **settings) == generated(shipped, tokenizer, **settings)
    # Saving it, as full fine-tuning does, keeps it loadable and changes no answer.
    method.save(shipped, tmp_path / "saved")
    assert generated(method.load(tmp_path, tmp_path / "saved").eval(), tokenizer) == generated(plain, tokenizer)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_generated_starts_as_the_family_s_targets_do(random_model, family, beams):
    """T5: padding, then the answer. BART: `</s>`, then `<s>`, even where the model would rather say something else."""
    import torch

    from tunegrid.models.generate import generation_config

    model, tokenizer = random_model(family)
    config = generation_config(model, tokenizer, Generation(max_new_tokens=4, num_beams=beams))
    source = tokenizer(TEXTS[:2], padding=True, return_tensors="pt")
    with torch.inference_mode():
        output = model.generate(**source, generation_config=config, use_model_defaults=False)
    assert output[:, 0].tolist() == [{"t5": 0, "flan-t5": 0, "bart": 2}[family]] * 2
    if family != "bart":
        assert config.forced_bos_token_id is None
        return
    labels = tokenizer(text_target="the garden")["input_ids"]
    assert output[:, 1].tolist() == [labels[0]] * 2 == [0, 0]
    with torch.inference_mode():
        free = model(**source, decoder_input_ids=torch.tensor([[2], [2]])).logits[:, -1].argmax(-1)
    assert free.tolist() != [0, 0], "this model would not have said so itself"


def test_decoder_inputs_in_training_are_those_of_generation(random_model):
    """The label collator shifts BART's labels behind `</s>`, T5's behind padding: what generation starts with."""
    from transformers import DataCollatorForSeq2Seq

    for family in FAMILIES:
        model, tokenizer = random_model(family)
        labels = tokenizer(text_target="the garden")["input_ids"]
        batch = DataCollatorForSeq2Seq(tokenizer, model=model)([{"input_ids": labels, "labels": labels}])
        assert batch["decoder_input_ids"][0].tolist() == [model.config.decoder_start_token_id, *labels[:-1]]


def test_the_task_s_own_settings_are_used(random_model):
    model, tokenizer = random_model("t5")
    short, long = generated(model, tokenizer, max_new_tokens=1), generated(model, tokenizer, max_new_tokens=12)
    assert short != long
    assert [a.startswith(b[:1]) for a, b in zip(long, short, strict=True)] == [True] * len(TEXTS)
    assert generated(model, tokenizer, num_beams=4) != generated(model, tokenizer)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_score_is_the_log_probability_of_each_token_and_of_the_end(random_model, family, beams):
    import torch

    from tunegrid.models.generate import generate

    model, tokenizer = random_model(family)
    sources = tokenizer(TEXTS)["input_ids"]
    settings = Generation(max_new_tokens=4, num_beams=beams, length_penalty=0.3)
    with_end = model.lm_head.weight.data.clone()
    model.lm_head.weight.data[tokenizer.eos_token_id] *= 3  # so that some end by themselves
    try:
        options = {"batch_size": 2, "precision": "fp32"}
        answers = generate(model, tokenizer, sources, settings, scored={0, 2, 3}, **options)
        assert [answer.score is None for answer in answers] == [False, True, False, False, True]
        plain = generate(model, tokenizer, sources, settings, **options)
        assert [(a.text, a.ended) for a in answers] == [(a.text, a.ended) for a in plain]
        for index in (0, 2, 3):
            source = torch.tensor([sources[index]])
            config = {
                "num_beams": beams,
                "length_penalty": 0.3,
                "max_new_tokens": 4 + tokenizer.num_special_tokens_to_add(),
                "forced_bos_token_id": tokenizer.bos_token_id if family == "bart" else None,
            }
            tokens = reference_generation(model, tokenizer, source, config)
            assert answers[index].ended == (tokens[-1] == tokenizer.eos_token_id)
            decoder, expected = [model.config.decoder_start_token_id], 0.0
            for place, token in enumerate(tokens):  # one at a time, without cache, batch or padding
                with torch.inference_mode():
                    logits = model(input_ids=source, decoder_input_ids=torch.tensor([decoder])).logits[0, -1].double()
                if family != "bart" or place > 0:  # its first token is forced
                    expected += (logits[token] - logits.exp().sum().log()).item()
                decoder.append(token)
            assert answers[index].score == pytest.approx(expected, abs=2e-3)
    finally:
        model.lm_head.weight.data.copy_(with_end)


def reference_generation(model, tokenizer, source, config) -> list[int]:
    """The tokens after the first, to the end of the sequence."""
    import torch
    from transformers import GenerationConfig

    ids = GenerationConfig(
        decoder_start_token_id=model.config.decoder_start_token_id, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False, **config,
    )  # fmt: skip
    with torch.inference_mode():
        tokens = model.generate(source, generation_config=ids, use_model_defaults=False)[0].tolist()[1:]
    return tokens[: tokens.index(tokenizer.eos_token_id) + 1] if tokenizer.eos_token_id in tokens else tokens


@pytest.mark.parametrize(("times", "numbers", "expected"), [
    (1, 2**20, [2, 2, 2, 2]),
    (4, 2**20, [8]),
    (4, 16 * 90, [3, 5]),  # 3 rows x 30 tokens x 16, then 5 rows x the vocabulary
    (4, 16, [2, 2, 2, 2]),  # never fewer rows than asked for
])  # fmt: skip
def test_on_a_cpu_a_narrow_model_answers_more_rows_at_once(random_model, monkeypatch, times, numbers, expected):
    from tunegrid.models import generate
    from tunegrid.runtime import cpu_tricks

    model, tokenizer = random_model("t5")
    vocabulary, width = model.get_input_embeddings().weight.shape
    assert (width, vocabulary < 288) == (16, True)
    monkeypatch.setattr(generate, "CPU_TIMES", times)
    monkeypatch.setattr(generate, "CPU_NUMBERS", numbers)
    sources = [list(range(5, 5 + length)) for length in (2, 3, 12, 30, 10, 4, 3, 3)]
    rows = [len(indices) for indices, _ in generate._batches(model, tokenizer, sources, 2)]
    assert rows == expected
    cpu_tricks.switch(False)
    try:
        assert [len(indices) for indices, _ in generate._batches(model, tokenizer, sources, 2)] == [2, 2, 2, 2]
    finally:
        cpu_tricks.switch(True)
