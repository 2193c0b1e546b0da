"""The stage of reward models: what it learns, its record, and that a stop changes no bit."""

import math
import os
import signal
from pathlib import Path

import pytest

from tests.support.preferring import PLAIN
from tunegrid.common.errors import TuneGridError
from tunegrid.results.records import RewardRecord, read_record
from tunegrid.runtime.stopping import Stopped
from tunegrid.stages.train_reward import calibration, train_reward

NAMES = ("translation", "t5", "judge")
SETTINGS = {"pairs": "worse", "training": PLAIN | {"max_steps": 120, "evaluation_steps": 20, "learning_rate": 5e-3}}


@pytest.fixture
def judged(preferring):
    """The study with pairs and settings of a reward model, which is still to be trained."""

    def make(**settings):
        study = preferring(rewards={"judge": SETTINGS | settings})
        return study, study.paths.reward(*NAMES)

    return make


def test_a_reward_model_tells_worse_answers_that_it_never_saw(judged):
    study, folder = judged()
    record = train_reward(study, *NAMES, folder)
    assert read_record(folder / "reward.json", RewardRecord) == record
    assert record.accuracy > 0.7, "answers that lost half of their words"
    assert record.test_loss < math.log(2)
    assert sum(one.pairs for one in record.calibration) == record.test_pairs
    assert record.selection.validation_loss < math.log(2)
    assert (record.cost.steps, record.cost.saved_bytes > 0) == (120, True)
    assert not list(study.paths.root.glob("checkpoints/rewards/*/*/*"))


def test_the_unit_of_its_scores_is_the_spread_of_the_validation_answers(judged):
    import torch

    from tunegrid.data.parquet import read_parquet
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.reward import load_reward_model
    from tunegrid.tasks.pair_tokens import pair_table

    study, folder = judged(training=PLAIN)
    train_reward(study, *NAMES, folder)
    reward, tokenizer = load_reward_model(folder / "weights"), load_tokenizer(study.paths.model("t5"))
    rows = read_parquet(study.paths.pairs("translation", "worse") / "validation.parquet")
    table = pair_table(study.preferences["worse"], study.task("translation", "t5"), tokenizer, rows).to_pydict()
    scores = torch.cat(
        [reward.scores(tokenizer, table["input_ids"], table[name], 4) for name in ("labels", "rejected")]
    )
    assert float(scores.mean()) == pytest.approx(0.0, abs=1e-4)
    assert float(scores.std(unbiased=False)) == pytest.approx(1.0, abs=1e-4)


def test_a_training_that_is_stopped_ends_with_the_same_bits(judged, monkeypatch):
    from tunegrid.training.trainer import GridTrainer

    study, folder = judged()
    whole = train_reward(study, *NAMES, Path("whole"))
    step, calls = GridTrainer.training_step, []

    def interrupted(*given):
        calls.append(1)
        if len(calls) == 23:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(*given)

    monkeypatch.setattr(GridTrainer, "training_step", interrupted)
    with pytest.raises(Stopped, match=r"reward model judge.*stopped by SIGTERM at step 23"):
        train_reward(study, *NAMES, folder)
    assert not (folder / "reward.json").exists()
    again = train_reward(study, *NAMES, folder)
    assert len(calls) == 120
    assert again.weights == whole.weights
    assert (folder / "history.csv").read_bytes() == Path("whole/history.csv").read_bytes()
    assert (again.accuracy, again.cost.tokens) == (whole.accuracy, whole.cost.tokens)


def test_a_loss_that_is_no_number_is_a_record_with_the_reason(judged):
    study, folder = judged(training=PLAIN | {"learning_rate": 1.0, "max_grad_norm": 1000000.0, "adam_beta1": 0.0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "tunegrid.training.preferences.objectives.bradley_terry", lambda chosen, _: chosen.sum() * math.nan
        )
        record = train_reward(study, *NAMES, folder)
    assert record.status == "diverged"
    assert "the loss is nan" in record.reason
    assert list((folder / "weights").iterdir()) == []


def test_calibration_by_hand():
    """Of the pairs at 0.5 to 0.55 one of two is right at 0.52 and 0.54; at 0.9 to 0.95 all two; below 0.5 it is wrong."""
    bins, error = calibration([0.52, 0.46, 0.91, 0.93])
    assert [(one.low, one.pairs) for one in bins] == [(0.5, 2), (0.9, 2)]
    assert bins[0].predicted == pytest.approx((0.52 + 0.54) / 2)
    assert bins[0].observed == 0.5
    assert bins[1].predicted == pytest.approx(0.92)
    assert error == pytest.approx(0.5 * abs(0.53 - 0.5) + 0.5 * abs(0.92 - 1.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pairs": "wors"}, r"rewards\.judge\.pairs: unknown: 'wors'. Did you mean worse"),
        (
            {"training": PLAIN | {"evaluations": 2, "keep_best": True, "select_by": "metric"}},
            "has no metric of the task",
        ),
    ],
)
def test_wrong_settings_end_before_any_job(preferring, changes, message):
    with pytest.raises(TuneGridError, match=message):
        preferring(train=False, rewards={"judge": SETTINGS | changes})
