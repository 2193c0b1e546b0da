"""Runs of PPO: their records, that a stop changes no bit, and what happens where something that they need has failed."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.support import slow_except
from tests.support.diverging import DIVERGING
from tests.support.preferring import PLAIN
from tunegrid.common.errors import TuneGridError
from tunegrid.results.compare import compare
from tunegrid.results.records import RewardRecord, TrainRecord, read_record
from tunegrid.runtime.stopping import Stopped
from tunegrid.study.cells import Cell, Run

REWARDS = {"judge": {"pairs": "worse", "training": PLAIN | {"max_steps": 20}}}
GRID = {"methods": ["full", "ppo"]}
LORA = {"kind": "lora", "r": 2, "dropout": 0.0}


@pytest.fixture
def rewarded(preferring):
    def make(model: str = "t5", train: bool = True, training: dict | None = None, **settings):
        options = {"passes": 2, "minibatches": 2, "kl_target": 1.0} | settings.pop("options", {})
        method = {"kind": "ppo", "sft": "full", "reward": "judge", "options": options}
        return preferring(
            model,
            train,
            grid=GRID,
            methods={"ppo": method | settings},
            rewards=REWARDS,
            training=PLAIN | {"evaluation_steps": 2, "checkpoint_steps": 4, "validation_rows": None} | (training or {}),
        )

    return make


def train(study, folder: Path | None = None, model: str = "t5"):
    from tunegrid.stages.train import train as stage

    run = Run(Cell("translation", model, "ppo"), 1)
    return stage(study, run, folder or study.paths.run(run))


def test_a_policy_that_stops_giving_numbers_has_diverged(rewarded, capsys):
    """At its next answers: the last update's loss was a number, and no loss comes after the last."""
    study = rewarded(options={"passes": 1, "minibatches": 1})
    change = DIVERGING | {"max_steps": 40, "logging_steps": 1}
    record = train(study.with_training(Cell("translation", "t5", "ppo"), change))
    assert record.status == "diverged"
    assert re.search(r"after \d+ steps the model's logits are not finite", record.reason)
    assert (study.paths.run(Run(Cell("translation", "t5", "ppo"), 1)) / "history.csv").read_text().count("\n") > 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("update", slow_except(LORA, [{"kind": "full"}, LORA]), ids=["full", "lora"])
def test_a_run_that_is_stopped_twice_ends_with_the_same_bits(rewarded, monkeypatch, update):
    from tunegrid.training.preferences import ppo

    study = rewarded(update=update)
    whole = train(study, Path("one/runs/run"))
    assert (whole.status, whole.reason) == ("ok", None)
    assert [point.step for point in whole.observations] == [0, 2, 4, 6]
    assert whole.observations[0].kl == pytest.approx(0.0, abs=1e-5), "before the first step the models are the same"
    assert whole.observations[-1].kl > 0
    assert whole.observations[-1].coefficient < 0.05, "less divergence than its target makes it cheaper"
    assert whole.cost.steps == 6
    assert whole.cost.examples == 48

    real = {name: getattr(ppo._Loop, name) for name in ("step", "observe")}
    calls = {"step": 0, "observe": 0}

    def interrupting(name, number):
        def call(loop):
            calls[name] += 1
            if calls[name] == number:
                os.kill(os.getpid(), signal.SIGTERM)
            return real[name](loop)

        return call

    monkeypatch.setattr(ppo._Loop, "step", interrupting("step", 3))
    with pytest.raises(Stopped, match="at step 3"):
        train(study)
    monkeypatch.setattr(ppo._Loop, "observe", interrupting("observe", 1))  # the one of step 4
    with pytest.raises(Stopped, match="at step 4"):
        train(study)
    train(study)
    assert calls["step"] == 6, "no step was done twice"
    run = study.paths.run(Run(Cell("translation", "t5", "ppo"), 1))
    Path("two/runs").mkdir(parents=True)
    run.rename("two/runs/run")
    assert compare(Path("one"), Path("two")) == []


def test_a_first_observation_is_what_the_start_is_worth(rewarded):
    """Its metric is that of the run that it starts from, its reward that of answers which that run samples."""
    study = rewarded(training={"max_steps": 1})
    record = train(study)
    from tunegrid.data.parquet import read_parquet
    from tunegrid.data.tokens import load_tokenizer, read_tokens
    from tunegrid.tasks.predict import predict_rows

    paths, task = study.paths, study.task("translation", "t5")
    start = Run(Cell("translation", "t5", "full"), 1)
    model = study.method(start.cell).load(paths.model("t5"), paths.run(start) / "weights").eval()
    rows = read_parquet(paths.split("translation", "validation"))
    tokens = read_tokens(paths.tokens("translation", "t5") / "validation.arrow")
    predicted = predict_rows(model, load_tokenizer(paths.model("t5")), task, tokens, len(rows), precision="fp32")
    assert record.observations[0].metric == task.score(predicted.texts, rows).metrics["bleu"]


