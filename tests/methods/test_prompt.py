"""Prompt tuning: what the vectors are at first, how many are trained, and what of them is saved."""

import pytest

from tests.support import slow_but_a_third
from tests.support.checkpoints import WIDTH
from tests.support.methods_on_checkpoints import (
    FAMILY_NAMES,
    batch_of,
    logits,
    make,
    randomise,
    safe_tensors,
    shape_of,
)
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import METHODS
from tunegrid.models import FAMILIES
from tunegrid.models.flops import trainable_parameters
from tunegrid.study.checks import check_files


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_only_the_vectors_in_front_of_the_source_are_trained(injected, family):
    method, model = injected("prompt", family, length=4)
    assert trainable_parameters(model) == 4 * WIDTH == method.trainable_count(shape_of(method, model))
    assert len(method.injected_modules(model)) == 1 == method.expected_modules(shape_of(method, model))
    assert method.added_tokens == 4
    assert method.counted(model) == method.stacks(shape_of(method, model))


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_vectors_start_as_embeddings_of_tokens_that_are_not_special(injected, checkpoints, family):
    import torch

    from tunegrid.data.tokens import load_tokenizer

    starts = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        _, model = injected("prompt", family, length=6)
        starts.append(model.prompt_encoder["default"].embedding.weight.detach())
    assert torch.equal(starts[0], starts[1]), "by the seed alone"
    assert not torch.equal(starts[0], starts[2])
    table = model.get_input_embeddings().weight
    special = set(load_tokenizer(checkpoints / family).all_special_ids)
    for vector in starts[0]:
        (tokens,) = (table == vector).all(-1).nonzero(as_tuple=True)
        assert tokens.numel()
        assert not special & set(tokens.tolist())


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_text_is_the_start_cut_or_repeated(injected, checkpoints, family):
    import torch

    from tunegrid.data.tokens import load_tokenizer

    text = "the old key is in the garden"
    ids = load_tokenizer(checkpoints / family)(text, add_special_tokens=False)["input_ids"]
    for length in (2, len(ids) + 3):
        _, model = injected("prompt", family, length=length, init="text", text=text)
        expected = model.get_input_embeddings().weight[(ids * 2)[:length]]
        assert torch.equal(model.prompt_encoder["default"].embedding.weight, expected)


@pytest.mark.parametrize("settings", [{"init": "text"}, {"text": "a dog"}, {"init": "text", "text": "  "}])
def test_a_text_and_its_use_go_together(settings):
    cls = METHODS["prompt"]
    assert "go together" in cls.why_not(cls.Settings(kind="prompt", **settings), FAMILIES["t5"])


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_the_vectors_alone_are_saved_and_give_the_same_answers(injected, checkpoints, tmp_path, family):
    import numpy as np

    method, model = injected("prompt", family, length=4)
    randomise(model)
    before = logits(model, batch_of(checkpoints, family))
    method.save(model, tmp_path)
    (weights,) = tmp_path.glob("*.safetensors")
    assert {name: tensor.shape for name, tensor in safe_tensors(weights).items()} == {"prompt_embeddings": (4, WIDTH)}
    again = make("prompt", family, length=4).load(checkpoints / family, tmp_path)
    assert np.array_equal(logits(again, batch_of(checkpoints, family)), before)


@pytest.mark.parametrize(("kind", "family"), slow_but_a_third(["prompt", "prefix"], FAMILY_NAMES))
def test_a_run_trains_and_is_evaluated(tiny_study, kind, family):
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.train import train
    from tunegrid.study.cells import Cell, Run

    settings = "{kind: prompt, length: 4}" if kind == "prompt" else "{kind: prefix, length: 4, bottleneck: 8}"
    study = tiny_study(
        f"{{grid: {{methods: [{kind}]}}, methods: {{{kind}: {settings}}}, training: {{max_steps: 3, learning_rate: 0.3}}}}"
    )
    for task in ("qa", "sentiment"):
        run = Run(Cell(task, family, kind), 1)
        folder = study.paths.run(run)
        record = train(study, run, folder)
        assert (record.status, record.reason) == ("ok", None)
        assert record.cost.training_flops > 0
        assert evaluate_run(study, run, folder).status == "ok"


@pytest.mark.parametrize(("length", "fits"), [(240, True), (241, False)])
def test_vectors_need_positions_beside_those_of_the_longest_source(tiny_study, length, fits):
    """The checkpoint of BART has 256 positions; T5 has as many as there are."""
    study = tiny_study(
        f"{{grid: {{tasks: [qa], models: [t5, bart], methods: [prompt]}}, methods: {{prompt: {{kind: prompt, length: 16}}}}, "
        f"tasks: {{qa: {{max_source_length: {length}}}}}}}"
    )
    if fits:
        check_files(study)
        return
    with pytest.raises(TuneGridError, match=r"tasks\.qa\.max_source_length: 241, .*256 positions\. Set it to 240 or"):
        check_files(study)
