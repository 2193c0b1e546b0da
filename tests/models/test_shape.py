"""Sizes and parameter counts by formula, against the models that `transformers` builds and against published totals."""

from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.checkpoints import DECODER_LAYERS, ENCODER_LAYERS, INNER_WIDTH, WIDTH
from tunegrid.common.errors import TuneGridError
from tunegrid.models import FAMILIES, Shape
from tunegrid.models.shape import known_config
from tunegrid.study.checks import check_files
from tunegrid.study.load import load_study

# The totals that the models' papers and cards go by, to the last parameter.
KNOWN = {
    "google-t5/t5-small": ("t5", 60_506_624),
    "google-t5/t5-base": ("t5", 222_903_552),
    "google/flan-t5-small": ("flan-t5", 76_961_152),
    "google/flan-t5-base": ("flan-t5", 247_577_856),
    "google/mt5-small": ("mt5", 300_176_768),
    "facebook/bart-base": ("bart", 139_420_416),
    "facebook/bart-large": ("bart", 406_291_456),
}


def built(config: dict):
    """The model of a config.json on the meta device: sizes without memory."""
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    with torch.device("meta"):
        return AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(**config))


def assert_counts(shape: Shape, model) -> None:
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}

    def stack(name: str) -> int:
        return sum(size for key, size in sizes.items() if f"{name}." in key and "embed_" not in key)

    assert shape.parameters == sum(sizes.values())
    assert (shape.encoder_parameters, shape.decoder_parameters) == (stack("encoder"), stack("decoder"))
    assert shape.embedding_parameters == sum(sizes.values()) - stack("encoder") - stack("decoder")
    assert shape.biases == sum(size for key, size in sizes.items() if key.endswith(".bias"))
    assert shape.normalisations == len([key for key in sizes if "norm" in key and key.endswith(".weight")])


@pytest.mark.parametrize("name", KNOWN)
def test_the_known_models_have_the_parameters_that_they_are_known_for(name):
    family, parameters = KNOWN[name]
    config = known_config(name)
    assert FAMILIES[family].problem(config) is None
    shape = Shape.from_config(FAMILIES[family], config)
    assert shape.parameters == parameters
    assert_counts(shape, built(config))


def test_every_known_architecture_is_held_to_its_total():
    from tunegrid.common.package_data import architectures_folder

    files = {file.stem.replace("--", "/", 1) for file in architectures_folder().glob("*.json")}
    assert files == set(KNOWN)
    assert known_config("google/unknown") is None
    assert known_config("../families/t5") is None


# Sizes that are all different, so that one taken for another shows.
T5 = {"d_model": 20, "d_kv": 7, "d_ff": 33, "num_layers": 3, "num_decoder_layers": 2, "num_heads": 5, "vocab_size": 61,
      "relative_attention_num_buckets": 12}  # fmt: skip
BART = {"d_model": 20, "encoder_ffn_dim": 33, "decoder_ffn_dim": 37, "encoder_layers": 3, "decoder_layers": 2,
        "encoder_attention_heads": 5, "decoder_attention_heads": 5, "vocab_size": 61, "max_position_embeddings": 44}  # fmt: skip


