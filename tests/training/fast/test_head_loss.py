"""The loss in parts of a batch's tokens: the model's own loss and gradients, without the logits of all tokens at once."""

import pytest
import yaml

from tests.support import slow_but_a_third
from tests.support.checkpoints import FAMILIES
from tunegrid.study.cells import Cell, Run
from tunegrid.study.stage_settings import run_settings

METHODS = ("full", "lora", "adapters")


@pytest.fixture
def session_of(tiny_study):
    """Prepares a run of translation, whose targets differ in length, with some settings of training."""
    from tunegrid.stages.session import prepare

    def prepared(model: str, method: str, **changes):
        run = Run(Cell("translation", model, method), 1)
        study = tiny_study(yaml.safe_dump({"training": {"max_steps": 3, "batch_size": 24}} | changes))
        return prepare(study, run, study.method(run.cell), run_settings(study, run.cell))

    return prepared


@pytest.fixture
def small_parts(monkeypatch):
    """So that a batch of 24 translations has many; one of another length is the last."""
    from tunegrid.training.fast import head_loss

    monkeypatch.setattr(head_loss.HeadLoss, "tokens", lambda self: 7)


def loss_and_gradients(model, loss) -> list:
    """The same dropout for all who ask."""
    import torch

    torch.manual_seed(0)
    value = loss()
    value.backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.requires_grad]
    model.zero_grad()
    return [value.detach(), *gradients]


def a_batch(trainer) -> dict:
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(24)])
    assert (batch["labels"] == -100).any(), "no padding: it would not be seen if it counted"
    return batch


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_the_models_own(session_of, small_parts, family, method):
    import torch

    from tunegrid.training.fast.head_loss import HeadLoss
    from tunegrid.training.trainer import GridTrainer

    session = session_of(family, method)
    model, batch = session.model.train(), a_batch(GridTrainer(session))
    if family == "bart":  # its checkpoints have zeros here, which hide who forgets them
        model.final_logits_bias.normal_()
    parts = HeadLoss(model)
    assert parts.suits(batch)
    exact, found = (loss_and_gradients(model, loss) for loss in (lambda: model(**batch).loss, lambda: parts(batch)))
    assert sum(gradient.abs().sum() for gradient in exact[1:]) > 0
    torch.testing.assert_close(found, exact, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        torch.manual_seed(0)
        torch.testing.assert_close(parts(batch), exact[0], rtol=1e-5, atol=0)
    with torch.autocast("cpu", torch.bfloat16):  # as near to fp32 as the model's own is in bf16
        own, found = (loss_and_gradients(model, loss) for loss in (lambda: model(**batch).loss, lambda: parts(batch)))
    assert found[0].dtype == torch.float32
    for error, other in ((found[0] - exact[0], own[0] - exact[0]), (far(found, exact), far(own, exact))):
        assert abs(error) < 1.5 * abs(other) + 1e-4


def far(found: list, exact: list) -> float:
    """Distance of the gradients, relative to their length."""
    import torch

    found, exact = (torch.cat([gradient.flatten() for gradient in one[1:]]) for one in (found, exact))
    return float((found - exact).norm() / exact.norm())


@pytest.mark.parametrize("family", FAMILIES)
def test_smoothed_labels_too(session_of, small_parts, family):
    """As transformers' LabelSmoother has it, of which the Trainer would use the other half."""
    import torch
    from transformers.trainer_pt_utils import LabelSmoother

    from tunegrid.training.fast.head_loss import HeadLoss
    from tunegrid.training.trainer import GridTrainer

    session = session_of(family, "full")
    model, batch = session.model.train(), a_batch(GridTrainer(session))
    expected = loss_and_gradients(model, lambda: LabelSmoother(epsilon=0.25)(model(**batch), batch["labels"]))
    found = loss_and_gradients(model, lambda: HeadLoss(model, smoothing=0.25)(batch))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("family", "method"), slow_but_a_third(FAMILIES, METHODS))
