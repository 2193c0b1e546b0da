"""The tuning methods against independent arithmetic, and the interface that they share."""

import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from tests.support.checkpoints import DECODER_LAYERS, ENCODER_LAYERS, INNER_WIDTH, WIDTH
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import METHODS, Method, MethodSettings
from tunegrid.models import FAMILIES, Shape
from tunegrid.models.flops import trainable_parameters
from tunegrid.models.shape import known_config
from tunegrid.study.cells import Cell, Run

FAMILY_NAMES = ("t5", "flan-t5", "bart")
TUNED = ("full", "lora", "adapters")
ATTENTIONS = ENCODER_LAYERS + 2 * DECODER_LAYERS
BLOCKS = ENCODER_LAYERS + DECODER_LAYERS


def make(kind: str, family: str, **settings) -> Method:
    cls = METHODS[kind]
    return cls(cls.Settings(kind=kind, **settings), FAMILIES[family])


@pytest.fixture
def injected(checkpoints):
    def inject(kind: str, family: str, **settings):
        method = make(kind, family, **settings)
        return method, method.inject(method.load_base(checkpoints / family))

    return inject


def shape_of(method: Method, model) -> Shape:
    return Shape.from_config(method.family, model.config.to_dict())


def randomise(model) -> None:
    """Trained-like weights: LoRA's B and much of an adapter start at zero, which would hide mistakes."""
    import torch

    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3


def batch_of(checkpoints, family: str):
    from tunegrid.data.tokens import load_tokenizer

    tokenizer = load_tokenizer(checkpoints / family)
    batch = tokenizer(["the old key is in the garden", "a dog"], padding=True, return_tensors="pt")
    labels = tokenizer(["the garden", "a red house"], padding=True, return_tensors="pt")["input_ids"]
    return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "labels": labels}


def logits(model, batch):
    import torch

    with torch.inference_mode():
        return model.eval()(**batch).logits


# -- what is injected, and how much is trained ------------------------------------------------------------------------

# By hand, for 3 encoder and 2 decoder layers: 3 + 2 x 2 = 7 attention blocks of q, k, v and o; 5 feed-forward blocks of
# 2 layers (3 in Flan-T5, gated).
LORA_MODULES = {"t5": 38, "flan-t5": 43, "bart": 38}
# The base of T5: tied embeddings, no biases.


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_lora_touches_every_linear_layer_of_the_blocks_and_not_the_head(injected, family):
    method, model = injected("lora", family)
    modules = method.injected_modules(model)
    assert len(modules) == LORA_MODULES[family] == method.expected_modules(shape_of(method, model))
    assert not [name for name in modules if "lm_head" in name or "embed" in name]


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize(
    ("targets", "count"), [(["query"], 7), (["query", "value"], 14), (["output"], 7), (["key", "query"], 14)]
)
def test_lora_s_targets_are_roles_in_every_family(injected, family, targets, count):
    method, model = injected("lora", family, targets=targets)
    assert len(method.injected_modules(model)) == count == method.expected_modules(shape_of(method, model))


@pytest.mark.parametrize(("family", "count"), [("t5", 10), ("flan-t5", 15), ("bart", 10)])
def test_the_feed_forward_role_is_two_layers_a_block_and_three_where_it_is_gated(injected, family, count):
    method, model = injected("lora", family, targets=["feed-forward"])
    assert len(method.injected_modules(model)) == count == method.expected_modules(shape_of(method, model))


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_adapters_stand_twice_in_every_layer(injected, family):
    method, model = injected("adapters", family)
    assert len(method.injected_modules(model)) == 10 == method.expected_modules(shape_of(method, model))


