"""Mutated input ends with a message, or is accepted for a reason that somebody has written down."""

import pyarrow
import pyarrow.parquet
import pytest

from tests.mutations import rows, studies
from tests.mutations.execute import Case
from tests.mutations.script import KINDS, judge, outcomes
from tests.support.rows_of_tasks import make_task
from tunegrid.data.formats import RawRow
from tunegrid.tasks.rows import canonical_row


def assert_no_surprise(folder, seed: int, count: int, kinds=tuple(KINDS)) -> None:
    surprises = [
        f"{number} {kind}: {outcome.state}: {case.name}\n{outcome.output[-2000:]}"
        for number, kind, case, outcome in outcomes(folder, seed, range(count), kinds)
        if outcome.state != "refused" and not (outcome.state == "accepted" and judge(kind, case))
    ]
    assert surprises == []


def test_a_few_mutations_end_with_a_message_or_are_known(tmp_path):
    quick = ("studies", "command-lines", "rows")  # the others train a model, or make one
    assert_no_surprise(tmp_path, seed=3, count=4 * len(quick), kinds=quick)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutations_end_with_a_message_or_are_known(tmp_path, kind):
    assert_no_surprise(tmp_path, seed=4, count=60, kinds=[kind])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("sentiment jsonl: [].text: upper case", "A FILM.", None),
        ("sentiment jsonl: [].text: upper case", "as mutated", "2 of 6 rows are others"),
        ("sentiment jsonl: file: a line lost", None, None),
        ("sentiment jsonl: file: a line lost", "as mutated", "0 of 4 rows are others"),
    ],
)
def test_more_than_the_mutation_is_noticed(tmp_path, name, text, says):
    """Rows that were accepted differ from the whole ones in as many as were mutated, and no more."""
    task = make_task("sentiment", {"kind": "files", "paths": {"train": "a.jsonl", "test": "a.jsonl"}})
    made = [canonical_row(task, RawRow(row, "")) for row in rows.ROWS["sentiment"]]
    if "lost" in name:
        made = made[: 4 if text else 5]
    else:
        made = [row | ({"text": text} if i < (2 if text == "as mutated" else 1) else {}) for i, row in enumerate(made)]
    for split in ("train", "validation", "test"):
        (file := tmp_path / f"results/rows/data/qa/{split}.parquet").parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(made), file)
    altered = rows.surprise(tmp_path, Case(name, ()))
    assert (says in altered) if says else altered is None


def test_a_setting_that_was_not_mutated_is_noticed(tmp_path):
    studies.prepare(tmp_path)
    (tmp_path / "whole.yaml").write_text(studies.STUDY)
    (tmp_path / "study.yaml").write_text(studies.STUDY.replace("seeds: [1, 2]", "seeds: [1, 3]"))
    for place, altered in (("seeds.[]", None), ("training.epochs", "seeds differ, too")):
        assert studies.surprise(tmp_path, Case(f"value: {place}: 1", (("check", "study.yaml"),))) == altered


def test_a_case_depends_on_its_seed_and_number_alone(tmp_path):
    runs = [
        [case for _, _, case, _ in outcomes(tmp_path / name, 5, [2, 3], ("studies", "rows"))] for name in ("one", "two")
    ]
    assert runs[0] == runs[1]
