"""Batches in groups of rows of similar length: the least padding, and the gradient of the whole batch."""

from itertools import combinations, pairwise

import pytest
import yaml

from tests.support import slow_but_a_third
from tests.support.checkpoints import FAMILIES, without_dropout
from tunegrid.study.cells import Cell, Run
from tunegrid.study.stage_settings import run_settings
from tunegrid.training.fast import groups as module
from tunegrid.training.fast.groups import groups


def cost(found: list[list[int]], sources: list[int], targets: list[int], width: int) -> float:
    """Tokens with padding and overhead; infinite where a group is too large."""
    total = 0
    for rows in found:
        tokens = len(rows) * (max(sources[row] for row in rows) + max(targets[row] for row in rows))
        if len(rows) > 1 and tokens > module.most_tokens(width):
            return float("inf")
        total += tokens + module.OVERHEAD // width
    return total


def every_way(order: list[int]):
    """To cut a list into pieces."""
    for count in range(len(order)):
        for cuts in combinations(range(1, len(order)), count):
            yield [order[start:end] for start, end in pairwise([0, *cuts, len(order)])]


@pytest.mark.parametrize("width", [64, 512, 1024])
@pytest.mark.parametrize("seed", range(5))
def test_no_other_cut_of_the_rows_by_length_costs_less(seed, width):
    import numpy as np

    random = np.random.default_rng(seed)
    sources, targets = (random.lognormal(4, 0.8, 9).astype(int).tolist() for _ in range(2))
    found = groups(sources, targets, width)
    assert sorted(row for rows in found for row in rows) == list(range(9))
    order = sorted(range(9), key=lambda row: sources[row] + targets[row])
    assert cost(found, sources, targets, width) == min(cost(way, sources, targets, width) for way in every_way(order))


def test_by_hand():
    """At a width of 1,024 a group costs 128 tokens more, and has at most 1,024."""
    assert groups([10, 10, 10], [5, 5, 5], 1024) == [[0, 1, 2]]
    # Two short rows beside a long one would be 2 x 290 tokens of padding.
    assert sorted(map(sorted, groups([300, 10, 10], [0, 0, 0], 1024))) == [[0], [1, 2]]
    # Together 1,200 tokens: too many; three rows of 300 and one are as good as two and two.
    assert sorted(map(len, groups([300] * 4, [0] * 4, 1024))) in ([1, 3], [2, 2])
    assert groups([5000], [10], 1024) == [[0]], "a row alone may be as long as it is"
    # A narrow model computes a whole batch in the time that its operations take to start.
    assert len(groups([40] * 30 + [10, 90], [8] * 32, 64)) == 1


@pytest.fixture
def trainer_of(tiny_study):
    from tunegrid.stages.session import prepare
    from tunegrid.training.trainer import GridTrainer

    def made(model: str, method: str, **training):
        run = Run(Cell("translation", model, method), 1)
        settings = {"max_steps": 2, "batch_size": 24, "logging_steps": 1} | training
        study = tiny_study(yaml.safe_dump({"training": settings, "methods": without_dropout()}))
        return GridTrainer(prepare(study, run, study.method(run.cell), run_settings(study, run.cell)))

    return made


@pytest.fixture
def small_groups(monkeypatch):
    def switched():
        monkeypatch.setattr(module, "MOST", 16 * 200)  # the tiny models are 16 wide
        monkeypatch.setattr(module, "OVERHEAD", 16 * 20)

    return switched


SETTINGS = ({}, {"gradient_accumulation_steps": 2}, {"label_smoothing": 0.2})


@pytest.mark.parametrize(
    ("family", "method", "settings"), slow_but_a_third(FAMILIES, ("full", "lora", "adapters"), SETTINGS), ids=str
)
def test_the_gradient_is_that_of_the_whole_batch(trainer_of, small_groups, family, method, settings):
    import torch

    found = []
    for cut in (False, True):
        if cut:
            small_groups()
        trainer, shapes = trainer_of(family, method, **settings), []
        model = trainer.model
        model.register_forward_pre_hook(
            lambda module, given, named, shapes=shapes: shapes.append(named["input_ids"].shape), with_kwargs=True
        )
        gradients = []

        def keep(group, *_, gradients=gradients, model=model, **__):
            gradients += [p.grad.clone() for p in model.parameters() if p.requires_grad]

        trainer.create_optimizer()
        trainer.optimizer.register_step_pre_hook(keep)
        trainer.train()
        found.append((gradients[: len(gradients) // 2], trainer.state.log_history[0]["loss"], shapes))
    (whole, loss, shapes), (cut, loss_of_groups, shapes_of_groups) = found
    torch.testing.assert_close(cut, whole, rtol=1e-3, atol=2e-6)
    assert loss_of_groups == pytest.approx(loss, abs=2e-4)
    assert len(shapes_of_groups) > len(shapes) + 2
    assert sum(rows for rows, _ in shapes_of_groups) == sum(rows for rows, _ in shapes)
    assert sum(rows * tokens for rows, tokens in shapes_of_groups) < sum(rows * tokens for rows, tokens in shapes)


def test_a_method_with_its_own_loss_gets_whole_batches(trainer_of, small_groups, monkeypatch):
    from tunegrid.methods.full import Full as Full

    small_groups()
    seen = []

    def loss(method, session, batch):
        seen.append(len(batch["labels"]))
        rows = batch.pop("row").tolist()
        for labels, row in zip(batch["labels"], rows, strict=True):
            text = session.tokenizer.decode(labels[labels >= 0], skip_special_tokens=True)
            assert session.task.target_text(session.rows[row]).startswith(text), "long targets are cut"
        return session.model(**batch).loss

    monkeypatch.setattr(Full, "loss", loss)
    trainer_of("t5", "full").train()
    assert seen == [24, 23], "47 rows in two batches"
