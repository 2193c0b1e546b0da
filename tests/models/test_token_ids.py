"""Token ids: where the decoder's first one comes from, and tokenizers that do not belong to their model."""

import io
import json
import shutil
from pathlib import Path

import pytest

from tests.models.test_checkpoint import change_json
from tests.support.checkpoints import TEXTS
from tunegrid.common.errors import TuneGridError
from tunegrid.data.tokens import load_tokenizer
from tunegrid.models import FAMILIES
from tunegrid.models.load import check_fit, load_model
from tunegrid.models.token_ids import check_token_ids, check_tokenizer, settle_decoder_start, take_generation_ids


@pytest.fixture
def copied(checkpoints, tmp_path):
    return lambda family: Path(shutil.copytree(checkpoints / family, tmp_path / family))


def drop(file: Path, *keys: str) -> None:
    values = json.loads(file.read_text())
    file.write_text(json.dumps({key: value for key, value in values.items() if key not in keys}))


def settle(folder: Path, family=None) -> int | None:
    """The token that the decoder of a checkpoint starts with, after what fetch-model does."""
    take_generation_ids(folder, "my model")
    model = check_fit(folder, "my model")
    settle_decoder_start(folder, "my model", family or FAMILIES["t5"], model)
    assert model.config.decoder_start_token_id == load_model(folder).config.decoder_start_token_id
    return model.config.decoder_start_token_id


def test_ids_that_only_the_generation_settings_have_are_taken_from_there(copied):
    folder = copied("t5")
    drop(folder / "config.json", "decoder_start_token_id")
    change_json(folder / "generation_config.json", decoder_start_token_id=2, pad_token_id=7, num_beams=4)
    assert settle(folder) == 2
    config = json.loads((folder / "config.json").read_text())
    assert (config["pad_token_id"], config.get("num_beams")) == (0, None)  # what config.json says stays


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_else_the_decoder_starts_as_its_family_does(copied, family):
    """T5 starts with the padding, BART with the end of the text."""
    folder = copied("bart" if family.name == "bart" else "flan-t5" if family.gated else "t5")
    drop(folder / "config.json", "decoder_start_token_id")
    (folder / "generation_config.json").unlink()
    assert settle(folder, family) == (2 if family.name == "bart" else 0)


def test_without_a_rule_either_it_is_refused(copied):
    folder, family = copied("t5"), FAMILIES["t5"].model_copy(update={"decoder_start": None, "name": "my-t5"})
    drop(folder / "config.json", "decoder_start_token_id")
    (folder / "generation_config.json").unlink()
    with pytest.raises(TuneGridError, match=r"^my model: neither .* has decoder_start_token_id, and the family my-t5"):
        settle(folder, family)


def add_tokens(folder: Path, *tokens: str) -> None:
    from tunegrid.data.tokens import load_tokenizer

    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(list(tokens))
    tokenizer.save_pretrained(folder)


DAMAGES = {
    "added tokens": (lambda f: add_tokens(f, "Zzyzx", "Qqyqx"),
                     r"token 'Zzyzx' has id \d+, but the embedding has \d+ rows \(ids 0 to \d+\); 2 tokens in all have none"),
    "another tokenizer": (lambda f: shutil.copy(f.parent / "bart/tokenizer.json", f), "token '.*' has id .* but the embedding"),
    "special tokens elsewhere": (lambda f: change_json(f / "config.json", pad_token_id=5),
                                 "pad token has id 0, but config.json says pad_token_id: 5"),
    "other ends": (lambda f: change_json(f / "config.json", eos_token_id=[4, 5]), "eos token has id 1, .* eos_token_id: 4, 5"),
    "an id without a row": (lambda f: change_json(f / "config.json", decoder_start_token_id=10**6),
                            "decoder_start_token_id: 1000000 is no id of a vocabulary of"),
    "an id that is no number": (lambda f: change_json(f / "config.json", decoder_start_token_id="<pad>"), "'<pad>' is no id"),
    "no padding": (lambda f: (drop(f / "tokenizer_config.json", "pad_token"), drop(f / "special_tokens_map.json", "pad_token"),
                              drop(f / "config.json", "pad_token_id")), "the tokenizer has no pad token"),
    "an unreadable tokenizer": (lambda f: (f / "tokenizer.json").write_text('{"version": "1.0"}'), "the tokenizer cannot be loaded"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "says"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_tokenizer_that_does_not_fit_its_model_is_refused(copied, damage, says):
    copied("bart")
    folder = copied("t5")
    damage(folder)
    with pytest.raises(TuneGridError, match=f"^my model: .*{says}") as error:
        check_token_ids(folder, "my model", check_fit(folder, "my model"))
    assert "\n" not in str(error.value)


def test_tokenizers_that_fit_pass_with_rows_to_spare(copied, checkpoints):
    for family in ("t5", "flan-t5", "bart"):
        folder = copied(family)
        check_token_ids(folder, family, check_fit(folder, family))
    change_json(folder / "config.json", eos_token_id=[9, 2])
    check_token_ids(folder, "bart", check_fit(folder, "bart"))


@pytest.mark.parametrize("key", ["decoder_start_token_id", "bos_token_id", "pad_token_id"])
@pytest.mark.parametrize("value", [[0], True, "0", 0.0])
def test_an_id_in_the_configuration_is_one_whole_number(copied, key, value):
    folder = copied("t5")
    model = check_fit(folder, "my model")
    setattr(model.config, key, value)
    with pytest.raises(TuneGridError, match=rf"config\.json: {key}: .* is no id of a vocabulary of"):
        check_token_ids(folder, "my model", model)


def test_there_may_be_several_ends(copied):
    folder = copied("t5")
    model = check_fit(folder, "my model")
    model.config.eos_token_id = [1, 2]
    check_token_ids(folder, "my model", model)


@pytest.mark.parametrize("kind", ["mbart", "m2m_100"])
def test_a_tokenizer_that_marks_languages_is_refused_in_one_sentence(tmp_path, kind):
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, vocab_size=100, hard_vocab_limit=False, minloglevel=2
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    (tmp_path / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    vocabulary = {pieces.id_to_piece(number): number for number in range(pieces.get_piece_size())}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(TuneGridError, match=r"^my model: the tokenizer \(\w+\) marks each text with its language"):
        check_tokenizer(load_tokenizer(tmp_path), "my model")


def test_a_tokenizer_that_raises_an_error_is_one_sentence(copied):
    folder = copied("t5")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["unk_id"] = None  # a character that it does not know is an error then
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(TuneGridError, match=r"^my model: the tokenizer \(\w+\) cannot encode a text: "):
        check_token_ids(folder, "my model", check_fit(folder, "my model"))
