"""The interface of methods, by methods that no library has."""

import json
from typing import ClassVar, Literal

import pytest

from tests.support.methods_on_checkpoints import (
    safe_tensors,
)
from tunegrid.methods import METHODS, Method, MethodSettings
from tunegrid.study.cells import Cell, Run


class ToySettings(MethodSettings):
    kind: Literal["full"]  # takes the place of `full`, so that a study can name it


class HeadOnly(Method):
    """Loads its base in its own way, trains the LM head alone, with an objective of its own."""

    Settings = ToySettings
    title = "Head only"
    calls: ClassVar[list[str]] = []

    def load_base(self, folder):
        self.calls.append("load_base")
        model = super().load_base(folder)
        model.shared.weight.data *= 0.5
        return model

    def inject(self, model):
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name == "lm_head.weight"
        return model

    def loss(self, session, batch):
        self.calls.append("loss")
        return (session.model(**{name: batch[name] for name in ("input_ids", "labels")}).logits - 3.0).square().mean()

    def save(self, model, folder):
        from safetensors.torch import save_file

        save_file({"head": model.lm_head.weight.detach()}, folder / "head.safetensors")

    def load(self, base, weights):
        from safetensors.torch import load_file

        self.calls.append("load")
        model = self.load_base(base)
        model.lm_head.weight.data = load_file(weights / "head.safetensors")["head"]
        return model


class OwnLoop(HeadOnly):
    """No gradient at all: as a method with another training loop would be."""

    title = "Own loop"

    def fit(self, session):
        from tunegrid.training.session import TrainingSummary

        self.calls.append("fit")
        session.model.lm_head.weight.data += len(session.train)
        return TrainingSummary(steps=1, examples=len(session.train), optimisation_seconds=0.5)


@pytest.mark.parametrize(
    ("toy", "calls"), [(HeadOnly, {"load_base", "loss", "load"}), (OwnLoop, {"load_base", "fit", "load"})]
)
def test_a_new_method_runs_from_training_to_scores_through_the_interface_alone(tiny_study, monkeypatch, toy, calls):
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.train import train

    monkeypatch.setitem(METHODS, "full", toy)
    monkeypatch.setattr(toy, "calls", [])
    study = tiny_study()
    run = Run(Cell("sentiment", "flan-t5", "full"), 1)
    folder = study.paths.run(Run(Cell("sentiment", "flan-t5", "full"), 1))
    record = train(study, run, folder)
    assert (record.status, record.reason) == ("ok", None)
    base = safe_tensors(study.paths.model("flan-t5") / "model.safetensors")["lm_head.weight"]
    head = safe_tensors(folder / "weights/head.safetensors")["head"]
    assert record.parameters.trainable == head.size
    assert (head != base).any()
    if toy is OwnLoop:
        assert (record.cost.steps, record.cost.examples) == (1, 47)
    metrics = evaluate_run(study, run, folder)
    assert metrics.status == "ok"
    assert metrics.metrics["accuracy"].value <= 1
    assert set(toy.calls) == calls
    json.loads((folder / "metrics.json").read_text())