@pytest.mark.parametrize("update", slow_except(LORA, [{"kind": "full"}, LORA]), ids=["full", "lora"])
def test_its_operations_are_those_that_torch_counts(rewarded, monkeypatch, update):
    """Of one step: sampling, three models that read the answer, and the passes of updates. One answer has no padding."""
    from torch.utils.flop_counter import FlopCounterMode

    from tunegrid.methods import ppo
    from tunegrid.models.flops import sampling_flops

    seen = []
    monkeypatch.setattr(ppo, "sampling_flops", lambda *given: seen.append(given) or sampling_flops(*given))
    monkeypatch.setattr("tunegrid.training.preferences.observe.Observer", lambda *given: None)
    monkeypatch.setattr("tunegrid.stages.train._check_generation", lambda session: None)
    study = rewarded(update=update, training={"max_steps": 1, "batch_size": 1}, options={"minibatches": 1})
    with FlopCounterMode(display=False) as counter:
        record = train(study)
    counts = counter.get_flop_counts()["Global"]
    products = sum(count for op, count in counts.items() if "bmm" not in str(op))  # attention's own are in no formula
    ((own, plain, tokens),) = seen
    assert record.cost.examples == tokens.targets == 1
    assert record.cost.tokens == 2 * (tokens.source + tokens.target), "two passes"
    assert record.cost.forward_flops == sampling_flops(own, plain, tokens) > 0
    assert "M: N of a plain model" in record.cost.flops_formula
    # The formulas take cross-attention's keys and values to be of the target; they are of the source.
    shape = study.shape("t5")
    cross, apart = 2 * shape.d_model * shape.heads * shape.d_kv * shape.decoder_layers, tokens.source - tokens.target
    trained = 6 if update["kind"] == "full" else 4
    expected = record.cost.training_flops + cross * (2 * (4 * apart - 1) + 2 * trained * apart)
    # Normalisations count as if they were multiplied; under LoRA the first layer's inputs, which need no gradient, too.
    assert 1 <= expected / products <= (1.06 if update["kind"] == "full" else 1.25)


def test_a_cell_whose_reward_model_failed_is_a_failed_row_with_that_reason(rewarded):
    study = rewarded()
    file = study.paths.reward("translation", "t5", "judge") / "reward.json"
    facts = {"status": "failed", "reason": "out of memory", "weights": None, "accuracy": None}
    file.write_text(read_record(file, RewardRecord).model_copy(update=facts).model_dump_json())
    record = train(study)
    assert (record.status, record.reason) == (
        "failed",
        "it needs the reward model judge, which is failed: out of memory",
    )


def test_a_loss_that_is_no_number_is_a_diverged_run_with_its_history(rewarded, monkeypatch):
    import math

    from tunegrid.training.preferences import ppo

    study, calls = rewarded(training={"logging_steps": 1}), []

    def broken(*given):
        calls.append(1)
        loss = real(*given)
        return loss * math.nan if len(calls) > 8 else loss

    real = ppo.clipped_policy_loss
    monkeypatch.setattr(ppo, "clipped_policy_loss", broken)
    record = train(study)
    assert record.status == "diverged"
    assert record.reason == "at step 3 the loss is nan"
    folder = study.paths.run(Run(Cell("translation", "t5", "ppo"), 1))
    assert len((folder / "history.csv").read_text().splitlines()) == 3
    assert read_record(folder / "train.json", TrainRecord) == record


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward": "jude"}, r"methods\.ppo\.reward: unknown: 'jude'. Did you mean judge"),
        ({"training": {"keep_best": True, "checkpoint_steps": None}}, r"PPO keeps its last weights"),
        ({"training": {"gradient_accumulation_steps": 2}}, r"PPO knows no gradient_accumulation_steps"),
        ({"options": {"clip": 1.5}}, r"methods\.ppo.*clip"),
        ({"options": {"kl_coeficient": 0.1}}, r"Did you mean kl_coefficient"),
    ],
)
def test_wrong_settings_end_before_any_job(rewarded, changes, message):
    with pytest.raises(TuneGridError, match=message):
        rewarded(train=False, **changes)
