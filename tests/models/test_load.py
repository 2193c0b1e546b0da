"""Loading of checkpoints: tensors that do not fit the model are refused, other names of the same tensors are not."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file, save_model

from tunegrid.common.errors import TuneGridError
from tunegrid.models.load import check_computes, check_fit, check_numbers, check_tied, load_model

CROSS = "decoder.block.1.layer.1.EncDecAttention.q.weight"


@pytest.fixture
def changed(checkpoints, tmp_path):
    """Copies a family's checkpoint with other tensors, as a function makes them of its own, and another config.json."""

    def change(family: str, tensors, **config) -> Path:
        folder = Path(shutil.copytree(checkpoints / family, tmp_path / "changed"))
        state = tensors(load_file(folder / "model.safetensors"))
        state = {name: values.clone().contiguous() for name, values in state.items()}
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | config))
        return folder

    return change


def prefixed(prefix: str):
    return lambda state: {prefix + name: values for name, values in state.items()}


def without(part: str):
    return lambda state: {name: values for name, values in state.items() if part not in name}


def renamed(old: str, new: str):
    return lambda state: {new if name == old else name: values for name, values in state.items()}


def wrapped(state):
    """As peft names the layers of a model that it has put LoRA into."""
    return {name.replace("SelfAttention.q.", "SelfAttention.q.base_layer."): values for name, values in state.items()}


UNFIT = {
    "compiled": ("t5", prefixed("_orig_mod."), {}, "58 tensors are missing.*55 tensors are unknown.*`_orig_mod.`"),
    "data parallel": ("bart", prefixed("module."), {}, "begin with `module.`"),
    "of a trainer's module": ("flan-t5", prefixed("model."), {}, "begin with `model.`"),
    "wrapped twice": ("t5", prefixed("base_model.model."), {}, "begin with `base_model.model.`"),
    "with an adapter": ("t5", wrapped, {}, "an adapter is still in the model .*base_layer.*Merge it"),
    "one is missing": ("t5", without(CROSS), {}, f"1 tensor is missing: {CROSS}.*cut off, or left out"),
    "a layer is missing": ("bart", without("decoder.layers.1"), {}, "26 tensors are missing: model.decoder.layers.1"),
    "an encoder": ("t5", lambda state: without("decoder.")(state), {}, "an encoder without its decoder"),
    "no embedding at all": ("t5", without("shared"), {}, "tensors are missing: .*embed_tokens"),
    "no head, and not tied": ("flan-t5", without("lm_head"), {}, "1 tensor is missing: lm_head.weight"),
    "another width": ("t5", dict, {"d_ff": 32}, r"10 tensors are of another shape: .*\(24 x 16, not 32 x 16\).*another size"),
    "fewer layers": ("t5", dict, {"num_layers": 2}, "8 tensors are unknown: encoder.block.2.*more layers"),
    "another head": ("bart", lambda state: state | {"classification_head.dense.weight": torch.zeros(2, 2)}, {},
                     "1 tensor is unknown: classification_head"),
    "another class": ("t5", lambda _: {"bert.pooler.weight": torch.zeros(2, 2)}, {}, "another class of model"),
}  # fmt: skip


@pytest.mark.parametrize(("family", "tensors", "config", "says"), UNFIT.values(), ids=UNFIT.keys())
def test_tensors_that_do_not_fit_are_listed_with_the_likely_reason(changed, family, tensors, config, says):
    folder = changed(family, tensors, **config)
    with pytest.raises(TuneGridError, match=f"^my model: the weights do not fit .*{says}") as error:
        check_fit(folder, "my model")
    assert len(str(error.value)) < 800
    with pytest.raises(TuneGridError, match=f"{folder}: the weights do not fit .*{says}"):
        load_model(folder)


def bare_bart(state):
    """As BartModel saves it: no prefix, and no bias of the head."""
    return {name.removeprefix("model."): values for name, values in state.items() if name != "final_logits_bias"}


