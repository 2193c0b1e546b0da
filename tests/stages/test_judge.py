"""Runs against the runs that they started from: who wins by which judge, worked from the answers themselves."""

import numpy as np
import pandas as pd
import pytest

from tests.support.preferring import PLAIN
from tunegrid.common.errors import TuneGridError
from tunegrid.data.parquet import read_parquet
from tunegrid.results.records import JudgementRecord, MetricsRecord, read_record
from tunegrid.stages.judge import contest, judge
from tunegrid.study.cells import Cell, Run

RUN, START = (Run(Cell("translation", "t5", method), 1) for method in ("dpo", "full"))


@pytest.fixture
def judged(preferring):
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.train import train

    study = preferring(
        methods={"dpo": {"kind": "dpo", "sft": "full", "pairs": "worse", "reward": "judge"}},
        rewards={"judge": {"pairs": "worse", "training": PLAIN | {"max_steps": 20}}},
        training=PLAIN | {"learning_rate": 1e-2},
    )
    record = train(study, RUN, study.paths.run(RUN))
    assert record.observations[-1].reward is not None, "the reward model judged its answers"
    for run in (RUN, START):
        evaluate_run(study, run, study.paths.run(run))
    return study


def test_both_judges_compare_the_answers_to_the_same_rows(judged):
    from tunegrid.data.tokens import load_tokenizer, read_tokens
    from tunegrid.models.reward import load_reward_model

    paths, folder = judged.paths, judged.paths.run(RUN)
    record = judge(judged, RUN, folder)
    assert read_record(folder / "judgement.json", JudgementRecord) == record
    rows = read_parquet(folder / "judgement.parquet")
    own, start = (read_parquet(paths.run(run) / "predictions.parquet") for run in (RUN, START))
    reward, tokenizer = (
        load_reward_model(paths.reward("translation", "t5", "judge") / "weights"),
        load_tokenizer(paths.model("t5")),
    )
    sources = read_tokens(paths.tokens("translation", "t5") / "test.arrow").column("input_ids").to_pylist()
    for place, row in enumerate(rows):
        assert row["id"] == own[place]["id"]
        assert (row["metric"], row["start_metric"]) == (own[place]["chrf"], start[place]["chrf"])
        for name, table in (("reward", own), ("start_reward", start)):
            ids = tokenizer(text_target=table[place]["prediction"])["input_ids"]
            alone = reward.scores(tokenizer, [sources[place]], [ids], 1)
            assert row[name] == pytest.approx(float(alone[0]), abs=1e-4)
    wins = sum(row["reward"] > row["start_reward"] + 1e-9 for row in rows)
    ties = sum(abs(row["reward"] - row["start_reward"]) <= 1e-9 for row in rows)
    assert (record.by_reward.wins, record.by_reward.ties) == (wins, ties)
    assert record.by_reward.rate == pytest.approx((wins + ties / 2) / len(rows))
    assert record.mean_start_metric == pytest.approx(np.mean([row["start_metric"] for row in rows]))


def test_tables_name_a_judgement_that_lacks_the_scores_of_a_judge(judged):
    from tunegrid.results.tables import build_tables
    from tunegrid.stages.expected import expected

    judge(judged, RUN, judged.paths.run(RUN))
    file = judged.paths.run(RUN) / "judgement.parquet"
    pd.read_parquet(file).drop(columns="start_reward").to_parquet(file)
    with pytest.raises(TuneGridError, match=r"judgement\.parquet: .*start_reward.* run its job again"):
        build_tables(judged.paths.root, expected(judged), 50)


def test_a_run_without_scores_is_a_failed_judgement_with_the_reason_and_one_without_a_record_a_mistake(judged):
    folder = judged.paths.run(START)
    record = read_record(folder / "metrics.json", MetricsRecord)
    facts = {"status": "failed", "reason": "no memory", "metrics": {}, "examples": 0}
    (folder / "metrics.json").write_text(record.model_copy(update=facts).model_dump_json())
    found = judge(judged, RUN, judged.paths.run(RUN))
    assert (found.status, found.reason) == ("failed", "translation_t5_full, seed 1, is failed: no memory")
    assert read_parquet(judged.paths.run(RUN) / "judgement.parquet") == []
    (folder / "metrics.json").unlink()
    with pytest.raises(
        TuneGridError, match=r"metrics\.json: no such file\. Evaluate translation_t5_full, seed 1, first"
    ):
        judge(judged, RUN, judged.paths.run(RUN))


def test_a_contest_by_hand():
    found = contest(np.array([1.0, 2.0, 3.0, 0.0]), np.array([0.0, 2.0, 3.0 + 1e-12, 0.5]))
    assert (found.wins, found.losses, found.ties, found.rate) == (1, 1, 2, 0.5)