def test_bitfit_trains_the_biases_of_bart(injected):
    method, model = injected("bitfit", "bart")
    # Encoder layer: q, k, v, o, norm, fc1, fc2, norm = 8; decoder layer: 5 more; a norm of the embeddings in each stack.
    assert len(method.injected_modules(model)) == 3 * 8 + 2 * 13 + 2 == method.expected_modules(shape_of(method, model))
    layer = 5 * WIDTH + INNER_WIDTH + WIDTH + WIDTH
    assert trainable_parameters(model) == 3 * layer + 2 * (layer + 5 * WIDTH) + 2 * WIDTH
    assert all(name.endswith(".bias") for name, p in model.named_parameters() if p.requires_grad)


@pytest.mark.parametrize("family", ["t5", "flan-t5"])
def test_bitfit_says_that_t5_has_no_biases(family):
    reason = METHODS["bitfit"].why_not(METHODS["bitfit"].Settings(kind="bitfit"), FAMILIES[family])
    assert family in reason
    assert "no bias" in reason


@pytest.mark.parametrize(("model", "family"), [("t5", "flan-t5"), ("flan-t5", "t5")])
def test_a_model_of_another_family_than_the_study_says_is_refused(tiny_study, model, family):
    from tunegrid.stages.train import train

    study = tiny_study(f"models: {{{model}: {{family: {family}}}}}")
    run = Run(Cell("qa", model, "lora"), 1)
    folder = study.paths.run(Run(Cell("qa", model, "lora"), 1))
    with pytest.raises(TuneGridError, match=rf"qa_{model}_lora: .*family really {family}\?"):
        train(study, run, folder)
    assert not folder.exists() or not list(folder.iterdir())


def test_full_fine_tuning_trains_every_parameter(injected):
    _, model = injected("full", "t5")
    assert trainable_parameters(model) == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_lora_trains_r_times_the_sides_of_each_matrix(injected, family):
    _, model = injected("lora", family, r=3)
    # A is r x in and B is out x r.
    attention = 4 * (WIDTH + WIDTH)
    feed_forward = (3 if family == "flan-t5" else 2) * (WIDTH + INNER_WIDTH)
    assert trainable_parameters(model) == 3 * (ATTENTIONS * attention + BLOCKS * feed_forward)
    assert all(".lora_" in name for name, parameter in model.named_parameters() if parameter.requires_grad)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_adapters_train_two_matrices_and_two_biases_each(injected, family):
    _, model = injected("adapters", family, reduction_factor=4)
    bottleneck = WIDTH // 4
    assert trainable_parameters(model) == 2 * BLOCKS * (2 * WIDTH * bottleneck + bottleneck + WIDTH)
    assert all(".adapters." in name for name, parameter in model.named_parameters() if parameter.requires_grad)