def test_a_training_never_holds_the_logits_of_all_tokens(session_of, small_parts, monkeypatch, family, method):
    """Neither in its steps nor in its evaluations."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    from tunegrid.training.trainer import GridTrainer

    class Rows(TorchDispatchMode):
        """The most tokens that a tensor as wide as the vocabulary is of, if it is not a weight's."""

        most = 0

        def __torch_dispatch__(self, function, types, arguments=(), named=None):
            output = function(*arguments, **(named or {}))
            if torch.is_tensor(output) and output.dim() > 1 and output.shape[-1] == vocabulary:
                self.most = max(self.most, output.numel() // vocabulary)
            return output

    session = session_of(family, method, training={"max_steps": 2, "batch_size": 24, "evaluation_steps": 1})
    vocabulary = session.model.config.vocab_size
    trainer = GridTrainer(session)
    with Rows() as rows:
        trainer.train()
    width = session.model.get_input_embeddings().embedding_dim
    assert 7 <= rows.most <= max(7, width), "the head's weight, transposed, is seen too"
    assert any("eval_loss" in row for row in trainer.state.log_history)


SETTINGS = ({}, {"gradient_accumulation_steps": 2}, {"label_smoothing": 0.2})


@pytest.mark.parametrize(("method", "settings"), slow_but_a_third(METHODS, SETTINGS), ids=str)
def test_a_training_goes_as_one_with_whole_batches(session_of, request, method, settings):
    from tunegrid.training.trainer import GridTrainer

    histories = []
    for _ in ("whole", "parts"):
        training = {"max_steps": 3, "batch_size": 12, "evaluation_steps": 1, "logging_steps": 1}
        trainer = GridTrainer(session_of("t5", method, training=training | settings))
        trainer.train()
        histories.append(trainer.history())
        request.getfixturevalue("small_parts")
    assert len(histories[0]) == len(histories[1]) >= 6
    for whole, parts in zip(*histories, strict=True):
        assert parts == pytest.approx(whole, rel=0.03)  # Adam makes much of what is rounded


def test_a_batch_that_is_one_part_is_left_to_the_model(session_of):
    """So narrow models, whose logits are small, compute to the bit as transformers does."""
    import torch

    from tunegrid.training.fast.groups import PART
    from tunegrid.training.fast.head_loss import HeadLoss
    from tunegrid.training.trainer import GridTrainer

    session = session_of("t5", "full")
    trainer = GridTrainer(session)
    trainer.current_gradient_accumulation_steps = 1
    model, batch = session.model.eval(), a_batch(trainer)
    assert torch.equal(trainer.compute_loss(model, batch), model(**batch).loss)
    whole, entries = HeadLoss(model), model.get_output_embeddings().out_features
    tokens = PART // 4 // entries
    assert not whole.suits({"labels": torch.zeros(1, tokens)})
    assert whole.suits({"labels": torch.zeros(1, tokens + 1)})


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_has_no_logits_where_there_is_much_of_it(session_of, family):
    import torch

    from tunegrid.training.fast import head_loss
    from tunegrid.training.trainer import GridTrainer

    session = session_of(family, "full")
    model, loss, batch = session.model.eval(), head_loss.HeadLoss(session.model), a_batch(GridTrainer(session))
    vocabulary = model.get_output_embeddings().out_features
    enough = head_loss.PADDING // vocabulary + 1
    wide = torch.nn.functional.pad(batch["labels"][:2], (0, enough // 2), value=-100)
    assert loss.suits({"labels": wide})
    assert not loss.suits({"labels": wide[:, : batch["labels"].shape[1]]})
    rows = []
    hook = loss.head.register_forward_hook(lambda _, __, logits: rows.append(logits.numel() // vocabulary))
    found = loss(batch)
    hook.remove()
    assert sum(rows) == (batch["labels"] != -100).sum() < batch["labels"].numel()
    torch.testing.assert_close(found, model(**batch).loss, rtol=1e-5, atol=0)
