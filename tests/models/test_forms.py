"""Forms of weights: how many bytes they take, which weights pruning sets to 0, which layers a student keeps."""

import re

import pytest

from tests.support.checkpoints import FAMILIES
from tests.support.extras import needs_ctranslate2
from tests.support.random_models import TEXTS, generated, randomised
from tunegrid.common.errors import TuneGridError
from tunegrid.models.families import FAMILIES as FAMILY
from tunegrid.models.forms import NAMES, form_named
from tunegrid.models.forms.base import weight_bytes
from tunegrid.models.forms.student import evenly_spaced


def made(name: str, model, tokenizer, folder, family: str = "t5"):
    return form_named(name).make(model, tokenizer, folder, family=FAMILY[family], device="cpu", threads=1)


@pytest.fixture
def tokenizer_of(checkpoints):
    from tunegrid.data.tokens import load_tokenizer

    return lambda family: load_tokenizer(checkpoints / family)


@pytest.mark.parametrize("name", [*NAMES, "prune-1", "prune-99-layers", "distil-1", "distil-99-99"])
def test_a_form_has_the_name_that_it_is_asked_by(name):
    assert form_named(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "int4",
        "prune-0",
        "prune-100",
        "prune-030",
        "prune-30-layer",
        "prune-2-5",
        "",
        "INT8",
        "distil",
        "distil-0",
        "distil-01",
        "distil-1-0",
        "distil-1-2-3",
        "distil-1-tuned",
    ],
)
def test_another_name_is_refused_with_those_that_there_are(name):
    with pytest.raises(ValueError, match=r"Available: int8, bf16, prune-30, prune-30-layers, prune-2-4"):
        form_named(name)


def test_pruning_over_the_model_takes_the_smallest_of_all_layers_together():
    import torch

    small, large = torch.tensor([[1.0, -2.0], [3.0, 4.0]]), torch.tensor([[-10.0, 20.0], [30.0, 0.5]])
    form_named("prune-50").prune([small, large])
    assert small.tolist() == [[0, 0], [0, 4]]
    assert large.tolist() == [[-10, 20], [30, 0]]


def test_pruning_by_layer_takes_the_same_share_of_each():
    import torch

    small, large = torch.tensor([[1.0, -2.0], [3.0, 4.0]]), torch.tensor([[-10.0, 20.0], [30.0, 0.5]])
    form_named("prune-50-layers").prune([small, large])
    assert small.tolist() == [[0, 0], [3, 4]]
    assert large.tolist() == [[0, 20], [30, 0]]


def test_ties_are_pruned_to_the_share_and_no_further():
    import torch

    weight = torch.full((3, 5), 0.25)
    form_named("prune-40").prune([weight])
    assert int((weight == 0).sum()) == 6


def test_two_of_four_neighbours_along_the_inputs_stay():
    import torch

    weight = torch.tensor(
        [[1.0, -5.0, 2.0, 3.0, 0.1, 0.2, 0.4, 0.3, 9.0, 8.0], [4.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 7.0, 1.0, 0.0]]
    )
    form_named("prune-2-4").prune([weight])
    assert weight[0].tolist() == pytest.approx([0, -5, 0, 3, 0, 0, 0.4, 0.3, 9, 8])
    assert weight[1].tolist() == [4, 3, 0, 0, 0, 0, 0, 7, 1, 0]


@pytest.mark.parametrize("name", ["prune-30", "prune-30-layers", "prune-2-4"])
@pytest.mark.parametrize("family", FAMILIES)
def test_pruning_leaves_embeddings_head_and_biases_and_saves_no_byte(checkpoints, tokenizer_of, tmp_path, family, name):
    model, before = randomised("full", family, checkpoints), randomised("full", family, checkpoints)
    formed = made(name, model, tokenizer_of(family), tmp_path)
    changed = {key for key, value in model.state_dict().items() if not value.equal(before.state_dict()[key])}
    assert changed
    assert not [
        key
        for key in changed
        if "embed" in key or "shared" in key or "lm_head" in key or "bias" in key or "norm" in key
    ]
    assert formed.zeros == pytest.approx(0.5 if name == "prune-2-4" else 0.3, abs=0.005)
    assert formed.saved_bytes == weight_bytes(before)
    assert generated(formed.predictor, tokenizer_of(family)) != generated(before, tokenizer_of(family))


