"""Made-up sentences and what sacreBLEU counts in them."""

import numpy as np

WORDS = ["the", "a", "dog", "cat", "house", "sees", "runs", "old", "small", "green", "and", "with", "under", "river"]


def sentences(count: int, seed: int, kept: float) -> tuple[list[str], list[str]]:
    generator = np.random.default_rng(seed)
    references = [" ".join(generator.choice(WORDS, generator.integers(5, 15))) for _ in range(count)]
    hypotheses = [
        " ".join(word if generator.random() < kept else generator.choice(WORDS) for word in reference.split())
        for reference in references
    ]
    return hypotheses, references


def bleu_statistics(hypotheses: list[str], references: list[str]) -> np.ndarray:
    """[sentences, 10], by sacreBLEU itself."""
    from sacrebleu.metrics import BLEU

    rows = BLEU()._extract_corpus_statistics(hypotheses, [references])
    return np.array(rows, dtype=float)
