"""Direct preference optimisation: its loss against its equation, and what it does to a model."""

import math

import pytest

from tests.support import slow_except
from tests.support.methods_on_checkpoints import FAMILY_NAMES
from tests.support.preferring import PLAIN
from tunegrid.common.errors import TuneGridError
from tunegrid.results.records import TrainRecord, read_record
from tunegrid.study.cells import Cell, Run


def train(study, model: str = "t5", seed: int = 1):
    from tunegrid.stages.train import train as stage

    run = Run(Cell("translation", model, "dpo"), seed)
    return stage(study, run, study.paths.run(run))


def test_the_loss_is_that_of_the_equation():
    """beta 0.5; log ratios of chosen +0.4 and -0.2, of rejected -0.6 and +0.8: margins 1.0 and -1.0."""
    import torch

    from tunegrid.methods import METHODS
    from tunegrid.models import FAMILIES

    method = METHODS["dpo"](METHODS["dpo"].Settings(kind="dpo", sft="full", pairs="p", beta=0.5), FAMILIES["t5"])
    method._reference = (torch.tensor([-2.0, -3.0, -9.0]), torch.tensor([-4.0, -5.0, -9.0]))
    policy = (torch.tensor([-1.6, -3.2]), torch.tensor([-4.6, -4.2]))
    batch = {"row": torch.tensor([0, 1]), "labels": torch.tensor([[4, 5, -100, -100], [4, 5, 6, 7]])}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tunegrid.models.likelihood.pair_log_probabilities", lambda model, batch: policy)
        loss = method.loss(type("Session", (), {"model": None}), batch)
        method.settings = method.settings.model_copy(update={"chosen_weight": 2.0})
        weighted = method.loss(type("Session", (), {"model": None}), batch)
    by_hand = [-math.log(1 / (1 + math.exp(-0.5 * margin))) for margin in (1.0, -1.0)]
    assert float(loss) == pytest.approx(sum(by_hand) / 2, rel=1e-6)
    # The chosen answers have two and four tokens.
    assert float(weighted) == pytest.approx(sum(by_hand) / 2 + 2.0 * (1.6 / 2 + 3.2 / 4) / 2, rel=1e-6)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_the_log_probability_of_an_answer_is_the_sum_over_its_tokens_whatever_its_padding(checkpoints, family):
    import torch

    from tests.support.methods_on_checkpoints import batch_of
    from tunegrid.models.likelihood import encode, token_log_probabilities
    from tunegrid.models.load import load_model

    model = load_model(checkpoints / family).eval()
    batch = batch_of(checkpoints, family)
    labels = batch["labels"].masked_fill(batch["labels"] == model.config.pad_token_id, -100)
    with torch.no_grad():
        found = token_log_probabilities(model, encode(model, batch), batch["attention_mask"], labels)
        for row in range(len(labels)):
            alone = labels[row][labels[row] != -100][None]
            length = int(batch["attention_mask"][row].sum())
            output = model(input_ids=batch["input_ids"][row : row + 1, :length], labels=alone)
            # The model's own loss is the mean of what is summed here.
            assert float(found[row].sum()) == pytest.approx(-float(output.loss) * alone.shape[1], rel=1e-4)


LORA = {"kind": "lora", "r": 4, "dropout": 0.0}


@pytest.mark.parametrize(
    ("model", "update"),
    slow_except(("t5", LORA), [("t5", {"kind": "full"}), ("t5", LORA), ("bart", {"kind": "full"})]),
    ids=["t5-full", "t5-lora", "bart-full"],
)
def test_training_raises_the_margin_of_chosen_over_rejected_answers(preferring, model, update):
    rate = 1e-3 if update["kind"] == "full" else 5e-3
    study = preferring(
        model,
        methods={"dpo": {"kind": "dpo", "sft": "full", "pairs": "worse", "update": update}},
        training=PLAIN | {"max_steps": 40, "learning_rate": rate, "evaluation_steps": 10},
    )
    record = train(study, model)
    assert (record.status, record.reason) == ("ok", None)
    margins = [point.pair_margin for point in record.observations]
    assert [point.step for point in record.observations] == [10, 20, 30, 40]
    assert margins[-1] > margins[0] > 0
    assert record.observations[-1].pair_accuracy > 0.6
    assert record.selection.best_value < math.log(2), "the loss at the start"
    whole = study.method(Cell("translation", model, "dpo")).load(
        study.paths.model(model), study.paths.run(Run(Cell("translation", model, "dpo"), 1)) / "weights"
    )
    start = study.method(Cell("translation", model, "full")).load(
        study.paths.model(model), study.paths.run(Run(Cell("translation", model, "full"), 1)) / "weights"
    )
    assert {name: tensor.shape for name, tensor in whole.state_dict().items()} == {
        name: tensor.shape for name, tensor in start.state_dict().items()
    }


