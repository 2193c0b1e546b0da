"""QLoRA: refused without its package; with it, agrees, reloads and merges, and its packed weights count rightly."""

import importlib.util
import json
import re

import pytest

from tests.support.methods_on_checkpoints import FAMILY_NAMES, batch_of, logits, make, randomise, shape_of
from tunegrid.cli import main
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import qlora
from tunegrid.models import FAMILIES, Shape
from tunegrid.models.shape import known_config
from tunegrid.study.cells import Cell, Run
from tunegrid.study.checks import check_files

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is missing (make setup EXTRAS=qlora)"
)


MISSING = "QLoRA needs the package bitsandbytes, which is not installed (make setup EXTRAS=qlora)."
QLORA = {"kind": "qlora", "r": 4}


@pytest.fixture
def without_package(monkeypatch):
    monkeypatch.setattr(qlora, "find_spec", lambda name: None)


@pytest.mark.parametrize("method", [QLORA, {"kind": "instruction", "method": QLORA}], ids=["plain", "instruction"])
def test_without_its_package_it_is_refused_before_any_job(tiny_study, without_package, capsys, method):
    study = tiny_study(json.dumps({"grid": {"methods": ["own"]}, "methods": {"own": method}}))
    with pytest.raises(TuneGridError, match=re.escape(f"methods.own: {MISSING}")):
        check_files(study)


def test_without_its_package_results_of_another_machine_are_read_and_nothing_is_trained(
    tiny, tiny_study, without_package, without_figures, capsys
):
    from tunegrid.stages.train import train

    study = tiny_study(json.dumps({"grid": {"methods": ["own"]}, "methods": {"own": QLORA}}))
    config = [str(tiny), "changes.yaml"]
    for command in (["plan"], ["status"], ["tables"], ["report", "--no-pdf"], ["summary"]):
        code = main([command[0], *config, *command[1:]])
        assert code == (1 if command == ["summary"] else 0), "only the summary says by its code that runs are missing"
        assert "bitsandbytes" not in capsys.readouterr().err
    assert main(["check", *config]) == 1
    assert MISSING in capsys.readouterr().err
    run = Run(Cell("qa", "t5", "own"), 1)
    with pytest.raises(TuneGridError, match=re.escape(MISSING)):
        train(study, run, study.paths.run(run))
    assert not (study.paths.run(run) / "train.json").exists(), "a missing package is no result"
    with pytest.raises(TuneGridError, match=re.escape(MISSING)):
        study.method(run.cell).load(study.paths.model("t5"), study.paths.run(run))


def test_packed_weights_of_real_models_are_those_of_arithmetic():
    t5 = Shape.from_config(FAMILIES["t5"], known_config("google-t5/t5-base"))
    assert qlora.packed_weights(t5) == 36 * 4 * 768**2 + 24 * 768 * 3072  # wo stays
    bart = Shape.from_config(FAMILIES["bart"], known_config("facebook/bart-base"))
    assert qlora.packed_weights(bart) == 18 * 4 * 768**2 + 12 * 2 * 768 * 3072
    # Dettmers et al. 2023, section 3: double quantisation takes 0.127 bits a parameter where 0.5 were.
    assert qlora.packed_bytes(8) == pytest.approx(4 + 0.127, abs=1e-3)
    method = make("qlora", "bart")
    saved = 4 * (bart.parameters + method.added_count(bart)) - method.weight_bytes(bart)
    assert saved == pytest.approx(qlora.packed_weights(bart) * (4 - 0.5159), rel=1e-4)


@needs_package
@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_its_counts_are_those_of_lora_on_weights_that_are_not_packed(checkpoints, family):
    method, plain = make("qlora", family), make("lora", family)
    model, other = (m.inject(m.load_base(checkpoints / family)) for m in (method, plain))
    shape = shape_of(method, model)
    assert len(method.injected_modules(model)) == method.expected_modules(shape)
    assert method.counted(model) == plain.counted(other) == method.stacks(shape)
    packed = [p for p in model.parameters() if type(p).__name__ == "Params4bit"]
    assert sum(p.quant_state.shape.numel() for p in packed) == qlora.packed_weights(shape)
    assert all(p.dtype.itemsize == 1 and not p.requires_grad for p in packed)


@needs_package
@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_what_is_saved_and_merged_gives_the_same_logits(checkpoints, tmp_path, family):
    import numpy as np

    method = make("qlora", family, r=4)
    model = method.inject(method.load_base(checkpoints / family))
    randomise(model)
    expected = logits(model, batch_of(checkpoints, family)).numpy()
    method.save(model, tmp_path)
    again = method.load(checkpoints / family, tmp_path)
    assert np.array_equal(logits(again, batch_of(checkpoints, family)), expected)
    merged = method.merge(again)
    assert merged.state_dict().keys() == make("full", family).load_base(checkpoints / family).state_dict().keys()
    difference = np.abs(logits(merged, batch_of(checkpoints, family)).numpy() - expected)
    assert difference.max() <= 1e-4 * np.abs(expected).max()


@needs_package
@pytest.mark.parametrize("family", ["t5", "bart"])
def test_a_run_trains_and_is_evaluated(tiny_study, family):
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.train import train

    changes = {
        "grid": {"methods": ["own"]},
        "methods": {"own": {"kind": "qlora", "r": 4}},
        "training": {"max_steps": 3},
    }
    study = tiny_study(json.dumps(changes))
    run = Run(Cell("qa", family, "own"), 1)
    folder = study.paths.run(run)
    record = train(study, run, folder)
    assert (record.status, record.reason) == ("ok", None)
    method = study.method(run.cell)
    shape = shape_of(method, method.load_base(study.paths.model(family)))
    assert record.parameters.total == shape.parameters + record.parameters.trainable
    assert evaluate_run(study, run, folder).status == "ok"