@pytest.mark.parametrize("family", FAMILIES)
def test_bf16_takes_half_of_the_bytes_and_generates(checkpoints, tokenizer_of, tmp_path, family):
    import torch
    from safetensors.torch import load_file

    model = randomised("full", family, checkpoints)
    model.save_pretrained(tmp_path)
    saved = sum(t.numel() * t.element_size() for t in load_file(tmp_path / "model.safetensors").values())
    whole = weight_bytes(model)
    assert whole == pytest.approx(saved, rel=0.01)
    formed = made("bf16", model, tokenizer_of(family), tmp_path)
    assert formed.saved_bytes == pytest.approx(whole / 2, rel=0.01)
    assert {p.dtype for p in formed.predictor.parameters()} == {torch.bfloat16}
    assert len(set(generated(formed.predictor, tokenizer_of(family)))) > 1


@needs_ctranslate2
@pytest.mark.parametrize("family", FAMILIES)
def test_int8_generates_with_fewer_bytes(checkpoints, tokenizer_of, tmp_path, family):
    from tunegrid.models.decoding import Generation

    model, tokenizer = randomised("full", family, checkpoints), tokenizer_of(family)
    whole = weight_bytes(model)
    formed = made("int8", model, tokenizer, tmp_path)
    assert formed.saved_bytes < whole
    answers = formed.predictor.generate(
        tokenizer, tokenizer(TEXTS)["input_ids"], Generation(max_new_tokens=4), batch_size=2
    )
    assert len({answer.text for answer in answers}) > 1


@pytest.mark.parametrize(
    ("layers", "count", "kept"),
    [  # the first and the last two lines are those of DistilBART (Shleifer and Rush 2020)
        (12, 6, [0, 2, 4, 7, 9, 11]),
        (12, 3, [0, 6, 11]),
        (12, 1, [0]),
        (12, 2, [0, 11]),
        (6, 3, [0, 3, 5]),
        (2, 1, [0]),
        (5, 5, [0, 1, 2, 3, 4]),
    ],
)
def test_students_keep_evenly_spaced_layers(layers, count, kept):
    assert evenly_spaced(layers, count) == kept


def deep(family: str, checkpoints):
    """A model of the family with 3 layers in each stack, its weights drawn at random."""
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    sizes = FAMILY[family].sizes
    config = AutoConfig.from_pretrained(checkpoints / family)
    for key in (sizes.encoder_layers, sizes.decoder_layers):
        setattr(config, key, 3)
    torch.manual_seed(7)
    return AutoModelForSeq2SeqLM.from_config(config).eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_student_has_some_of_the_layers_and_all_else_of_the_model(checkpoints, tokenizer_of, tmp_path, family):
    import torch

    model, tokenizer = deep(family, checkpoints), tokenizer_of(family)
    formed = made("distil-2-1", model, tokenizer, tmp_path, family)
    assert (formed.encoder_layers, formed.decoder_layers) == ([0, 2], [0])
    student, whole = formed.predictor, model.state_dict()
    for name, tensor in student.state_dict().items():
        # Of the layers only the encoder's last has another number than in the model.
        place = re.sub(r"(?<=encoder\.block\.)1|(?<=encoder\.layers\.)1", "2", name)
        assert torch.equal(tensor, whole[place]), name
    assert formed.saved_bytes == weight_bytes(student) < weight_bytes(model)
    # Saved and loaded it is the same model, cached or not.
    from tunegrid.models.load import load_model

    student.save_pretrained(tmp_path / "saved")
    loaded = load_model(tmp_path / "saved")
    assert generated(loaded, tokenizer) == generated(student, tokenizer)
    sizes = FAMILY[family].sizes
    assert [getattr(loaded.config, key) for key in (sizes.encoder_layers, sizes.decoder_layers)] == [2, 1]


@pytest.mark.parametrize("family", ["t5", "flan-t5"])  # BART normalises after each layer, be it of zeros
def test_leaving_out_layers_that_do_nothing_alters_nothing(checkpoints, tokenizer_of, tmp_path, family):
    import torch

    model, tokenizer = deep(family, checkpoints), tokenizer_of(family)
    with torch.no_grad():
        for stack in (model.get_encoder(), model.get_decoder()):
            for parameter in stack.block[1].parameters():
                parameter.zero_()
    formed = made("distil-2-2", model, tokenizer, tmp_path, family)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    start = torch.full((len(TEXTS), 3), 5)
    with torch.no_grad():
        results = [m(**batch, decoder_input_ids=start).logits for m in (model, formed.predictor.eval())]
    torch.testing.assert_close(results[0], results[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("distil-2", "distil-2: it has 3 encoder layers and 2 decoder layers, of which distil-2 leaves out none"),
        ("distil-3-2", "leaves out none"),
        ("distil-3", "fewer than distil-3 would keep"),
        ("distil-4-1", "fewer than distil-4-1 would keep"),
    ],
)
def test_a_student_without_a_layer_less_is_refused(checkpoints, tokenizer_of, tmp_path, name, says):
    with pytest.raises(TuneGridError, match=says):
        made(name, randomised("full", "t5", checkpoints), tokenizer_of("t5"), tmp_path)
