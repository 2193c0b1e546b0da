"""Pretraining: corruption loses nothing, held-out text is left out, checkpoints load, and a seed gives the same bytes."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch

from tunegrid.common.errors import TuneGridError
from tunegrid.data import miniworld
from tunegrid.models.pretrain.architectures import build_model
from tunegrid.models.pretrain.batches import Corruption
from tunegrid.models.pretrain.corruption import last_boundary, recurrence_mask, span_mask, to_masks, to_sentinels
from tunegrid.models.pretrain.loop import allowed, prepare, pretrain, rate_at
from tunegrid.models.pretrain.settings import PretrainSource
from tunegrid.models.pretrain.tokenizers import train_tokeniser

TINY = PretrainSource(
    kind="pretrain", d_model=16, layers=1, decoder_layers=2, heads=2, d_ff=16, vocabulary=420, documents=120, steps=6,
    batch_size=8,
)  # fmt: skip
SENTINELS = list(range(100, 132))


def exercises(easy):
    return miniworld.instructions(1, easy)


def run(folder, family, source=TINY, documents=None, instructions=None, excluded=frozenset(), log=lambda line: None):
    documents = miniworld.documents(1) if documents is None else documents
    return pretrain(prepare(source, family, iter(documents), instructions, set(excluded)), folder, log)


def from_sentinels(source: list[int], target: list[int], sentinels: list[int]) -> list[int]:
    """The text that `to_sentinels` corrupted: each sentinel of the source replaced by its span of the target."""
    spans: dict[int, list[int]] = {}
    known, current = set(sentinels), None
    for token in target:
        if token in known:
            current = spans.setdefault(token, [])
        elif current is not None:
            current.append(token)
    restored: list[int] = []
    for token in source:
        restored.extend(spans[token] if token in known else [token])
    return restored


@pytest.mark.parametrize("length", [1, 2, 3, 10, 75])
def test_source_and_target_rebuild_the_document(length):
    random = np.random.default_rng(0)
    tokens = list(range(length))
    for _ in range(20):
        mask = span_mask(length, 0.4, 2.5, random)
        source, target = to_sentinels(tokens, mask, SENTINELS)
        assert from_sentinels(source, target, SENTINELS) == tokens
        assert mask.any()
        assert sum(mask) == sum(token < 100 for token in target)


def test_spans_beyond_the_sentinels_stay_visible():
    source, target = to_sentinels([1, 2, 3, 4, 5], np.array([0, 1, 0, 1, 0], dtype=bool), [100])
    assert (source, target) == ([1, 100, 3, 4, 5], [100, 2])


def test_a_text_is_continued_after_its_last_boundary():
    assert last_boundary([5, 9, 6, 9, 7, 8, 9], {9}) == 4
    assert last_boundary([5, 6, 9], {9}) == 0  # nothing would follow
    source = TINY.model_copy(update={"continuation_share": 1.0})
    tokeniser = train_tokeniser(["Is it so? No. It is."], "bart", 420, 64)
    tokens = tokeniser("Is it so? No. It is.", add_special_tokens=False)["input_ids"]
    pair = Corruption.of(tokeniser, "bart", source).apply(tokens, {}, np.random.default_rng(0))
    assert [tokeniser.decode(ids) for ids in pair] == ["<s> Is it so? No.</s>", "<s> It is.</s>"]


def test_a_span_is_one_mask_token():
    assert to_masks([1, 2, 3, 4], np.array([0, 1, 1, 0], dtype=bool), 9) == [1, 9, 4]


def test_the_rarer_recurring_words_are_hidden_once():
    tokens = [7, 20, 7, 30, 7, 20, 7, 30]
    counts = Counter({7: 50, 20: 4, 30: 5})  # 7 recurs too, and is common
    assert np.flatnonzero(recurrence_mask(tokens, counts, last=False)).tolist() == [1, 3]
    assert np.flatnonzero(recurrence_mask(tokens, counts, last=True)).tolist() == [5, 7]


def test_a_planted_held_out_text_is_left_out():
    planted = "Ben lives in Oslo. Anna is a nurse."
    excluded = {miniworld.text_key(planted)}
    tally = {"left_out": 0}
    kept = list(allowed(["A dog.", f"First. {planted} Last.", "A cat."], lambda text: (text,), excluded, tally))
    assert kept == ["A dog.", "A cat."]
    assert tally == {"left_out": 1}


def test_pretrain_leaves_out_a_planted_document(tmp_path):
    texts = [*islice(miniworld.documents(1), 40)]
    facts = run(tmp_path / "m", "t5", documents=texts, excluded={miniworld.text_key(texts[5])})
    assert facts["left_out"] >= 1
    assert facts["documents"] == 40 - facts["left_out"]


@pytest.mark.parametrize("family", ["t5", "flan-t5", "bart"])
def test_checkpoint_loads_with_the_right_structure_and_lossless_tokeniser(tmp_path, family):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    lines = []
    facts = run(tmp_path / "m", family, instructions=exercises, log=lines.append)
    assert {file.name for file in (tmp_path / "m").iterdir()} >= {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "generation_config.json",
    }  # fmt: skip
    assert facts["steps"] == 6
    assert np.isfinite(facts["losses"][6])
    assert any("loss" in line for line in lines)
    model, tokeniser = (cls.from_pretrained(tmp_path / "m") for cls in (AutoModelForSeq2SeqLM, AutoTokenizer))
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert tied == (family != "flan-t5")
    if family != "bart":
        assert model.config.feed_forward_proj == ("gated-gelu" if family == "flan-t5" else "relu")
        assert tokeniser.convert_tokens_to_ids("<extra_id_0>") != tokeniser.unk_token_id
    assert (tokeniser.mask_token == "<mask>") == (family == "bart")
    text = "Größe 東京 naïve – “quoted” 😀\nnew line"
    ids = tokeniser(text)["input_ids"]
    assert tokeniser.decode(ids, skip_special_tokens=True) == text
    assert tokeniser.unk_token_id not in ids


@pytest.mark.parametrize("family", ["flan-t5", "bart"])
def test_the_same_seed_gives_the_same_bytes(tmp_path, family):
    for name in ("a", "b"):
        run(tmp_path / name, family, instructions=exercises)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name
    other = TINY.model_copy(update={"seed": 2})
    run(tmp_path / "c", family, other, instructions=exercises)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "c")]
    assert weights[0] != weights[1]


def test_easy_exercises_come_first():
    source = TINY.model_copy(update={"steps": 10, "instruction_share": 0.8, "easy_share": 0.25, "exercises": 40})
    prepared = prepare(source, "t5", miniworld.documents(1), exercises, set())
    assert prepared.facts["instructions"] == 80
    batches = [
        prepared.tokeniser.batch_decode(batch["input_ids"], skip_special_tokens=True) for batch in prepared.batches
    ]
    assert len(batches) == 10
    assert all("Complete:" in text for batch in batches[2:4] for text in batch)  # easy ones are of one kind
    assert not all("Complete:" in text for batch in batches[4:] for text in batch)
    assert not any("Complete:" in text for batch in batches[:2] for text in batch)


def test_first_steps_are_easy_and_the_steps_on_text_can_be_spread_among_the_others():
    source = TINY.model_copy(
        update={"steps": 12, "first_steps": 2, "instruction_share": 0.8, "spread": True, "exercises": 40}
    )
    prepared = prepare(source, "bart", miniworld.documents(1), exercises, set())
    read = [[(s, t) for s, t in zip(*texts(prepared.tokeniser, batch), strict=True)] for batch in prepared.batches]
    easy, mixed = (set(islice(exercises(easy), 40)) for easy in (True, False))
    kinds = ["easy" if set(batch) <= easy else "mixed" if set(batch) <= mixed else "text" for batch in read]
    assert kinds == [*["easy"] * 2, *["mixed"] * 4, "text", *["mixed"] * 4, "text"]


def texts(tokeniser, batch):
    """The sources and targets of a batch."""
    labels = batch["labels"].masked_fill(batch["labels"] == -100, tokeniser.pad_token_id)
    return [tokeniser.batch_decode(ids, skip_special_tokens=True) for ids in (batch["input_ids"], labels)]


def test_the_rate_rises_and_falls_in_the_first_steps_and_again_in_the_others():
    source = TINY.model_copy(
        update={
            "steps": 30, "first_steps": 10, "warmup_ratio": 0.2, "decay_ratio": 0.5, "learning_rate": 4.0,
            "first_learning_rate": 1.0,
        }
    )  # fmt: skip
    rates = [4.0 * rate_at(step, source) for step in range(30)]
    assert rates[:10] == pytest.approx([0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])
    assert rates[10:20] == pytest.approx([1, 2, 3, 4, 4, 4, 4, 4, 4, 4])
    assert rates[20:] == pytest.approx([4, 3.6, 3.2, 2.8, 2.4, 2, 1.6, 1.2, 0.8, 0.4])


def test_more_first_steps_than_steps_are_refused():
    with pytest.raises(ValueError, match="first_steps: 7 of 6"):
        PretrainSource(**TINY.model_dump() | {"first_steps": 7})


def test_half_of_the_heads_start_near_in_one_direction_each_where_asked():
    source = TINY.model_copy(update={"locality": 0.5, "heads": 4})
    model = build_model(source, "t5", train_tokeniser(["A dog."], "t5", 420, 64))
    bias = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias
    position = torch.arange(8)
    from transformers.models.t5.modeling_t5 import T5Attention

    buckets = T5Attention._relative_position_bucket(position[None, :] - position[:, None])
    preference = bias(buckets)  # query x key x head
    assert preference[4, :, 0].tolist() == [-1.5, -1.0, -0.5, 0.0, -1.0, -6.0, -6.0, -6.0]
    assert preference[4, :, 1].tolist() == [-6.0, -6.0, -6.0, -6.0, -6.0, 0.0, -0.5, -1.0]


def test_positions_start_as_waves_whose_products_depend_on_the_distance_alone():
    source = TINY.model_copy(update={"locality": 1.0, "init_std": 0.5})
    model = build_model(source, "bart", train_tokeniser(["A dog."], "bart", 420, 64))
    positions = model.model.encoder.embed_positions.weight
    products = positions @ positions.T
    assert torch.allclose(products[3, 5:9], products[40, 42:46], atol=1e-4)
    assert positions.abs().max() <= 0.5


def test_heads_of_bart_start_by_comparing_the_tokens_three_before_and_copy_where_they_agree():
    """In "Anna keeps a parrot. Ben feeds a dog. Ben has a ..." the gap gets the dog: both come after Ben."""
    torch.manual_seed(1)
    source = PretrainSource(kind="pretrain", locality=1.0, init_std=0.1)
    words = "Anna Ben keeps feeds has a the parrot dog . ...".split()
    tokeniser = train_tokeniser([" ".join(words)] * 9, "bart", 420, 64)
    ids = {word: tokeniser(f" {word}", add_special_tokens=False)["input_ids"][-1] for word in words}
    model = build_model(source, "bart", tokeniser).eval()
    model.set_attn_implementation("eager")
    text = "Anna keeps a parrot . Ben feeds a dog . Ben has a ...".split()
    with torch.no_grad():
        attention = model.model.encoder(torch.tensor([[ids[word] for word in text]]), output_attentions=True).attentions
    near, match = attention[0][0, 0], attention[1][0, 2:].mean(0)
    assert all(near[place, place - 3] > 0.5 for place in range(3, len(text)))
    gap = match[-1]
    assert gap[text.index("dog")] > 5 * gap[text.index("parrot")]


@pytest.mark.parametrize(("heads", "d_model"), [(1, 16), (2, 16), (3, 24), (8, 64)])
def test_bart_of_any_number_of_heads_starts_with_them(heads, d_model):
    source = TINY.model_copy(update={"locality": 1.0, "heads": heads, "d_model": d_model})
    model = build_model(source, "bart", train_tokeniser(["A dog."], "bart", 420, 64))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_nothing_to_read_is_said(tmp_path):
    with pytest.raises(TuneGridError, match="no text"):
        run(tmp_path / "m", "t5", documents=[])
