"""CTranslate2 answers as transformers does: greedy answers token for token, label scores to 1e-4, beams compared."""

import json
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.checkpoints import FAMILIES
from tests.support.extras import needs_ctranslate2
from tests.support.random_models import TEXTS, randomised
from tunegrid.common.errors import TuneGridError
from tunegrid.models.decoding import Generation

pytestmark = needs_ctranslate2
ROWS = 60
LABELS = ["positive", "negative", "neither of the two"]


def rows() -> list[str]:
    """Texts of very different lengths, from the packaged world's words."""
    import random

    draw = random.Random(0)
    words = "Anna Ben Paris dog house red small key garden Monday sees found a in of where does live wonderful".split()
    return [" ".join(draw.choice(words) for _ in range(draw.randint(1, 40))) for _ in range(ROWS)]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    """family -> (model of transformers, the converted one, tokenizer, token ids of `rows`) of a packaged checkpoint."""
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.converted import Converted, convert
    from tunegrid.models.load import load_model

    loaded = {}

    def load(family: str):
        if family not in loaded:
            checkpoint, folder = ROOT / "resources/models" / family, tmp_path_factory.mktemp(family)
            model, tokenizer = load_model(checkpoint).eval(), load_tokenizer(checkpoint)
            convert(model, tokenizer, folder)
            loaded[family] = (model, Converted(folder), tokenizer, tokenizer(rows())["input_ids"])
        return loaded[family]

    return load


def both(packaged, **settings):
    from tunegrid.models.generate import generate

    model, converted, tokenizer, sources = packaged
    settings, asked = Generation(**settings), range(0, ROWS, 2)
    ours = generate(model, tokenizer, sources, settings, batch_size=16, precision="fp32", scored=asked)
    theirs = converted.generate(tokenizer, sources, settings, batch_size=16, scored=asked)
    return ours, theirs