def test_both_answers_count_as_target_tokens(preferring):
    from tunegrid.data.parquet import read_parquet
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.tasks.pair_tokens import pair_table

    study = preferring(
        training={k: v for k, v in PLAIN.items() if k != "max_steps"} | {"max_steps": None, "epochs": 1.0}
    )
    record = train(study)
    folder = study.paths.pairs("translation", "worse")
    table = pair_table(
        study.preferences["worse"],
        study.task("translation", "t5"),
        load_tokenizer(study.paths.model("t5")),
        read_parquet(folder / "train.parquet"),
    ).to_pydict()
    assert record.cost.tokens == sum(len(ids) for name in ("input_ids", "labels", "rejected") for ids in table[name])
    assert record.cost.examples == len(table["row"])


def test_what_the_start_says_of_both_answers_counts_once_for_each_pair(preferring):
    """By hand: two FLOPs per token and parameter of a T5 without its embeddings, and its head for each target token."""
    from tunegrid.data.parquet import read_parquet
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.load import load_model
    from tunegrid.tasks.pair_tokens import pair_table

    study = preferring()
    record, paths = train(study), study.paths
    sizes, tokenizer = {"encoder": 0, "decoder": 0}, load_tokenizer(paths.model("t5"))
    model = load_model(paths.model("t5"))
    for name, parameter in model.named_parameters():
        sizes[name.split(".")[0]] = sizes.get(name.split(".")[0], 0) + parameter.numel()
    flops = 0
    for split in ("train", "validation"):
        rows = read_parquet(paths.pairs("translation", "worse") / f"{split}.parquet")
        table = pair_table(study.preferences["worse"], study.task("translation", "t5"), tokenizer, rows).to_pydict()
        flops += 2 * sizes["encoder"] * sum(map(len, table["input_ids"]))
        target = sum(len(ids) for name in ("labels", "rejected") for ids in table[name])
        flops += 2 * (sizes["decoder"] + sizes["shared"]) * target
    assert record.cost.forward_flops == flops


def test_a_cell_whose_start_failed_is_a_failed_row_with_that_reason(preferring):
    study = preferring()
    file = study.paths.run(Run(Cell("translation", "t5", "full"), 1)) / "train.json"
    record = read_record(file, TrainRecord)
    facts = {"status": "diverged", "reason": "at step 3 the loss is nan", "weights": None, "cost": None}
    file.write_text(record.model_copy(update=facts).model_dump_json())
    failed = train(study)
    assert failed.status == "failed"
    assert failed.reason == "it starts from translation_t5_full, seed 1, which is diverged: at step 3 the loss is nan"


def test_a_start_that_is_not_there_or_was_exchanged_is_a_mistake_to_mend(preferring):
    study = preferring()
    with pytest.raises(TuneGridError, match=r"train.json: missing.*--method full --seed 2"):
        train(study, seed=2)
    weights = study.paths.run(Run(Cell("translation", "t5", "full"), 1)) / "weights" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"abcd")
    with pytest.raises(TuneGridError, match=r"model\.safetensors: is damaged"):
        train(study)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sft": "ful"}, r"methods\.dpo\.sft: unknown: 'ful'.*Did you mean full"),
        ({"sft": "dpo"}, r"methods\.dpo\.sft: dpo starts from another run itself"),
        ({"sft": "adapters"}, r"methods\.dpo\.sft: unknown: 'adapters'. It has to be a method of the grid"),
        ({"pairs": "wors"}, r"methods\.dpo\.pairs: unknown: 'wors'. Did you mean worse"),
        ({"beta": 0.0}, r"methods\.dpo.*beta"),
    ],
)
def test_a_wrong_name_ends_before_any_job(preferring, changes, message):
    with pytest.raises(TuneGridError, match=message):
        preferring(train=False, methods={"dpo": {"kind": "dpo", "sft": "full", "pairs": "worse"} | changes})


def test_a_start_that_the_grid_excludes_is_refused(preferring):
    with pytest.raises(TuneGridError, match="starts from translation_t5_full, which is no cell of the grid"):
        preferring(train=False, grid={"exclude": [{"method": "full"}]})


def test_a_run_that_is_stopped_ends_with_the_same_bits(preferring, monkeypatch):
    import os
    import signal
    from pathlib import Path

    from tunegrid.results.compare import compare
    from tunegrid.runtime.stopping import Stopped
    from tunegrid.stages.train import train as stage
    from tunegrid.training.trainer import GridTrainer

    study, run = preferring(training=PLAIN | {"evaluation_steps": 2}), Run(Cell("translation", "t5", "dpo"), 1)
    whole = stage(study, run, Path("one/runs/run"))
    step, calls = GridTrainer.training_step, []

    def interrupted(*given):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(*given)

    monkeypatch.setattr(GridTrainer, "training_step", interrupted)
    with pytest.raises(Stopped, match="at step 3"):
        stage(study, run, Path("two/runs/run"))
    again = stage(study, run, Path("two/runs/run"))
    assert len(calls) == 6
    assert again.observations == whole.observations
    assert compare(Path("one"), Path("two")) == []