@pytest.mark.parametrize(("family", "config"), [
    ("t5", {"model_type": "t5", "tie_word_embeddings": True, **T5}),
    ("t5", {"model_type": "t5", "tie_word_embeddings": False, **T5}),
    ("flan-t5", {"model_type": "t5", "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, **T5}),
    ("flan-t5", {"model_type": "t5", "feed_forward_proj": "gated-silu", **T5}),
    ("mt5", {"model_type": "mt5", "feed_forward_proj": "gated-gelu", **T5}),
    ("bart", {"model_type": "bart", **BART}),
    ("bart", {"model_type": "bart", "tie_word_embeddings": True, **BART}),
])  # fmt: skip
def test_the_formula_fits_any_sizes(family, config):
    assert_counts(Shape.from_config(FAMILIES[family], config), built(config))


def test_what_the_oldest_files_leave_out_is_what_transformers_takes():
    config = {"model_type": "t5", "d_model": 20, "d_ff": 33, "num_layers": 3, "num_heads": 5, "vocab_size": 61}
    shape = Shape.from_config(FAMILIES["t5"], config)
    assert (shape.decoder_layers, shape.d_kv, shape.relative_buckets, shape.tied) == (3, 64, 32, True)
    assert_counts(shape, built(config))


@pytest.mark.parametrize("value", [None, "512", 0, True, 1.5])
def test_a_config_without_a_size_is_refused_by_its_key(value):
    config = {"model_type": "t5", **T5, "d_ff": value}
    with pytest.raises(TuneGridError, match=r"config\.json: d_ff: .*whole number above 0"):
        Shape.from_config(FAMILIES["t5"], config)


# -- the shapes of a study's models, before they are there -------------------------------------------------------------


def test_a_study_knows_the_shape_of_a_local_folder_and_of_a_known_model(tiny_study):
    study = tiny_study()
    shape = study.shape("flan-t5")
    assert (shape.d_model, shape.d_ff, shape.encoder_layers, shape.decoder_layers) == (
        WIDTH, INNER_WIDTH, ENCODER_LAYERS, DECODER_LAYERS,
    )  # fmt: skip
    Path("hub.yaml").write_text(
        Path("tiny.yaml")
        .read_text()
        .replace("{kind: directory, path: checkpoints/t5}", "{kind: hub, id: google-t5/t5-base}")
    )
    assert load_study("hub.yaml").shape("t5").parameters == KNOWN["google-t5/t5-base"][1]


def test_a_config_without_a_size_names_the_model(tiny_study):
    study, file = tiny_study(), Path("checkpoints/t5/config.json")
    file.write_text(file.read_text().replace('"d_ff"', '"d_fff"'))
    with pytest.raises(TuneGridError, match=r"models\.t5: config\.json: d_ff: missing"):
        check_files(study)


def test_the_shape_of_a_model_that_is_nowhere_yet_is_not_known(tiny_study):
    study = tiny_study()
    Path("checkpoints/t5/config.json").unlink()
    assert study.shape("t5") is None


@pytest.mark.parametrize("family", ["t5", "flan-t5", "bart"])
def test_the_shape_of_a_pretrained_model_is_that_of_what_is_built(family):
    from tunegrid.models.pretrain.architectures import build_model
    from tunegrid.models.pretrain.settings import PretrainSource
    from tunegrid.models.pretrain.tokenizers import train_tokeniser

    source = PretrainSource(
        kind="pretrain", d_model=24, layers=3, decoder_layers=2, heads=3, d_ff=40, vocabulary=400, max_length=600
    )
    tokeniser = train_tokeniser(["the old key is in the red house of the small dog " * 3] * 3, family, 400, 600)
    model = build_model(source, family, tokeniser)
    config = source.known_config(FAMILIES[family])
    assert FAMILIES[family].problem({**model.config.to_dict()}) is None
    shape = Shape.from_config(FAMILIES[family], config | {"vocab_size": len(tokeniser)})
    assert_counts(shape, model)
    assert Shape.from_config(FAMILIES[family], config).vocabulary == 400


def test_the_mini_study_knows_its_shapes_without_torch():
    import subprocess
    import sys

    program = (
        "import sys; from tunegrid.study.load import load_study; s = load_study('config/mini.yaml'); "
        "assert all(s.shape(m) for m in s.models); assert not {'torch', 'transformers', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
    mini = load_study(ROOT / "config/mini.yaml")
    assert 200_000 < mini.shape("t5").parameters < 400_000


# -- the check before a run -------------------------------------------------------------------------------------------


def test_a_model_that_trains_another_number_of_parameters_does_not_start(tiny_study, monkeypatch):
    from tunegrid.methods import METHODS
    from tunegrid.stages.train import train
    from tunegrid.study.cells import Cell, Run

    def inject(method, model):  # a method that forgets the embeddings
        model.get_input_embeddings().requires_grad_(False)
        return model

    monkeypatch.setattr(METHODS["full"], "inject", inject)
    study = tiny_study()
    shape = study.shape("t5")
    total, trained = shape.parameters, shape.parameters - shape.vocabulary * WIDTH
    with pytest.raises(TuneGridError, match=rf"full trains {trained} parameters, .* has to train {total}"):
        train(study, Run(Cell("qa", "t5", "full"), 1), Path("run"))