# -- the equations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize(("r", "alpha"), [(2, 6.0), (4, 4.0)])
def test_lora_s_merged_weights_are_w0_plus_alpha_over_r_times_ba(injected, checkpoints, family, r, alpha):
    import numpy as np

    method, model = injected("lora", family, r=r, alpha=alpha)
    randomise(model)
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    batch = batch_of(checkpoints, family)
    unmerged = logits(model, batch)
    merged = method.merge(model)
    after = merged.state_dict()
    changed = 0
    for name, value in before.items():
        if ".base_layer.weight" in name:
            stem = name.removesuffix(".base_layer.weight")
            b, a = before[f"{stem}.lora_B.default.weight"], before[f"{stem}.lora_A.default.weight"]
            expected = value + alpha / r * (b @ a)
            assert np.abs(expected - value).max() > 1e-3
            plain = stem.removeprefix("base_model.model.") + ".weight"
            np.testing.assert_allclose(after[plain].numpy(), expected, atol=1e-5)
            changed += 1
    assert changed == LORA_MODULES[family]
    assert not [name for name in after if "lora" in name]
    np.testing.assert_allclose(logits(merged, batch), unmerged, atol=1e-4)


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize("f", ["relu", "swish", "gelu"])
def test_an_adapter_computes_the_paper_s_equation(injected, checkpoints, family, f):
    """Equation 5.2: h + s (W_up f(W_down h + b_down) + b_up), worked from the weights alone."""
    import numpy as np
    from scipy.special import erf

    functions = {
        "relu": lambda x: np.maximum(x, 0),
        "swish": lambda x: x / (1 + np.exp(-x)),
        "gelu": lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2))),
    }
    scale = 0.7
    method, model = injected("adapters", family, reduction_factor=4, non_linearity=f, scaling=scale)
    randomise(model)
    seen = []
    modules = dict(model.named_modules())
    for name in method.injected_modules(model):
        # Arguments of an adapter: its input h, and the residual that it adds its own output to.
        modules[name].register_forward_hook(
            lambda module, given, named, result, name=name: seen.append(
                (name, module, (*given, *named.values()), result[0])
            ),
            with_kwargs=True,
        )
    logits(model, batch_of(checkpoints, family))
    assert len({name for name, *_ in seen}) == 10
    for _, module, given, result in seen:
        h, residual = (value.numpy().astype(np.float64) for value in given[:2])
        weights = {name: value.detach().numpy().astype(np.float64) for name, value in module.named_parameters()}
        down, b_down = weights["adapter_down.0.weight"], weights["adapter_down.0.bias"]
        up, b_up = weights["adapter_up.weight"], weights["adapter_up.bias"]
        assert down.shape == (WIDTH // 4, WIDTH)
        expected = residual + scale * (functions[f](h @ down.T + b_down) @ up.T + b_up)
        np.testing.assert_allclose(result.numpy(), expected, atol=2e-3 if f == "gelu" else 1e-4)


def test_the_residual_of_an_adapter_is_its_own_input(injected, checkpoints):
    import torch

    method, model = injected("adapters", "t5")
    modules, same = dict(model.named_modules()), []
    for name in method.injected_modules(model):
        modules[name].register_forward_hook(
            lambda module, given, named, result: same.append(torch.equal(*(*given, *named.values())[:2])),
            with_kwargs=True,
        )
    logits(model, batch_of(checkpoints, "t5"))
    assert same
    assert all(same)


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


# -- training and saving ----------------------------------------------------------------------------------------------


def safe_tensors(file: Path) -> dict:
    from safetensors.numpy import load_file

    return load_file(file)


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


def test_lora_saves_the_same_bytes_in_every_process(injected, tmp_path):
    method, model = injected("lora", "t5")
    method.save(model, tmp_path)
    # The library keeps the targets in a set, whose order Python changes from process to process.
    targets = json.loads((tmp_path / "adapter_config.json").read_text())["target_modules"]
    assert targets == ["k", "o", "q", "v", "wi", "wo"]


def test_weights_that_are_not_there_are_named_and_not_looked_up_on_the_hub(checkpoints, tmp_path):
    with pytest.raises(TuneGridError, match=r"weights: holds no adapter"):
        make("adapters", "t5").load(checkpoints / "t5", tmp_path / "weights")


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


# -- the interface, by methods that no library has --------------------------------------------------------------------


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


def test_the_untuned_model_is_the_base(checkpoints):
    import torch

    method = METHODS["untuned"](METHODS["untuned"].Settings(), FAMILIES["t5"])
    model, base = method.load(checkpoints / "t5", checkpoints / "t5"), make("full", "t5").load_base(checkpoints / "t5")
    batch = batch_of(checkpoints, "t5")
    assert torch.equal(logits(model, batch), logits(base, batch))
    assert not METHODS["untuned"].trains


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
@pytest.mark.parametrize("kind", ["full", "lora", "adapters", "bitfit", "untuned"])
def test_trainable_and_added_counts_are_those_of_the_model(checkpoints, kind, family):
    if family != "bart" and kind == "bitfit":
        pytest.skip("no biases")
    method = METHODS[kind](METHODS[kind].Settings(kind=kind), FAMILIES[family])
    base = method.load_base(checkpoints / family)
    shape, before = shape_of(method, base), sum(parameter.numel() for parameter in base.parameters())
    model = method.inject(base)
    assert trainable_parameters(model) == method.trainable_count(shape)
    assert sum(parameter.numel() for parameter in model.parameters()) - before == method.added_count(shape)