BART = "model.shared.weight"
FIT = {
    "as it is": ("t5", dict),
    "untied": ("flan-t5", dict),
    "BartModel's": ("bart", bare_bart),
    "the encoder's embedding": ("t5", renamed("shared.weight", "encoder.embed_tokens.weight")),
    "the decoder's embedding": ("t5", renamed("shared.weight", "decoder.embed_tokens.weight")),
    "the untied encoder's embedding": ("flan-t5", renamed("shared.weight", "encoder.embed_tokens.weight")),
    "the head as embedding": ("t5", renamed("shared.weight", "lm_head.weight")),
    "BART's encoder's embedding": ("bart", renamed(BART, "model.encoder.embed_tokens.weight")),
    "BART's decoder's embedding": ("bart", renamed(BART, "model.decoder.embed_tokens.weight")),
    "BART's head as embedding": ("bart", renamed(BART, "lm_head.weight")),
    "BartModel's encoder's embedding": (
        "bart", lambda state: bare_bart(renamed(BART, "model.encoder.embed_tokens.weight")(state))
    ),
    "a head that is not used": ("t5", lambda state: state | {"lm_head.weight": torch.zeros_like(state["shared.weight"])}),
    "a bias that is not used": (
        "t5",
        lambda state: state
        | {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": torch.zeros(32, 2)},
    ),
    "half precision": ("bart", lambda state: {name: values.half() for name, values in state.items()}),
    "brain floats": ("t5", lambda state: {name: values.bfloat16() for name, values in state.items()}),
}  # fmt: skip


@pytest.mark.parametrize(("family", "tensors"), FIT.values(), ids=FIT.keys())
def test_other_names_of_the_same_tensors_are_the_same_model(checkpoints, changed, family, tensors):
    folder = changed(family, tensors)
    assert all(parameter.is_meta for parameter in check_fit(folder, "my model").parameters())
    model, expected = load_model(folder).eval(), load_model(checkpoints / family).eval()
    rounded = next(iter(tensors({BART: torch.ones(1), "shared.weight": torch.ones(1)}).values())).dtype
    assert model.state_dict().keys() == expected.state_dict().keys()
    for name, values in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], values.to(rounded).float()), name
    assert model.get_output_embeddings().weight.data_ptr() == model.get_input_embeddings().weight.data_ptr() or (
        family == "flan-t5"
    )


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_a_checkpoint_that_safetensors_itself_saved_loads(checkpoints, tmp_path, family):
    """`save_model` writes tied tensors once, under the first of their names: T5's decoder's embedding, BART's head."""
    folder, model = Path(shutil.copytree(checkpoints / family, tmp_path / family)), load_model(checkpoints / family)
    save_model(model, str(folder / "model.safetensors"), metadata={"format": "pt"})
    check_fit(folder, "my model")
    for name, values in load_model(folder).state_dict().items():
        assert torch.equal(values, model.state_dict()[name]), name


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_named_with_their_tensor(changed, dtype, value):
    def spoil(state):
        state = {name: values.to(dtype) for name, values in state.items()}
        state[CROSS][3, 5] = value
        return state

    with pytest.raises(TuneGridError, match=f"^my model: 1 number of {CROSS} is NaN or infinite"):
        check_numbers(changed("t5", spoil), "my model")


def test_numbers_that_fp32_cannot_hold_are_infinite(changed):
    folder = changed("t5", lambda state: state | {CROSS: state[CROSS].double().fill_(1e300)})
    with pytest.raises(TuneGridError, match=r"256 numbers of .* are NaN or infinite"):
        check_numbers(folder, "my model")


def test_finite_numbers_pass(checkpoints):
    for folder in checkpoints.iterdir():
        check_numbers(folder, folder.name)


def test_a_configuration_that_no_model_can_be_made_of_is_one_message(changed):
    folder = changed("t5", dict, num_heads="two")
    with pytest.raises(TuneGridError, match=r"^my model: transformers cannot make a model from config\.json: "):
        check_fit(folder, "my model")


@pytest.mark.parametrize(
    ("family", "config", "says"),
    [
        ("t5", {"relative_attention_max_distance": 0}, "math domain error|division"),
        ("bart", {"activation_dropout": float("nan")}, "dropout probability"),
        ("bart", {"dropout": 1.5}, "dropout probability"),
    ],
)
def test_a_configuration_that_no_layer_can_compute_with_is_one_message(changed, family, config, says):
    folder = changed(family, dict, **config)
    model = check_fit(folder, "my model")
    with pytest.raises(
        TuneGridError, match=f"^my model: the model cannot compute with its config.json: .*(?:{says})"
    ) as error:
        check_computes(model, "my model")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("family", ["t5", "flan-t5", "bart"])
def test_a_whole_checkpoint_computes(checkpoints, family):
    check_computes(check_fit(checkpoints / family, "my model"), "my model")


def with_tensor(name: str, of: str, add: float):
    """With one more tensor: another one with a number added."""
    return lambda state: state | {name: state[of] + add}


SHARED = "shared.weight"
HALVES = {
    "T5's encoder": ("t5", with_tensor("encoder.embed_tokens.weight", SHARED, 1)),
    "T5's decoder, though the head is known": ("t5", with_tensor("decoder.embed_tokens.weight", SHARED, 1e-3)),
    "BART's encoder": ("bart", with_tensor("model.encoder.embed_tokens.weight", BART, 1)),
    "without the head's prefix": ("bart", lambda state: bare_bart(with_tensor("model.decoder.embed_tokens.weight", BART, 1)(state))),
}  # fmt: skip


@pytest.mark.parametrize(("family", "tensors"), HALVES.values(), ids=HALVES.keys())
def test_two_tensors_that_the_model_has_once_may_not_differ(changed, family, tensors):
    folder = changed(family, tensors)
    with pytest.raises(TuneGridError, match=r"^my model: .* and .* differ, but the model .* has one tensor for both"):
        check_tied(folder, "my model", check_fit(folder, "my model"), head_is_tied=True)


def test_the_same_tensor_under_two_names_is_fine(changed):
    folder = changed("t5", lambda state: with_tensor("decoder.embed_tokens.weight", SHARED, 0)(state))
    check_tied(folder, "my model", check_fit(folder, "my model"), head_is_tied=False)


def test_a_head_of_its_own_is_not_lost_because_config_json_leaves_out_that_it_is_not_tied(changed):
    """Without the key transformers takes the embedding for T5 v1.1's and Flan-T5's head, and scales its input."""
    folder = changed("flan-t5", dict)
    file = folder / "config.json"
    config = json.loads(file.read_text())
    assert config.pop("tie_word_embeddings") is False
    file.write_text(json.dumps(config))
    model = check_fit(folder, "my model")
    with pytest.raises(TuneGridError, match=r"lm_head.weight and shared.weight differ, .*`tie_word_embeddings: false`"):
        check_tied(folder, "my model", model, head_is_tied=False)
    check_tied(folder, "my model", model, head_is_tied=True)
