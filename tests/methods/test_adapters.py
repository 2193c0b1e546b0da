"""Bottleneck adapters: where they stand, how much they train, and the paper's equation 5.2."""

from pathlib import Path

import pytest

from tests.support.checkpoints import WIDTH
from tests.support.methods_on_checkpoints import BLOCKS, FAMILY_NAMES, batch_of, logits, make, randomise, shape_of
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import METHODS
from tunegrid.methods.adapters_library import MODEL_TYPES
from tunegrid.models import FAMILIES
from tunegrid.models.flops import trainable_parameters


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_adapters_stand_twice_in_every_layer(injected, family):
    method, model = injected("adapters", family)
    assert len(method.injected_modules(model)) == 10 == method.expected_modules(shape_of(method, model))


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_adapters_train_two_matrices_and_two_biases_each(injected, family):
    _, model = injected("adapters", family, reduction_factor=4)
    bottleneck = WIDTH // 4
    assert trainable_parameters(model) == 2 * BLOCKS * (2 * WIDTH * bottleneck + bottleneck + WIDTH)
    assert all(".adapters." in name for name, parameter in model.named_parameters() if parameter.requires_grad)


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


def test_weights_that_are_not_there_are_named_and_not_looked_up_on_the_hub(checkpoints, tmp_path):
    with pytest.raises(TuneGridError, match=r"weights: holds no adapter"):
        make("adapters", "t5").load(checkpoints / "t5", tmp_path / "weights")


def test_only_models_that_the_library_knows_are_taken():
    """The list is the library's own, of the encoder-decoders that transformers has."""
    import adapters
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES as ENCODER_DECODERS

    modules = Path(adapters.__file__).parent / "models"
    known = {file.parent.name.replace("encoder_decoder", "encoder-decoder") for file in modules.glob("*/modeling_*.py")}
    assert (known & ENCODER_DECODERS.keys()) - {"whisper"} == set(MODEL_TYPES), "Whisper reads no text"
    settings = METHODS["adapters"].Settings(kind="adapters")
    for family in FAMILIES.values():
        assert METHODS["adapters"].why_not(settings, family) is None
        pegasus = family.model_copy(update={"model_types": ["pegasus"]})
        assert "the adapters library knows no models of the type pegasus" in METHODS["adapters"].why_not(
            settings, pegasus
        )


def test_the_library_s_warning_that_nothing_is_active_comes_only_where_that_is_so(checkpoints, tmp_path, caplog):
    method = make("adapters", "t5")
    method.save(method.inject(method.load_base(checkpoints / "t5")), tmp_path)
    model, batch = method.load(checkpoints / "t5", tmp_path), batch_of(checkpoints, "t5")
    logits(model, batch)
    assert "none are activated" not in caplog.text
    model.set_active_adapters(None)
    logits(model, batch)
    assert "none are activated" in caplog.text