@pytest.mark.parametrize("longest", [20, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_answers_are_those_of_transformers(packaged, family, longest):
    """Texts, whether the model ended them, how many tokens; and the log-probabilities that windows are compared by."""
    ours, theirs = both(packaged(family), max_new_tokens=longest)
    facts = [[(answer.text, answer.ended, answer.tokens) for answer in answers] for answers in (ours, theirs)]
    assert facts[0] == facts[1]
    assert len(set(facts[0])) > ROWS / 2, "the model tells the texts apart"
    assert {answer.ended for answer in ours} == {True, False}, "some end by themselves, some are cut"
    scores = [[answer.score for answer in answers] for answers in (ours, theirs)]
    assert [score is None for score in scores[0]] == [score is None for score in scores[1]]
    assert scores[1][::2] == pytest.approx(scores[0][::2], abs=1e-4)


@pytest.mark.parametrize("penalty", [0.6, 1.0])
@pytest.mark.parametrize("family", FAMILIES)
def test_beams_find_answers_as_probable_as_those_of_transformers(packaged, family, penalty):
    ours, theirs = both(packaged(family), max_new_tokens=12, num_beams=4, length_penalty=penalty)
    same = sum(a.text == b.text for a, b in zip(ours, theirs, strict=True))
    assert same >= 0.97 * ROWS
    scores = [[answer.score / answer.tokens**penalty for answer in answers[::2]] for answers in (ours, theirs)]
    worse = sum(b < a - 1e-4 for a, b in zip(*scores, strict=True))
    assert worse <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_have_the_log_probabilities_of_transformers(packaged, family):
    from tunegrid.models.generate import choose_labels

    model, converted, tokenizer, sources = packaged(family)
    ours, our_scores = choose_labels(model, tokenizer, sources, LABELS, batch_size=16, precision="fp32")
    theirs, scores = converted.choose_labels(tokenizer, sources, LABELS, batch_size=16)
    assert list(scores) == [f"score_{label}" for label in LABELS]
    assert (scores - our_scores).abs().to_numpy().max() < 1e-4
    assert theirs == ours


class Watched:
    """What CTranslate2 has loaded, with the lengths of the sources of each batch that it gets."""

    def __init__(self, model) -> None:
        self.model, self.batches = model, []

    def translate_batch(self, sources, *arguments, **options):
        self.batches.append([len(source) for source in sources])
        return self.model.translate_batch(sources, *arguments, **options)

    def score_batch(self, *arguments, **options):
        return self.model.score_batch(*arguments, **options)


@pytest.mark.parametrize(
    ("tricks", "beams", "rows_of_batches"),
    [(True, 1, [16, 32, 12]), (True, 2, [8, 16, 16, 16, 4]), (True, 8, [8] * 7 + [4]), (False, 1, [8] * 7 + [4])],
)
def test_batches_on_a_cpu_have_more_rows_while_they_have_few_tokens(
    packaged, monkeypatch, tricks, beams, rows_of_batches
):
    """The longest sources first, and every answer at its place."""
    from tunegrid.models import converted

    _, loaded, tokenizer, _ = packaged("t5")
    lengths = [40] * 8 + [20] * 52  # shuffled below
    sources = [[5 + index % 50] * (length - 1) + [1] for index, length in enumerate(lengths)][::-1]
    sources = sources[::2] + sources[1::2]
    settings = Generation(max_new_tokens=4, num_beams=beams)
    expected = loaded.generate(tokenizer, sources, settings, batch_size=60)
    monkeypatch.setattr(converted, "CPU_TOKENS", 640)
    monkeypatch.setattr(loaded, "_widens", tricks)
    watched = Watched(loaded._model)
    monkeypatch.setattr(loaded, "_model", watched)
    answers = loaded.generate(tokenizer, sources, settings, batch_size=8)
    assert [answer.text for answer in answers] == [answer.text for answer in expected]
    assert [len(batch) for batch in watched.batches] == rows_of_batches
    assert [length for batch in watched.batches for length in batch] == sorted(lengths, reverse=True)


@pytest.mark.parametrize("threads", [2, 8])
def test_many_rows_are_answered_by_a_batch_for_each_thread(packaged, tmp_path, threads):
    """The same answers; no more rows at once than one batch of all threads has, or than so many batches as asked for."""
    from tunegrid.models.converted import Converted, convert

    model, loaded, tokenizer, sources = packaged("t5")
    convert(model, tokenizer, tmp_path)
    many, settings = Converted(tmp_path, threads=threads), Generation(max_new_tokens=6)
    many.answer_many()
    assert many._model.num_translators == threads
    many._model = watched = Watched(many._model)
    answers = many.generate(tokenizer, sources, settings, batch_size=8)
    assert answers == loaded.generate(tokenizer, sources, settings, batch_size=8)
    rows_at_once = threads * max(len(batch) for batch in watched.batches)
    assert rows_at_once == max(48, 8 * threads)
    watched.batches.clear()
    assert many.generate(tokenizer, sources[:9], settings, batch_size=8) == answers[:9]
    assert len(watched.batches) == min(threads, 5), "few rows are shared out, too"
    labels, scores = many.choose_labels(tokenizer, sources, LABELS, batch_size=2)
    expected, our_scores = loaded.choose_labels(tokenizer, sources, LABELS, batch_size=2)
    assert labels == expected
    assert (scores - our_scores).abs().to_numpy().max() < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_int8_weights_are_less_than_half_the_size_and_answer(packaged, tmp_path, family):
    from tunegrid.models.converted import Converted, convert

    model, _, tokenizer, sources = packaged(family)
    sizes = {}
    for compute in ("float32", "int8"):
        folder = tmp_path / compute
        folder.mkdir()
        convert(model, tokenizer, folder, compute)
        sizes[compute] = (folder / "model.bin").stat().st_size
    assert sizes["int8"] < 0.45 * sizes["float32"]
    answers = Converted(folder, compute="int8").generate(tokenizer, sources, Generation(max_new_tokens=5), batch_size=8)
    assert len({answer.text for answer in answers}) > ROWS / 3


def test_rows_of_the_embedding_without_a_token_get_a_name_of_their_own():
    """A tokenizer with a hole in its ids, and fewer tokens than the embedding has rows, must shift no token."""
    from types import SimpleNamespace

    from tunegrid.models.converted import _NamedRows

    vocabulary = {"a": 0, "b": 3, "<row 2>": 1, "beyond": 9}
    tokenizer = SimpleNamespace(
        get_vocab=lambda: vocabulary, bos_token=None, eos_token="b", unk_token=None, pad_token="a"
    )
    named = _NamedRows.of(tokenizer, 5)
    assert [named.names[index] for index in (0, 1, 3)] == ["a", "<row 2>", "b"]
    assert len(set(named.names)) == 5
    assert named.get_vocab() == {name: index for index, name in enumerate(named.names)}
    assert named.unk_token == "a"


def test_logits_that_are_no_numbers_are_an_error(checkpoints, tmp_path):
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.converted import Converted, convert
    from tunegrid.models.generate import NonFiniteLogits

    tokenizer = load_tokenizer(checkpoints / "bart")
    model = randomised("full", "bart", checkpoints)
    model.get_input_embeddings().weight.data.fill_(float("nan"))
    convert(model, tokenizer, tmp_path)
    converted, sources = Converted(tmp_path), tokenizer(TEXTS)["input_ids"]
    with pytest.raises(NonFiniteLogits):
        converted.generate(tokenizer, sources, Generation(max_new_tokens=3), batch_size=2)
    with pytest.raises(NonFiniteLogits):
        converted.choose_labels(tokenizer, sources, LABELS, batch_size=2)


def test_what_cannot_be_loaded_or_converted_is_said(checkpoints, tmp_path):
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.converted import Converted, convert

    with pytest.raises(TuneGridError, match=f"{tmp_path}: cannot be loaded as a model of CTranslate2"):
        Converted(tmp_path)
    with pytest.raises(TuneGridError, match="cannot compute in float16 here"):
        Converted(tmp_path, compute="float16")
    model = randomised("full", "t5", checkpoints)
    model.config.dense_act_fn = "no such function"
    with pytest.raises(TuneGridError, match=r"CTranslate2 cannot convert this t5 model .*no such function"):
        convert(model, load_tokenizer(checkpoints / "t5"), tmp_path)


def test_a_converted_folder_names_the_tokens_of_the_tokenizer(packaged, tmp_path):
    from tunegrid.models.converted import convert

    model, _, tokenizer, _ = packaged("t5")
    convert(model, tokenizer, tmp_path)
    names = json.loads(Path(tmp_path, "shared_vocabulary.json").read_text())
    assert names[: len(tokenizer)] == tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    assert len(names) == model.config.vocab_size
