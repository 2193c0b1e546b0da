"""The switch `hardware.cpu_tricks`: off, the libraries compute everything, and results agree with those of the tricks."""

import csv
from pathlib import Path

import pytest
import yaml

from tests.support.checkpoints import without_dropout
from tunegrid.runtime import cpu_tricks
from tunegrid.study.cells import Cell, Run
from tunegrid.study.stage_settings import evaluation_settings, run_settings


@pytest.fixture(autouse=True)
def switch_on_again():
    yield
    cpu_tricks.switch(True)


@pytest.fixture
def tricks_used(monkeypatch):
    """Has every trick act on the tiny models; returns the list of those that acted."""
    from tunegrid.models import encoder
    from tunegrid.training import trainer
    from tunegrid.training.fast import dropout, groups, head_loss

    used = []

    def spy(module, name: str) -> None:
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, **named: (used.append(name), real(*given, **named))[1])

    monkeypatch.setattr(groups, "MOST", 16 * 200)  # the tiny models are 16 wide
    monkeypatch.setattr(groups, "OVERHEAD", 16 * 20)
    monkeypatch.setattr(head_loss.HeadLoss, "tokens", lambda self: 7)
    monkeypatch.setattr(encoder, "TOKENS", 45)
    spy(trainer, "groups")
    spy(head_loss.HeadLoss, "__call__")
    spy(encoder, "_part")
    spy(dropout, "dropout")
    spy(trainer.cpu_memory, "give_back_holes")
    return used


def history(folder: Path) -> list[dict[str, float]]:
    with (folder / "history.csv").open() as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("task", "model", "method"),
    [("translation", "t5", "full"), ("sentiment", "flan-t5", "lora"), ("qa", "bart", "adapters")],
)
def test_results_agree_with_the_tricks_off(tiny_study, tricks_used, task, model, method):
    import pyarrow.parquet
    import torch
    from safetensors.torch import load_file

    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.train import train

    run, results = Run(Cell(task, model, method), 1), []
    for on in (True, False):
        tricks_used.clear()
        training = {"max_steps": 3, "batch_size": 24, "logging_steps": 1, "evaluation_steps": 1}
        changes = {"training": training, "hardware": {"cpu_tricks": on}}
        study = tiny_study(yaml.safe_dump(changes | {"methods": without_dropout()}))
        folder = Path("on" if on else "off")
        record = train(study, run, folder)
        assert (record.status, record.reason) == ("ok", None)
        evaluate_run(study, run, folder)
        acted = {"groups", "__call__", "_part", "dropout", "give_back_holes"}
        assert set(tricks_used) == (acted if on else set())
        weights = [load_file(file) for file in sorted((folder / "weights").glob("*.safetensors"))]
        predictions = pyarrow.parquet.read_table(folder / "predictions.parquet").column("prediction").to_pylist()
        results.append((history(folder), weights, predictions))
    (fast, fast_weights, fast_predictions), (plain, plain_weights, plain_predictions) = results
    assert len(fast) == len(plain) >= 6
    for one, other in zip(fast, plain, strict=True):
        assert one == pytest.approx(other, rel=0.01)
    # Adam makes much of what is rounded: a gradient near zero moves a weight by the learning rate, up or down.
    for one, other in zip(fast_weights, plain_weights, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            far = (one[name] - other[name]).abs()
            assert torch.quantile(far.flatten()[:100_000], 0.95) < 1e-3, name
    assert fast_predictions == plain_predictions


def test_the_switch_alters_settings_only_where_it_is_off(tiny_study):
    cell, default, on = Cell("qa", "t5", "lora"), tiny_study(), tiny_study("hardware: {cpu_tricks: true}")
    off = tiny_study("hardware: {cpu_tricks: false}")
    assert run_settings(default, cell) == run_settings(on, cell) != run_settings(off, cell)
    assert evaluation_settings(default, "qa") == evaluation_settings(on, "qa") != evaluation_settings(off, "qa")
    assert "cpu_tricks" not in run_settings(default, cell)["hardware"]
    assert run_settings(off, cell)["hardware"]["cpu_tricks"] is False


def test_a_process_without_the_tricks_leaves_the_libraries_alone(monkeypatch):
    import os
    import sys

    from tunegrid.runtime import cpu_kernels, cpu_memory, light_imports

    cpu_tricks.switch(False)
    for name in cpu_kernels.CACHE_LIMITS:
        monkeypatch.delenv(name, raising=False)
    cpu_kernels.limit_caches()
    assert not cpu_kernels.CACHE_LIMITS.keys() & os.environ.keys()
    monkeypatch.setattr(cpu_memory.ctypes, "CDLL", lambda name: pytest.fail("malloc was altered"))
    cpu_memory.keep_freed()
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    monkeypatch.setattr(light_imports.importlib, "import_module", lambda name: pytest.fail(f"{name} was imported"))
    light_imports.import_transformers()
