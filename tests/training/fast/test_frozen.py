"""Frozen weights held in bf16: the same bits as autocast makes of fp32 weights, in less memory."""

import pytest
import yaml

from tests.support.checkpoints import FAMILIES
from tunegrid.study.cells import Cell, Run
from tunegrid.study.stage_settings import run_settings


@pytest.fixture
def session_of(tiny_study):
    """Prepares a run in bf16, with dropout in LoRA, too."""
    from tunegrid.stages.session import prepare

    def prepared(model: str, method: str):
        run = Run(Cell("qa", model, method), 1)
        changes = {"hardware": {"precision": "bf16"}, "training": {"max_steps": 3, "batch_size": 8}}
        study = tiny_study(yaml.safe_dump(changes | {"methods": {"lora": {"dropout": 0.1}}}))
        return prepare(study, run, study.method(run.cell), run_settings(study, run.cell))

    return prepared


def loss_and_gradients(model, batch) -> list:
    """The same dropout for all who ask."""
    import torch

    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = model(**batch, use_cache=False).loss
    value.backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.requires_grad]
    model.zero_grad()
    return [value.detach(), *gradients]


def linear_weights(model) -> set:
    """The types of the linear layers' frozen weights, the head's excepted."""
    import torch

    layers = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not model.get_output_embeddings()]
    return {layer.weight.dtype for layer in layers if not layer.weight.requires_grad}


@pytest.mark.parametrize("method", ["lora", "adapters"])
@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_keep_their_bits(session_of, family, method):
    import torch

    from tunegrid.training.fast.frozen import hold_in_bf16
    from tunegrid.training.trainer import GridTrainer

    session = session_of(family, method)
    trainer = GridTrainer(session)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(8)])
    model = session.model.train()
    assert linear_weights(model) == {torch.float32}
    wanted = loss_and_gradients(model, batch)
    hold_in_bf16(model)
    assert linear_weights(model) == {torch.bfloat16}
    assert model.get_input_embeddings().weight.dtype == torch.float32
    for found, expected in zip(loss_and_gradients(model, batch), wanted, strict=True):
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)


@pytest.mark.parametrize(("method", "held"), [("full", False), ("lora", True)])
def test_a_training_in_bf16_holds_what_it_freezes(session_of, method, held):
    import torch

    from tunegrid.runtime.stopping import Stop
    from tunegrid.training.trainer import fit

    session = session_of("t5", method)
    session.stop = Stop("a test")
    trained = {name for name, parameter in session.model.named_parameters() if parameter.requires_grad}
    fit(session)
    types = {name: parameter.dtype for name, parameter in session.model.named_parameters()}
    assert (torch.bfloat16 in types.values()) == held
    assert {types[name] for name in trained} == {torch.float32}
