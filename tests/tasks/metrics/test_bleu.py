"""BLEU and chrF against sacreBLEU's own command, and BLEU's kept statistics."""

import json
import math
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.sentences import bleu_statistics as counted_by_sacrebleu
from tests.support.sentences import sentences
from tunegrid.tasks.metrics.bleu import Bleu
from tunegrid.tasks.metrics.chrf import ChrF
from tunegrid.tasks.metrics.evaluate_metric import as_evaluate


@pytest.fixture(scope="module")
def translations() -> tuple[list[str], list[str]]:
    generator = random.Random(3)
    words = ["der", "die", "das", "kleine", "große", "Hund,", "Haus.", "sieht!", "rot", "und", "„alt“", "3,5", "Größe"]
    references = [" ".join(generator.choices(words, k=generator.randint(4, 14))) for _ in range(60)]
    predictions = []
    for reference in references:
        kept = [word if generator.random() < 0.85 else generator.choice(words) for word in reference.split()]
        predictions.append(" ".join(kept[: generator.randint(3, 14)]))
    return [*predictions, ""], [*references, "leer"]


def test_bleu_and_chrf_equal_sacrebleu_s_own_command_to_the_last_digit(translations, tmp_path):
    predictions, references = translations
    for name, texts in (("predictions", predictions), ("references", references)):
        Path(tmp_path, name).write_text("\n".join(texts) + "\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "sacrebleu",
        "references",
        "-i",
        "predictions",
        "-m",
        "bleu",
        "chrf",
        "-f",
        "json",
        "-w",
        "15",
    ]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    theirs = {score["name"]: score for score in json.loads(output)}
    ours = as_evaluate(Bleu()).compute(predictions=predictions, references=references)
    assert ours["bleu"] == theirs["BLEU"]["score"] / 100
    assert ours["bleu_signature"].replace("#:1", "nrefs:1") == theirs["BLEU"]["signature"]
    assert 0.1 < ours["bleu"] < 0.9
    ours = as_evaluate(ChrF()).compute(predictions=predictions, references=references)
    assert ours["chrf"] == theirs["chrF2"]["score"] / 100


def bleu_statistics(predictions: list[str], references: list[str]) -> list[list[int]]:
    return Bleu().examples(predictions, [[text] for text in references])["bleu_statistics"]


def test_the_kept_statistics_of_each_sentence_sum_to_corpus_bleu(translations):
    predictions, references = translations
    statistics = np.array(bleu_statistics(predictions, references))
    assert statistics.shape == (61, 10)
    hypothesis, reference, *counts = statistics.sum(axis=0)
    correct, total = counts[:4], counts[4:]
    precision = math.exp(sum(math.log(c / t) for c, t in zip(correct, total, strict=True)) / 4)
    brevity = min(1.0, math.exp(1 - reference / hypothesis))
    assert brevity < 1
    assert as_evaluate(Bleu()).compute(predictions=predictions, references=references)["bleu"] == pytest.approx(
        precision * brevity
    )


def test_bleu_statistics_worked_by_hand():
    # Tokens: the cat sat . against the cat sat down . — 4 of 4 words, 2 of 3 pairs, 1 of 2 triples, 0 of 1 quadruple.
    assert bleu_statistics(["the cat sat."], ["the cat sat down."]) == [[4, 5, 4, 2, 1, 0, 4, 3, 2, 1]]


def test_bleu_of_perfect_translations_is_one():
    texts = ["der kleine Hund sieht ein Haus", "das Haus ist sehr alt"]
    assert as_evaluate(Bleu()).compute(predictions=texts, references=texts)["bleu"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("hypotheses", "references"),
    [
        sentences(50, seed=1, kept=0.8),
        sentences(20, seed=2, kept=0.1),
        sentences(1, seed=3, kept=0.5),
        (["the dog sees"], ["the dog sees"]),  # too short for four-grams: 0
        (["xyz uvw rst opq lmn"], ["the dog sees the cat"]),  # no match at all
        (["the uvw rst dog lmn"], ["the cat sees the dog"]),  # matches of one word only: smoothed
        (["the dog"] * 4, ["the dog sees the old cat"] * 4),  # brevity penalty
        ([""], ["the dog"]),
        (["the old dog sees the small cat"], ["the old dog sees the small cat"]),
    ],
)
def test_bleu_is_sacrebleus(hypotheses: list[str], references: list[str]):
    from sacrebleu.metrics import BLEU

    mine = Bleu().aggregate(counted_by_sacrebleu(hypotheses, references).sum(axis=0))
    assert 100 * mine == pytest.approx(BLEU().corpus_score(hypotheses, [references]).score, abs=1e-9)
