"""How far the scores of two results folders lie apart."""

import json
from pathlib import Path

import pytest

from tunegrid.results.compare import TOLERANCE, compare, moved_scores


def results(folder: Path, *scores: float | None) -> Path:
    """A results folder with a run of each score; None: a run that failed."""
    for number, score in enumerate(scores):
        file = folder / f"runs/qa/t5/full/seed-{number}/metrics.json"
        file.parent.mkdir(parents=True)
        metrics = {} if score is None else {"exact_match": {"value": score}, "f1": {"value": 1.0}}
        file.write_text(json.dumps({"primary": "exact_match", "metrics": metrics}))
    return folder


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ((0.915, 0.5, None), ""),
        ((0.914, 0.5, 0.3), "differ in 1 of 2 runs, by 0.0010 at most; none by more than 0.01"),
        ((0.914, 0.4, None), "differ in 2 of 2 runs, by 0.1000 at most; 1 of them by more than 0.01"),
    ],
)
def test_scores_are_held_against_what_another_processor_does(
    tmp_path: Path, other: tuple[float | None, ...], sentence: str
) -> None:
    first, second = results(tmp_path / "a", 0.915, 0.5, None), results(tmp_path / "b", *other)
    assert sentence in moved_scores(first, second)
    assert bool(compare(first, second)) or not sentence
    assert not sentence or f"{TOLERANCE:g}, which docs/ARTIFACT.md" in moved_scores(first, second)


def test_the_tolerance_is_that_of_the_artifact_description() -> None:
    text = (Path(__file__).parents[2] / "docs/ARTIFACT.md").read_text()
    assert f"within {TOLERANCE:g}" in text


@pytest.mark.parametrize(
    "name", ["preferences/qa/worse/train.parquet", "rewards/qa/t5/judge/weights/model.safetensors"]
)
def test_pairs_and_reward_models_are_results_too(tmp_path: Path, name: str) -> None:
    first, second = results(tmp_path / "a", 0.5), results(tmp_path / "b", 0.5)
    for folder, content in ((first, b"one"), (second, b"two")):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
    assert compare(first, second) == [f"{name}: the bytes differ"]
    (second / name).write_bytes(b"one")
    assert compare(first, second) == []
