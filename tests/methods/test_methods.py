"""What holds for every method: attention masks, saved weights, checkpointed gradients, counts of modules."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.methods_on_checkpoints import FAMILY_NAMES, TUNED, batch_of, logits, make, safe_tensors, shape_of
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES, Shape
from tunegrid.models.flops import trainable_parameters
from tunegrid.models.shape import known_config
from tunegrid.study.cells import Cell, Run


@pytest.mark.parametrize(("model", "family"), [("t5", "flan-t5"), ("flan-t5", "t5")])
def test_a_model_of_another_family_than_the_study_says_is_refused(tiny_study, model, family):
    from tunegrid.stages.train import train

    study = tiny_study(f"models: {{{model}: {{family: {family}}}}}")
    run = Run(Cell("qa", model, "lora"), 1)
    folder = study.paths.run(Run(Cell("qa", model, "lora"), 1))
    with pytest.raises(TuneGridError, match=rf"qa_{model}_lora: .*family really {family}\?"):
        train(study, run, folder)
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize("method", TUNED)
@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_the_attention_mask_reaches_the_model(injected, checkpoints, family, method):
    """What is padding must not matter. adapters.init hides T5's signature, and a mask can get lost on the way."""
    import torch

    _, model = injected(method, family)
    batch = batch_of(checkpoints, family)
    assert batch["attention_mask"].sum() < batch["attention_mask"].numel()
    first = logits(model, batch)
    padding = batch["attention_mask"] == 0
    other = batch | {"input_ids": batch["input_ids"].masked_fill(padding, 9)}
    assert torch.equal(logits(model, other), first)
    unmasked = batch | {"attention_mask": torch.ones_like(batch["attention_mask"])}
    assert not torch.allclose(logits(model, unmasked), first)


@pytest.mark.parametrize("method", TUNED)
def test_the_attention_mask_reaches_the_model_in_the_trainer(tiny_study, monkeypatch, method):
    from transformers import T5ForConditionalGeneration
    from transformers.models.t5.modeling_t5 import T5Stack

    from tunegrid.stages.train import train

    masks = []
    forward = T5Stack.forward

    def spy(stack, input_ids=None, attention_mask=None, *arguments, **options):
        if not stack.is_decoder:
            masks.append(attention_mask is not None and bool((attention_mask == (input_ids != 0)).all()))
        return forward(stack, input_ids, attention_mask, *arguments, **options)

    assert T5ForConditionalGeneration  # the class whose encoder is spied on
    monkeypatch.setattr(T5Stack, "forward", spy)
    if method == "adapters":
        from adapters.models.t5.modeling_t5 import T5StackWithAdapters

        forward = T5StackWithAdapters.forward
        monkeypatch.setattr(T5StackWithAdapters, "forward", spy)
    study = tiny_study("training: {max_steps: 2}")
    assert train(study, Run(Cell("qa", "t5", method), 1), Path("out")).status == "ok"
    assert masks
    assert all(masks)


@pytest.mark.parametrize(
    ("kind", "family"), [("lora", "t5"), ("lora", "bart"), ("adapters", "flan-t5"), ("adapters", "bart")]
)
def test_training_leaves_the_base_as_it_is_and_saves_what_it_trained_alone(tiny_study, monkeypatch, family, kind):
    import numpy as np

    from tunegrid.stages.train import train

    models = []
    save = METHODS[kind].save
    monkeypatch.setattr(
        METHODS[kind], "save", lambda self, model, folder: (models.append(model), save(self, model, folder))
    )
    study = tiny_study("training: {max_steps: 3}")
    record = train(study, Run(Cell("qa", family, kind), 1), Path("out"))
    assert record.status == "ok"
    (model,) = models
    state = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    base = safe_tensors(study.paths.model(family) / "model.safetensors")
    found = 0
    for name, value in base.items():
        stem = name.removesuffix(".weight").removesuffix(".bias")
        for candidate in (name, f"base_model.model.{name}", f"base_model.model.{stem}.base_layer{name[len(stem) :]}"):
            if candidate in state:
                np.testing.assert_array_equal(state[candidate], value)
                found += 1
                break
    assert found == len(base)
    saved = [tensor for file in Path("out/weights").glob("*.safetensors") for tensor in safe_tensors(file).values()]
    assert sum(tensor.size for tensor in saved) == record.parameters.trainable


def assert_safetensors_without_a_path(weights: Path, places: list[Path]) -> None:
    files = [file for file in weights.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".md"}
    assert any(file.suffix == ".safetensors" for file in files)
    for file in files:
        content = file.read_bytes()
        for path in (*places, "results/tiny"):
            assert str(path).encode() not in content, f"{file} holds the path {path}"


