"""Honest tables, drawn at random, are never accused."""

import random
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from tests.support.audited_tables import audit


def honest_table(generator: random.Random) -> tuple[str, int, int]:
    """A table of scores of random predictions, printed as people print: (CSV, test size, positives)."""
    size, digits = generator.randint(5, 400), generator.choice([2, 3, 4])
    rounding = generator.choice([ROUND_HALF_UP, ROUND_HALF_EVEN])
    percent = generator.random() < 0.5
    gold = [generator.random() < generator.choice([0.3, 0.5, 0.8]) for _ in range(size)]

    def text(part: float, whole: float) -> str:
        value = Decimal(part) / Decimal(whole) if whole else Decimal(0)
        return str((value * (100 if percent else 1)).quantize(Decimal(1).scaleb(-digits), rounding))

    rows = []
    for number in range(generator.randint(1, 9)):
        skill = generator.random()
        predicted = [label if generator.random() < skill else not label for label in gold]
        true = sum(label and other for label, other in zip(predicted, gold, strict=True))
        right = sum(label == other for label, other in zip(predicted, gold, strict=True))
        rows.append(
            [
                f"model {number}",
                text(right, size),
                text(true, sum(predicted)),
                text(true, sum(gold)),
                text(2 * true, sum(predicted) + sum(gold)),
            ]
        )
    head = ["model"] + [name + ("_percent" if percent else "") for name in ("accuracy", "precision", "recall", "f1")]
    return "\n".join(",".join(row) for row in [head, *rows]), size, sum(gold)


@pytest.mark.parametrize("block", range(10))
def test_an_honest_table_is_never_accused(tmp_path: Path, block: int) -> None:
    for seed in range(30):
        generator = random.Random(f"{block} {seed}")
        text, size, positives = honest_table(generator)
        claims = generator.choice(["", f"x,{size},,,"] + ([f"x,{size},{positives},,"] if positives else []))
        result = audit(tmp_path / f"{seed}", text, claims, largest=500, largest_pair=60)
        accused = [
            finding for finding in result.findings if finding.severity != "note" and finding.check != "identical-rows"
        ]
        assert not accused, (seed, accused)
        sizes = [finding.numbers for finding in result.findings if finding.check == "test-size"]
        assert all(size in fits["sizes"] or size > fits["searched_to"] or fits["fitting"] > 1000 for fits in sizes)


@pytest.mark.parametrize("seed", range(50))
def test_honest_answers_are_never_accused(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    size, rows = generator.randint(3, 300), []
    for number in range(5):
        exact = [generator.random() < 0.6 for _ in range(size)]
        f1 = [1.0 if right else generator.random() * 0.8 for right in exact]
        rows.append(f"m{number},{100 * sum(exact) / size:.2f},{100 * sum(f1) / size:.2f}")
    result = audit(tmp_path, "\n".join(["model,exact_match_percent,f1_percent", *rows]), f"x,{size},,,")
    assert [
        finding for finding in result.findings if finding.severity != "note" and finding.check != "identical-rows"
    ] == []
