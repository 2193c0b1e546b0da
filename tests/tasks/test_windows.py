"""Windows over contexts that are too long: they cover everything, keep the question."""

import itertools
import random

import pytest

from tests.support.checkpoints import FAMILIES
from tests.support.rows_of_tasks import make_task, qa
from tunegrid.tasks.windows import window_sources

LIMIT, OVERLAP = 60, 15
ALPHABETS = ("abcdefghijklmnopqrstuvwxyz", "abcXYZ0123456789.,-()'", "aéßжあ中☃🙂́", "the old key garden \n\t")


def random_text(generator: random.Random) -> str:
    alphabet = generator.choice(ALPHABETS)
    words = ["".join(generator.choices(alphabet, k=generator.randint(1, 12))) for _ in range(generator.randint(5, 250))]
    return generator.choice((" ", "  ", "\n", " \t ")).join(words).strip() or "x"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_character_is_in_a_window_and_no_window_is_too_long(tokenizers, family):
    generator, split = random.Random(FAMILIES.index(family)), 0
    for overlap in (0, 1, OVERLAP, LIMIT // 2):
        task = make_task("qa", max_source_length=LIMIT, window_overlap=overlap)
        for _ in range(40):
            row = qa(random_text(generator), ["x"])
            windows = window_sources(task, family, tokenizers[family], row, overlap)
            if windows is None:  # a single character that is more tokens than there is room
                continue
            split += len(windows) > 1
            assert max(len(window.ids) for window in windows) <= LIMIT
            covered = set()
            for window in windows:
                end = window.begin + len(window.text)
                assert row["context"][window.begin : end] == window.text
                covered.update(range(window.begin, end))
            missed = [char for place, char in enumerate(row["context"]) if place not in covered]
            assert not "".join(missed).strip()
    assert split > 60


@pytest.mark.parametrize("family", FAMILIES)
def test_neighbours_share_as_many_tokens_as_asked_for(tokenizers, family):
    tokenizer = tokenizers[family]
    context = " ".join(f"{number}" for number in range(1000, 1200))  # every slice occurs once
    task = make_task("qa", max_source_length=LIMIT, window_overlap=OVERLAP)
    windows = window_sources(task, family, tokenizer, qa(context, ["x"]), OVERLAP)
    offsets = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    tokens = [
        {
            place
            for place, (start, stop) in enumerate(offsets)
            if window.begin <= start <= stop <= window.begin + len(window.text)
        }
        for window in windows
    ]
    shared = [len(first & second) for first, second in itertools.pairwise(tokens)]
    assert len(shared) > 10
    # A blank that is a token of its own is lost where a slice begins or ends with it.
    assert {OVERLAP - 2 <= count <= OVERLAP for count in shared} == {True}
    assert sum(count == OVERLAP for count in shared) > len(shared) / 4
    full = [len(window.ids) for window in windows[:-1]]
    assert min(full) >= LIMIT - 3, "the windows are as large as they can be"


@pytest.mark.parametrize("family", FAMILIES)
def test_each_window_is_the_whole_prompt_around_a_slice(tokenizers, family):
    row = qa(" ".join(f"the dog {number}" for number in range(80)), ["x"], question="who found the old key on Monday?")
    task = make_task("qa", max_source_length=LIMIT)
    windows = window_sources(task, family, tokenizers[family], row, OVERLAP)
    assert len(windows) > 3
    for window in windows:
        source = task.source_text(row | {"context": window.text}, family)
        assert window.ids == tokenizers[family](source)["input_ids"]
