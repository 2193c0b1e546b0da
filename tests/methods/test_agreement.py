"""Generation against training: every method writes, step by step, with the logits of one pass over the same tokens."""

import pytest

from tests.support.methods_on_checkpoints import FAMILY_NAMES, make, randomise
from tunegrid.models.decoding import Generation

METHODS = {
    "untuned": {},
    "full": {},
    "lora": {},
    "adapters": {},
    "bitfit": {},
    "prefix": {"length": 4, "bottleneck": 6},
    "prompt": {"length": 4},
}
TEXTS = [
    "the old key is in the garden",
    "a dog",
    "a wonderful film with a clever story, Anna found the old key on Monday",
]


@pytest.fixture
def compare(checkpoints):
    """Largest difference between generation and one pass, as a share of the largest logit: (model, family, …) -> it."""
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.agreement import disagreement

    def difference(model, family, beams=1, cached=True):
        tokenizer = load_tokenizer(checkpoints / family)
        sources = [tokenizer(text)["input_ids"] for text in TEXTS]
        return disagreement(
            model.eval(), tokenizer, sources, Generation(max_new_tokens=10, num_beams=beams), cached=cached
        )

    return difference


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize("kind", METHODS)
def test_every_method_generates_as_it_was_trained(injected, compare, monkeypatch, kind, family):
    from tunegrid.models import encoder
    from tunegrid.models.agreement import TOLERANCE

    monkeypatch.setattr(encoder, "TOKENS", 8)  # so that batches are encoded in parts
    _, model = injected(kind, family, **METHODS[kind])
    randomise(model)
    for beams in (1, 3):
        for cached in (True, False):
            assert compare(model, family, beams, cached) <= TOLERANCE, f"beams {beams}, cached {cached}"


STARTED = {
    "dpo": {"sft": "full", "pairs": "worse", "update": {"kind": "lora", "r": 2}},
    "ppo": {"sft": "lora", "reward": "judge", "update": {"kind": "full"}},
}


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize("kind", STARTED)
def test_what_starts_from_another_run_generates_as_it_was_trained_and_loaded(
    checkpoints, tmp_path, compare, kind, family
):
    """Its start is the run of another method, merged; what is saved is a whole model."""
    from tests.support.methods_on_checkpoints import batch_of, logits
    from tunegrid.methods.needs import OtherRun
    from tunegrid.models.agreement import TOLERANCE
    from tunegrid.stages.inputs import RunModel
    from tunegrid.study.cells import Cell

    sft = STARTED[kind]["sft"]
    before = make(sft, family)
    tuned = before.inject(before.load_base(checkpoints / family))
    randomise(tuned)
    before.save(tuned, tmp_path / "start")
    method = make(kind, family, **STARTED[kind])
    method.inputs = {OtherRun(sft): RunModel(Cell("translation", family, sft), before, tmp_path / "start")}
    model = method.inject(method.load_base(checkpoints / family))
    batch = batch_of(checkpoints, family)

    def same(one, other) -> bool:
        found, expected = logits(one, batch), logits(other, batch)
        return (found - expected).abs().max() <= TOLERANCE * expected.abs().max()

    assert same(model, tuned)
    randomise(model)
    method.save(model, tmp_path / "own")
    loaded = method.load(checkpoints / family, tmp_path / "own")
    for beams in (1, 3):
        for cached in (True, False):
            assert compare(model, family, beams, cached) <= TOLERANCE, f"beams {beams}, cached {cached}"
            assert compare(loaded, family, beams, cached) <= TOLERANCE, f"loaded, beams {beams}, cached {cached}"
    assert same(loaded, model)


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_prefixes_of_peft_do_not_agree(checkpoints, compare, family):
    """The reason why prefix tuning is not peft's: what it generates is not what it was trained to."""
    from peft import PrefixTuningConfig, TaskType, get_peft_model

    method = make("full", family)
    model = get_peft_model(
        method.load_base(checkpoints / family),
        PrefixTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=4),
    )
    randomise(model)
    assert compare(model, family) > 1e-2


def test_prefixes_of_bart_need_attention_without_the_fused_kernel(injected, compare):
    _, model = injected("prefix", "bart", length=4)
    randomise(model)
    model.set_attn_implementation("sdpa")
    assert compare(model, "bart") > 1e-2


def test_a_run_that_generates_otherwise_than_it_was_trained_is_a_failed_row(tiny_study, monkeypatch):
    """One layer that does something else with a cached step than with whole targets."""
    from pathlib import Path

    from tunegrid.methods import METHODS as KINDS
    from tunegrid.methods.full import Full
    from tunegrid.runtime.attempts import Attempt
    from tunegrid.stages.train import train
    from tunegrid.study.cells import Cell, Run

    class Forgetful(Full):
        def inject(self, model):
            def shift(module, inputs, output):
                return output if output.shape[1] == 1 else output + 1.0

            model.decoder.block[0].layer[-1].DenseReluDense.register_forward_hook(shift)
            return model

    monkeypatch.setitem(KINDS, "full", Forgetful)
    study = tiny_study("training: {max_steps: 2}")
    record = train(study, Run(Cell("translation", "t5", "full"), 1), Path("out"), Attempt(1, 3))
    assert record.status == "failed"
    assert "generation disagrees with training" in record.reason
    assert list(Path("out/weights").iterdir()) == []


def test_a_model_without_finite_logits_is_named(checkpoints):
    from tunegrid.data.tokens import load_tokenizer
    from tunegrid.models.agreement import check_agreement
    from tunegrid.models.generate import NonFiniteLogits

    model = make("full", "t5").load_base(checkpoints / "t5")
    tokenizer = load_tokenizer(checkpoints / "t5")
    model.decoder.final_layer_norm.weight.data[0] = float("nan")
    with pytest.raises(NonFiniteLogits):
        check_agreement(model, tokenizer, [tokenizer("a dog")["input_ids"]], Generation(max_new_tokens=4))
