"""Tables of instruction tuning: shares of a mixture, scores by wording, differences to the untuned model."""

import json
from statistics import fmean

import pandas as pd
import pytest

from tests.support.instructed import cell
from tunegrid.common.errors import TuneGridError
from tunegrid.results.records import MetricsRecord, TrainRecord, WordingsRecord, read_record
from tunegrid.results.tables import build_tables
from tunegrid.stages.expected import expected
from tunegrid.study.cells import Run


@pytest.fixture
def tables(instructed):
    return build_tables(instructed.paths.root, expected(instructed), resamples=200)


def worded(study, task: str) -> tuple[WordingsRecord, WordingsRecord]:
    """The records of the run and of the untuned model."""
    folders = study.paths.run(Run(cell(task), 1)), study.paths.untuned_wordings(task, "t5", "instruct")
    return tuple(read_record(folder / "wordings.json", WordingsRecord) for folder in folders)


def test_the_mixture_has_the_shares_of_its_limit_and_names_what_is_held_out(tables):
    rows = {row.task: row for row in tables["mixtures"].itertuples()}
    assert (rows["translation"].examples, rows["sentiment"].examples) == (32, 24)
    assert rows["translation"].share == pytest.approx(32 / 56)
    assert {task: row.in_mixture for task, row in rows.items()} == {"translation": True, "qa": False, "sentiment": True}
    assert rows["qa"].examples != rows["qa"].examples  # none


def test_every_wording_of_every_result_is_a_row(tables, instructed):
    frame = tables["wordings"]
    for task in ("translation", "qa", "sentiment"):
        tuned, untuned = worded(instructed, task)
        for record in (tuned, untuned):
            chosen = frame[(frame["task"] == task) & (frame["kind"] == record.kind) & frame["primary"]]
            assert chosen["value"].tolist() == [one.metrics[record.primary] for one in record.wordings]
            assert chosen["template"].tolist() == [one.template for one in record.wordings]


@pytest.mark.parametrize("task", ["translation", "qa", "sentiment"])
def test_means_and_differences_are_those_of_the_records(tables, instructed, task):
    tuned, untuned = worded(instructed, task)
    prompt = read_record(instructed.paths.untuned(task, "t5") / "metrics.json", MetricsRecord).metrics[tuned.primary]
    frame = tables["instruction"]
    rows = {row.asked: row for row in frame[frame["task"] == task].itertuples()}
    assert set(rows) == ({"unseen"} if task == "qa" else {"trained", "unseen"})
    for asked, row in rows.items():
        means = [
            fmean(one.metrics[record.primary] for one in record.wordings if one.trained == (asked == "trained"))
            for record in (tuned, untuned)
        ]
        assert row.mean == pytest.approx(means[0])
        assert row.difference == pytest.approx(means[0] - means[1])
        assert row.prompt_difference == pytest.approx(means[0] - prompt.value)
        assert row.difference_low <= row.difference <= row.difference_high
        assert row.ci_low <= row.mean <= row.ci_high


def test_a_p_value_says_whether_the_wordings_matter_the_same_of_all_of_a_cell(tables):
    """Of trained and of unseen wordings together; the untuned model has no part in it."""
    frame = tables["instruction"]
    for _, rows in frame.groupby("task"):
        assert rows["wordings_p"].nunique() == 1
        assert (rows["wordings_p"] >= 1 / 201).all()
        assert (rows["wordings_p"] <= 1).all()


def test_costs_name_the_training_that_cells_share_and_sums_count_it_once(tables):
    from tunegrid.report.cost_words import trainings

    costs = tables["costs"]
    assert costs["shared_by"].tolist() == [3, 3, 3]
    assert set(costs["shared_training"]) == {"mixtures/runs/t5/instruct/seed-1"}
    assert len(trainings(costs)) == 1


def test_the_audit_compares_a_shared_training_with_the_card_of_its_mixture(own_instructed):
    def errors() -> list[str]:
        audit = build_tables(own_instructed.paths.root, expected(own_instructed), resamples=200)["audit"]
        return audit[audit["severity"] == "error"]["computed"].tolist()

    assert errors() == []
    file = own_instructed.paths.run(Run(cell("qa"), 1)) / "train.json"
    record = json.loads(file.read_text())
    record["provenance"]["data_fingerprint"] = "0" * 16
    file.write_text(json.dumps(record))
    assert read_record(file, TrainRecord)
    (found,) = errors()
    assert "data_fingerprint 0000000000000000" in found


def test_answers_that_are_missing_are_said_to_be_and_leave_no_summary(own_instructed):
    for name in ("wordings.json", "wordings.parquet"):
        (own_instructed.paths.run(Run(cell("qa"), 1)) / name).unlink()
    tables = build_tables(own_instructed.paths.root, expected(own_instructed), resamples=200)
    frame = tables["wordings"]
    assert frame[(frame["task"] == "qa") & (frame["kind"] == "run")]["status"].tolist() == ["missing"]
    assert "qa" not in set(tables["instruction"]["task"])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda table: table.iloc[:-1], r"has \d+ answers to .+, but its record says \d+\. Evaluate again"),
        (lambda table: table[["id", "wording"]], r"cannot be read \(.*not in index.*\)\. Run its job again"),
    ],
)
def test_answers_that_are_not_those_of_the_record_are_named(own_instructed, broken, message):
    file = own_instructed.paths.run(Run(cell("qa"), 1)) / "wordings.parquet"
    broken(pd.read_parquet(file)).to_parquet(file)
    with pytest.raises(TuneGridError, match=rf"wordings\.parquet: {message}"):
        build_tables(own_instructed.paths.root, expected(own_instructed), resamples=200)
