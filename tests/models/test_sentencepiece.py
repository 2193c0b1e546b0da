"""Vocabularies that come as a SentencePiece model alone: the converted ones give SentencePiece's own token ids."""

import io
import json
import random
import shutil
from itertools import islice
from pathlib import Path

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.data import miniworld
from tunegrid.data.tokens import load_tokenizer
from tunegrid.models.sentencepiece import write_fast_tokenizer

SENTENCES = 400
ODD = [
    "", " ", "two  spaces", "  at the start", "at the end  ", "a\ttab\nand a line", "ÄÖÜ ß €", "“quotes” – a dash…",
    "ﬁne ① ½ Ⅷ ﷺ", "日本語 テスト", "an emoji 😀 here", "e\u0301 combined", "zero\u200bwidth", "a\u00a0space", "x" * 60,
    "1,234.56 $%&*", "▁under ▁ it", "a\u3000wide space", "soft\u00adhyphen", "<not special> [CLS]", "🇩🇪🇫🇷",
]  # fmt: skip


@pytest.fixture(scope="module", params=[False, True], ids=["as T5", "with bytes, as mT5"])
def folder(request, tmp_path_factory) -> Path:
    """A checkpoint without weights, whose tokenizer is a SentencePiece model."""
    import sentencepiece

    folder, model = tmp_path_factory.mktemp("spiece"), io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=islice(miniworld.documents(seed=1), 1500), model_writer=model, vocab_size=700, pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, minloglevel=2, byte_fallback=request.param, normalization_rule_name="nmt_nfkc",
    )  # fmt: skip
    (folder / "spiece.model").write_bytes(model.getvalue())
    (folder / "config.json").write_text(json.dumps({"model_type": "mt5" if request.param else "t5"}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"extra_ids": 0 if request.param else 100}))
    write_fast_tokenizer(folder, "my model")
    return folder


@pytest.fixture
def sentencepiece(folder):
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))


def sentences() -> list[str]:
    """Texts like those of the tasks, others than the vocabulary is trained on, and odd ones."""
    texts = list(islice(miniworld.documents(seed=2), SENTENCES))
    letters, chance = "aeiouäöüß ñçéÅbcdfg .,;:!?-'\"", random.Random(0)
    return [*texts, *("".join(chance.choices(letters, k=40)) for _ in range(100)), *ODD]


def test_token_ids_are_those_of_sentencepiece_itself(folder, sentencepiece):
    tokenizer = load_tokenizer(folder)
    assert tokenizer.is_fast
    for text in sentences():
        assert tokenizer(text)["input_ids"] == [*sentencepiece.encode(text), sentencepiece.eos_id()], text


def test_what_is_decoded_is_what_sentencepiece_decodes(folder, sentencepiece):
    tokenizer, unknown = load_tokenizer(folder), sentencepiece.unk_id()
    for text in sentences():
        ids = sentencepiece.encode(text)
        if unknown not in ids:  # SentencePiece writes " ⁇ " there, transformers leaves it out
            assert tokenizer.decode(ids) == sentencepiece.decode(ids), text


def test_special_tokens_stand_beyond_the_vocabulary(folder, sentencepiece):
    tokenizer, size = load_tokenizer(folder), sentencepiece.get_piece_size()
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)
    if len(tokenizer) > size:  # T5's sentinels, the last of them first
        assert tokenizer.convert_tokens_to_ids(["<extra_id_99>", "<extra_id_0>"]) == [size, size + 99]


def test_a_tokenizer_that_is_there_stays_as_it_is(checkpoints, tmp_path, folder):
    copy = Path(shutil.copytree(checkpoints / "t5", tmp_path / "t5"))
    before = (copy / "tokenizer.json").read_bytes()
    shutil.copy(folder / "spiece.model", copy)
    write_fast_tokenizer(copy, "my model")
    assert (copy / "tokenizer.json").read_bytes() == before
    (copy / "spiece.model").unlink()
    (copy / "tokenizer.json").unlink()
    write_fast_tokenizer(copy, "my model")
    assert not (copy / "tokenizer.json").exists()


def test_what_is_no_sentencepiece_model_is_one_message(tmp_path):
    (tmp_path / "spiece.model").write_bytes(b"pieces")
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(
        TuneGridError, match=r"^my model: spiece\.model cannot be read as a SentencePiece model: "
    ) as error:
        write_fast_tokenizer(tmp_path, "my model")
    assert "\n" not in str(error.value)
