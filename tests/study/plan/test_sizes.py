"""Rows and lengths of a plan, from every source of data."""

import numpy as np
import pytest

from tunegrid.study.plan.sizes import Sizes


@pytest.mark.parametrize(
    ("task", "changes", "rows"),
    [
        ("qa", "{}", (83_219, 4_380, 10_570)),  # a twentieth of 87,599 held out
        ("translation", "{}", (4_548_885, 2_169, 2_999)),
        ("sentiment", "{}", (22_500, 2_500, 25_000)),
        ("translation", "tasks: {translation: {source: {rows: {train: 500000, test: 100}}}}", (500_000, 2_169, 100)),
        (
            "qa",
            "tasks: {qa: {source: {splits: {train: 'train[:10%]', validation: 'train[87000:]'}}}}",
            (8_760, 599, 10_570),
        ),
    ],
)
def test_rows_of_the_papers_data_sets(paper, task, changes, rows):
    found = Sizes(paper(changes)).rows(task)
    assert tuple(found.rows.values()) == rows
    assert found.basis.endswith(" known")


def test_rows_that_nobody_knows_are_assumed_and_said_so(paper):
    changes = "tasks: {qa: {source: {path: someone/something, splits: {test: test}}}}"
    found = Sizes(paper(changes)).of("qa", "t5-base")
    assert "not known: 100,000 taken for train, test" in found.basis
    assert "upper bound" in found.basis
    assert found.splits["train"].source.mean == 512


def test_files_are_counted_and_their_lengths_estimated(tiny_study):
    import shutil

    study = tiny_study()
    estimates = {}
    counted = {task: Sizes(study).of(task, "t5") for task in study.grid.tasks}
    shutil.rmtree("results")
    for task in study.grid.tasks:
        estimates[task] = found = Sizes(study).of(task, "t5")
        rows = {split: size.rows for split, size in found.splits.items()}
        assert sum(rows.values()) == 65  # 52 of the training file, 13 of the test file
        assert "rows counted in the files" in found.basis
        assert "estimated" in found.basis
        assert "tokens counted" in counted[task].basis
        # The tests' tokenizers make far more pieces of a word than real ones.
        mean = counted[task].splits["train"].source.mean
        assert 0.2 * mean < found.splits["train"].source.mean < 1.5 * mean


def test_tokens_that_are_there_are_counted(tiny_study):
    from tunegrid.data.tokens import read_tokens

    study = tiny_study()
    table = read_tokens(study.paths.tokens("qa", "bart") / "train.arrow").to_pylist()
    lengths = [len(row["input_ids"]) for row in table]
    found = Sizes(study).of("qa", "bart").splits["train"]
    assert found.entries == len(table)
    assert found.source.mean == pytest.approx(np.mean(lengths))
    assert found.source.longest == max(lengths)
    assert found.token_bytes == pytest.approx(
        sum(4 * (n + len(row["labels"])) for n, row in zip(lengths, table, strict=True)) + 12 * len(table)
    )
