"""Draws 1,000 cases of tags, asks seqeval in strict mode for their scores, and writes both to seqeval_cases.csv.

Usage, in a clone, with seqeval 1.2.2 installed beside the pins (it is none of them): python -m tests.tasks.metrics.seqeval_cases
"""

import csv
import warnings
from importlib.metadata import version
from pathlib import Path
from random import Random

FILE = Path(__file__).with_suffix(".csv")
CASES, TYPES = 1000, ("A", "B", "C")
SCHEMES = {"iob2": "IOB2", "iob1": "IOB1", "bioes": "IOBES"}  # TuneGrid's name -> seqeval's

Span = tuple[int, int, str]


def draw_spans(random: Random, words: int, types: tuple[str, ...]) -> list[Span]:
    """Entities of a sentence of so many words: (first word, the word after the last, type)."""
    spans, place = [], 0
    while place < words:
        if random.random() < 0.5:
            place += 1
            continue
        end = min(words, place + random.choice((1, 1, 2, 3)))
        spans.append((place, end, random.choice(types)))
        place = end
    return spans


def disturb(random: Random, spans: list[Span], words: int, types: tuple[str, ...]) -> list[Span]:
    """A prediction: the entities with some left out, some of another type, some shorter; or others altogether."""
    if random.random() < 0.2:
        return draw_spans(random, words, types)
    predicted = []
    for begin, end, kind in spans:
        if random.random() < 0.2:
            continue
        if random.random() < 0.2:
            kind = random.choice(types)
        if random.random() < 0.2 and end - begin > 1:
            end -= 1
        predicted.append((begin, end, kind))
    return predicted


def tags(spans: list[Span], words: int, scheme: str) -> list[str]:
    """Entities as the tags of a scheme."""
    written = ["O"] * words
    for begin, end, kind in spans:
        follows_its_type = begin > 0 and written[begin - 1][2:] == kind
        for word in range(begin, end):
            letter = "B" if word == begin and (scheme != "iob1" or follows_its_type) else "I"
            if scheme == "bioes" and word == end - 1:
                letter = "S" if word == begin else "E"
            written[word] = f"{letter}-{kind}"
    return written


def main() -> None:
    from seqeval import scheme as schemes
    from seqeval.metrics import f1_score, precision_score, recall_score

    warnings.simplefilter("ignore")
    assert version("seqeval") == "1.2.2"
    random = Random(0)
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["scheme", "gold", "predicted", "precision", "recall", "f1"])
        for number in range(CASES):
            scheme, types = list(SCHEMES)[number % 3], TYPES[: random.choice((1, 2, 3))]
            gold, predicted = [], []
            for _ in range(random.choice((1, 2, 3))):
                words = random.randrange(1, 8)
                spans = draw_spans(random, words, types)
                gold.append(tags(spans, words, scheme))
                predicted.append(tags(disturb(random, spans, words, types), words, scheme))
            settings = {"mode": "strict", "scheme": getattr(schemes, SCHEMES[scheme]), "zero_division": 0}
            scores = [score(gold, predicted, **settings) for score in (precision_score, recall_score, f1_score)]
            texts = [" | ".join(" ".join(sentence) for sentence in side) for side in (gold, predicted)]
            writer.writerow([scheme, *texts, *(round(float(score), 12) for score in scores)])


if __name__ == "__main__":
    main()
