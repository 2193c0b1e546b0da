"""Predictions: their order, that batches do not matter, and label scores against the log-probabilities worked by hand."""

import pytest

from tests.support.checkpoints import FAMILIES
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
    method = cls(cls.Settings(kind=kind, **METHOD_SETTINGS[kind]), MODEL_FAMILIES[family])
    model = method.inject(method.load_base(folder / family)).eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data = torch.randn(parameter.shape, generator=generator) * (0.2 if family == "bart" else 0.5)
    return model


@pytest.fixture(scope="module")
def loaded(checkpoints):
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


@pytest.mark.parametrize("kind", METHOD_SETTINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_predictions_come_in_the_order_of_the_sources_whatever_the_batches(loaded, monkeypatch, family, kind):
    from tunegrid.models import generate

    monkeypatch.setattr(generate, "CPU_TIMES", 1)
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
def test_what_is_generated_starts_as_the_family_s_targets_do(loaded, family, beams):
    """T5: padding, then the answer. BART: `</s>`, then `<s>`, even where the model would rather say something else."""
    import torch

    from tunegrid.models.generate import generation_config

    model, tokenizer = loaded(family)
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


def test_decoder_inputs_in_training_are_those_of_generation(loaded):
    """The label collator shifts BART's labels behind `</s>`, T5's behind padding: what generation starts with."""
    from transformers import DataCollatorForSeq2Seq

    for family in FAMILIES:
        model, tokenizer = loaded(family)
        labels = tokenizer(text_target="the garden")["input_ids"]
        batch = DataCollatorForSeq2Seq(tokenizer, model=model)([{"input_ids": labels, "labels": labels}])
        assert batch["decoder_input_ids"][0].tolist() == [model.config.decoder_start_token_id, *labels[:-1]]


def test_the_task_s_own_settings_are_used(loaded):
    model, tokenizer = loaded("t5")
    short, long = generated(model, tokenizer, max_new_tokens=1), generated(model, tokenizer, max_new_tokens=12)
    assert short != long
    assert [a.startswith(b[:1]) for a, b in zip(long, short, strict=True)] == [True] * len(TEXTS)
    assert generated(model, tokenizer, num_beams=4) != generated(model, tokenizer)


# -- sequence scores and windows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_score_is_the_log_probability_of_each_token_and_of_the_end(loaded, family, beams):
    import torch

    from tunegrid.models.generate import generate

    model, tokenizer = loaded(family)
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


def table(sources: list[list[int]], rows: list[int]):
    import pyarrow

    return pyarrow.table({"input_ids": sources, "labels": [[1]] * len(rows), "row": rows})


def test_the_window_with_the_highest_score_answers(loaded):
    from tests.support.rows_of_tasks import make_task
    from tunegrid.models.generate import generate
    from tunegrid.tasks.predict import predict, predict_rows

    model, tokenizer = loaded("t5")
    task = make_task("qa", evaluation_batch_size=2)
    sources = tokenizer(TEXTS)["input_ids"]
    options = {"batch_size": 2, "precision": "fp32", "scored": set(range(5))}
    answers = generate(model, tokenizer, sources, task.settings.generation, **options)
    owners = [0, 0, 1, 2, 2]
    first = max((0, 1), key=lambda index: (answers[index].text != "", answers[index].score))
    last = max((3, 4), key=lambda index: (answers[index].text != "", answers[index].score))
    predicted = predict_rows(model, tokenizer, task, table(sources, owners), 3, precision="fp32")
    assert predicted.texts == [answers[first].text, answers[2].text, answers[last].text]
    assert predicted.columns["window"].tolist() == [first, 0, last - 3]
    assert predicted.columns["window_score"].tolist()[::2] == pytest.approx(
        [answers[first].score, answers[last].score], abs=1e-4
    )
    assert predicted.columns["window_score"].isna().tolist() == [False, True, False]
    assert predicted.cut == sum(not answers[index].ended for index in (first, 2, last))
    assert predict(model, tokenizer, task, table(sources, owners), 3, precision="fp32")[0] == predicted.texts
    alone = predict_rows(model, tokenizer, task, table(sources, list(range(5))), 5, precision="fp32")
    assert (alone.texts, alone.columns) == ([answer.text for answer in answers], None)
    for rows, count in ((owners, 4), (owners, 2), ([0, 0, 2, 2, 3], 4)):
        with pytest.raises(ValueError, match=rf"but {count} rows: tokenise again"):
            predict(model, tokenizer, task, table(sources, rows), count, precision="fp32")


def test_an_empty_answer_wins_only_where_there_is_no_other():
    from tunegrid.models.generate import Answer
    from tunegrid.tasks.predict import _best_windows

    answers = [Answer("", True, -0.1), Answer("dog", True, -9.0), Answer("cat", False, -8.0), Answer("", True, -3.0)]
    answers += [Answer("", True, -0.5), Answer("key", True)]
    predicted = _best_windows([0, 0, 0, 1, 1, 2], answers, 3)
    assert predicted.texts == ["cat", "", "key"]
    assert predicted.columns["window"].tolist() == [2, 1, 0]
    assert predicted.cut == 1


# -- label words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", METHOD_SETTINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_label_scores_are_the_log_probabilities_of_their_tokens(loaded, family, kind):
    import torch

    from tunegrid.models.generate import choose_labels

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
    from tunegrid.models.generate import choose_labels

    model, tokenizer = loaded(family)
    sources = tokenizer(TEXTS)["input_ids"]
    one, many = (
        choose_labels(model, tokenizer, sources, ["negative", "positive"], batch_size=size, precision="fp32")
        for size in (1, 8)
    )
    assert one[0] == many[0]
    assert one[1].to_numpy() == pytest.approx(many[1].to_numpy(), abs=1e-3)


def test_on_a_cpu_labels_are_scored_in_batches_of_few_tokens(loaded, monkeypatch):
    from tunegrid.models import generate

    model, tokenizer = loaded("t5")
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


@pytest.mark.parametrize(("times", "numbers", "expected"), [
    (1, 2**20, [2, 2, 2, 2]),
    (4, 2**20, [8]),
    (4, 16 * 90, [3, 5]),  # 3 rows x 30 tokens x 16, then 5 rows x the vocabulary
    (4, 16, [2, 2, 2, 2]),  # never fewer rows than asked for
])  # fmt: skip
def test_on_a_cpu_a_narrow_model_answers_more_rows_at_once(loaded, monkeypatch, times, numbers, expected):
    from tunegrid.models import generate
    from tunegrid.runtime import cpu_tricks

    model, tokenizer = loaded("t5")
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
