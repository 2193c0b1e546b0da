"""Values of config.json that the layers cannot compute with are one message; those of real checkpoints are fine."""

import pytest

from tunegrid.common.errors import TuneGridError


def check(model_type: str, values: dict, left_out: tuple[str, ...] = ()) -> None:
    from transformers import AutoConfig, PretrainedConfig

    from tunegrid.models.config_values import check_values

    config = AutoConfig.for_model(model_type, **values)
    written = config.to_dict().keys() - PretrainedConfig().to_dict().keys()
    given = (written | values.keys()) - set(left_out)
    check_values(config, given, "the model")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("decoder_layerdrop", "0.1", "'0.1', but a number belongs there"),
        ("decoder_layerdrop", 1000, "1000, but a probability from 0 to 1 belongs there"),
        ("dropout", -0.1, "-0.1, but a probability"),
        ("dropout", 1.01, "1.01, but a probability"),
        ("dropout", None, "None, but a number"),
        ("dropout", True, "True, but a number"),
        ("attention_dropout", float("nan"), "nan, but a number"),
        ("init_std", [0.02], "but a number"),
        ("d_model", 768.0, "768.0, but a whole number"),
        ("encoder_layers", "6", "'6', but a whole number"),
        ("scale_embedding", "false", "'false', but true or false"),
        ("scale_embedding", 0, "0, but true or false"),
    ],
)
def test_a_value_of_another_type_is_refused(key, value, says):
    with pytest.raises(TuneGridError, match=rf"the model: config\.json: {key}: ") as error:
        check("bart", {key: value})
    assert says in str(error.value)


@pytest.mark.parametrize("value", ["0.1", 1.5, [0.1], True])
def test_a_dropout_without_a_default_is_a_probability_too(value):
    check("bert", {"classifier_dropout": None})
    check("bert", {"classifier_dropout": 0.1})
    with pytest.raises(TuneGridError, match=r"classifier_dropout: .*, but a probability from 0 to 1 belongs there"):
        check("bert", {"classifier_dropout": value})


def test_values_of_published_checkpoints_are_fine():
    check("t5", {"dropout_rate": 0, "num_decoder_layers": None, "n_positions": 512, "output_past": True, "d_ff": 3072})
    check("bart", {"decoder_layerdrop": 0.0, "num_beams": 4, "early_stopping": "never", "pad_token_id": None})
    check("bart", {"gradient_checkpointing": False, "forced_eos_token_id": 2, "task_specific_params": {}})


@pytest.mark.parametrize(
    ("model_type", "key", "default"),
    [
        ("bart", "decoder_attention_heads", "16"),
        ("bart", "encoder_attention_heads", "16"),
        ("bart", "activation_function", "'gelu'"),
        ("bart", "scale_embedding", "False"),
        ("t5", "num_heads", "8"),
        ("t5", "layer_norm_epsilon", "1e-06"),
        ("marian", "scale_embedding", "False"),
        ("pegasus", "activation_function", "'gelu'"),
    ],
)
def test_what_only_config_json_can_tell_may_not_be_left_out(model_type, key, default):
    """The default of the type would make another model of the same weights, without a word."""
    with pytest.raises(TuneGridError, match=rf"config\.json does not say {key}, .*; {default}, what is taken"):
        check(model_type, {}, left_out=(key,))


def test_keys_that_the_oldest_checkpoints_lack_may_be_left_out():
    lacking = ("feed_forward_proj", "relative_attention_max_distance", "num_decoder_layers", "tie_word_embeddings")
    check("t5", {"d_ff": 3072}, left_out=(*lacking, "dense_act_fn", "is_gated_act", "classifier_dropout"))
    check("bart", {}, left_out=("tie_word_embeddings", "use_cache", "decoder_layerdrop", "classifier_dropout"))


def test_another_name_of_the_same_key_says_it_too():
    given = {"num_attention_heads": 12, "decoder_attention_heads": 12}
    check("bart", given, left_out=("encoder_attention_heads",))
