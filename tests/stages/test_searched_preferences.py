"""The search for the learning rates of methods that start from another run, and learn from pairs or a reward model."""

import json

import pytest

from tests.support.preferring import DPO, PLAIN, SFT
from tunegrid.cli import main
from tunegrid.results.records import TrainRecord, read_record
from tunegrid.runtime.attempts import Attempt
from tunegrid.stages.fetch_pairs import fetch_pairs
from tunegrid.stages.search import choose_rate, run_trial
from tunegrid.stages.train import train
from tunegrid.stages.train_reward import train_reward
from tunegrid.study.cells import Cell, Run

PPO = Cell("translation", "t5", "ppo")


@pytest.fixture
def study(preferring):
    """A study with a search, whose trials and choice of full fine-tuning are done."""
    study = preferring(
        train=False,
        grid={"methods": ["full", "dpo", "ppo"]},
        methods={"ppo": {"kind": "ppo", "sft": "full", "reward": "judge"}},
        rewards={"judge": {"pairs": "worse", "training": PLAIN}},
        search={"factors": [0.1, 1.0], "validation_rows": 5},
        training=PLAIN | {"max_steps": None, "epochs": 1.0, "batch_size": 2},
    )
    fetch_pairs(study, "translation", "worse", study.paths.pairs("translation", "worse"))
    assert train_reward(study, "translation", "t5", "judge", study.paths.reward("translation", "t5", "judge"))
    for factor in study.search.trials:
        assert run_trial(study, SFT, factor).status == "ok"
    choose_rate(study, SFT)
    return study


def test_a_trial_starts_from_the_run_of_the_first_seed_and_takes_its_share_of_the_pairs(study):
    pairs = json.loads(study.paths.pairs_card("translation", "worse").read_text())["rows"]
    assert pairs["train"] > 20
    start = Run(SFT, study.seeds[0])
    assert train(study, start, study.paths.run(start)).status == "ok"
    for cell in (DPO, PPO):
        record = run_trial(study, cell, "0.1")
        assert (record.status, record.reason, record.seed) == ("ok", None, 0)
        # A tenth of the rows, but as many as ten steps of two take; one epoch of them.
        assert (record.train_rows, record.validation_rows, record.cost.steps) == (20, 5, 10)
        assert run_trial(study, cell, "1").status == "ok"
        assert choose_rate(study, cell).status == "ok"
        assert read_record(study.paths.run(start) / "train.json", TrainRecord).seed == study.seeds[0]
        assert [path.name for path in study.paths.trial(cell, "1").parent.iterdir() if path.is_dir()] == []


def test_a_trial_whose_start_failed_fails_with_that_reason_at_its_first_attempt(study, capsys):
    start = Run(SFT, study.seeds[0])
    train(study, start, study.paths.run(start))
    file = study.paths.run(start) / "train.json"
    failed = {"status": "failed", "reason": "it ran out of memory", "weights": None}
    file.write_text(json.dumps(json.loads(file.read_text()) | failed))
    capsys.readouterr()
    for factor in study.search.trials:
        record = run_trial(study, DPO, factor, Attempt(1, 3))
        assert record.status == "failed"
        assert record.reason == f"it starts from {SFT}, seed {study.seeds[0]}, which is failed: it ran out of memory"
    assert "Traceback" not in capsys.readouterr().err
    assert "it ran out of memory" in choose_rate(study, DPO).reason


def test_a_trial_says_which_run_it_lacks(study, capfd):
    command = ["search-trial", "tiny.yaml", "changes.yaml", "--task", "translation", "--model", "t5"]
    assert main([*command, "--method", "dpo", "--factor", "0.1"]) == 1
    assert f"tunegrid train CONFIG --task translation --model t5 --method full --seed {study.seeds[0]}" in (
        capfd.readouterr().err
    )