IN_A_FRESH_PROCESS = """\
import json, sys
from tunegrid.study.load import load_study
from tunegrid.study.cells import Run
from tunegrid.stages.evaluate import evaluate_run
study = load_study("tiny.yaml", "changes.yaml")
for cell in study.cells():
    evaluate_run(study, Run(cell, 1), study.paths.run(Run(cell, 1)))
"""


@pytest.mark.slow
def test_saved_weights_are_safetensors_and_load_in_a_fresh_process_to_the_same_predictions(tiny_study, tmp_path):
    import pyarrow.parquet
    import torch

    from tunegrid.data.tokens import load_tokenizer, read_tokens
    from tunegrid.models.generate import choose_labels
    from tunegrid.stages.train import train

    changes = "{grid: {tasks: [sentiment], models: [t5, bart], methods: [full, lora, adapters, bitfit], exclude: "
    changes += "[{model: t5, method: bitfit}, {model: bart, method: full}, {model: bart, method: lora}]}, "
    study = tiny_study(changes + "methods: {bitfit: {kind: bitfit}}, training: {max_steps: 2}}")
    models = {}
    with pytest.MonkeyPatch.context() as patch:
        for cls in METHODS.values():

            def spy(self, model, folder, save=cls.save):
                models[cell] = model
                save(self, model, folder)

            patch.setattr(cls, "save", spy)
        for cell in study.cells():
            assert train(study, Run(cell, 1), study.paths.run(Run(cell, 1))).status == "ok"
    subprocess.run([sys.executable, "-c", IN_A_FRESH_PROCESS], check=True, capture_output=True)
    assert len(models) == 5
    for cell, model in models.items():
        assert_safetensors_without_a_path(study.paths.run(Run(cell, 1)) / "weights", [tmp_path, Path.home()])
        tokenizer = load_tokenizer(study.paths.model(cell.model))
        sources = (
            read_tokens(study.paths.tokens("sentiment", cell.model) / "test.arrow").column("input_ids").to_pylist()
        )
        labels = study.task("sentiment").labels()
        with torch.inference_mode():
            here, scores = choose_labels(model.eval(), tokenizer, sources, labels, batch_size=64, precision="fp32")
        there = pyarrow.parquet.read_table(study.paths.run(Run(cell, 1)) / "predictions.parquet")
        assert there.column("prediction").to_pylist() == here
        for name in scores:
            assert there.column(name).to_pylist() == scores[name].tolist(), f"{cell}: {name}"


@pytest.mark.parametrize(("kind", "family"), [("lora", "t5"), ("adapters", "flan-t5")])
def test_gradient_checkpointing_costs_time_and_changes_no_weight(tiny_study, kind, family):
    import numpy as np

    from tunegrid.stages.train import train

    cell = Cell("qa", family, kind)
    for name in ("false", "true"):
        study = tiny_study(f"training: {{max_steps: 2, gradient_checkpointing: {name}}}")
        assert train(study, Run(cell, 1), Path(name)).reason is None
    for file in Path("false/weights").glob("*.safetensors"):
        plain, checkpointed = safe_tensors(file), safe_tensors(Path("true/weights") / file.name)
        for key, value in plain.items():
            np.testing.assert_allclose(checkpointed[key], value, atol=1e-4, err_msg=key)


def test_expected_counts_follow_the_layers_of_the_configuration():
    t5, flan_t5, bart = (
        Shape.from_config(FAMILIES[family], known_config(name))
        for family, name in (
            ("t5", "google-t5/t5-base"),
            ("flan-t5", "google/flan-t5-base"),
            ("bart", "facebook/bart-base"),
        )
    )
    # T5 base: 36 attention blocks of 4 and 24 feed-forward blocks of 2 layers (3 in Flan-T5).
    assert make("lora", "t5").expected_modules(t5) == 36 * 4 + 24 * 2 == 192
    assert make("lora", "flan-t5").expected_modules(flan_t5) == 36 * 4 + 24 * 3 == 216
    assert make("adapters", "t5").expected_modules(t5) == 48
    assert make("lora", "bart").expected_modules(bart) == 18 * 4 + 12 * 2 == 96


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize("kind", ["full", "lora", "adapters", "bitfit", "prefix", "prompt", "untuned"])
def test_trainable_and_added_counts_are_those_of_the_model(checkpoints, kind, family):
    if family != "bart" and kind == "bitfit":
        pytest.skip("no biases")
    method = METHODS[kind](METHODS[kind].Settings(kind=kind), FAMILIES[family])
    base = method.load_base(checkpoints / family)
    shape, before = shape_of(method, base), sum(parameter.numel() for parameter in base.parameters())
    model = method.inject(base)
    assert trainable_parameters(model) == method.trainable_count(shape)
    assert sum(parameter.numel() for parameter in model.parameters()) - before == method.added_count(shape)
