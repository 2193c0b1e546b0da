"""Any tuner of peft by its name: settings are checked, sizes fit, counts are planned, merged models are the same."""

import json

import pytest

from tests.support import slow_but_a_third
from tests.support.methods_on_checkpoints import (
    FAMILY_NAMES,
    batch_of,
    logits,
    make,
    randomise,
    shape_of,
)
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import METHODS
from tunegrid.methods.tuners import tuners
from tunegrid.models import FAMILIES, Shape
from tunegrid.models.shape import known_config
from tunegrid.study.checks import check_files

SMALL = {"OFT": {"oft_block_size": 4}, "SHIRA": {"r": 2}, "P_TUNING": {"num_virtual_tokens": 4}}


def peft(family: str, tuner: str, **settings):
    return make("peft", family, tuner=tuner, settings=settings or SMALL.get(tuner, {}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{kind: peft, tuner: MISS, settings: {r: 1000}}", "`r` (1000) must be less than or equal to in_features (16)"),
        ("{kind: peft, tuner: OFT, settings: {oft_block_size: 7}}", "`oft_block_size` (7) does not fit "),
        ("{kind: peft, tuner: OFT, settings: {oft_block_size: 0, r: 3}}", "`r` (3) does not fit "),
        ("{kind: peft, tuner: BOFT, settings: {boft_block_size: 7}}", "7"),
        ("{kind: peft, tuner: LOHA, settings: {r: -1}}", "-1"),
    ],
)
def test_settings_that_do_not_fit_the_sizes_of_a_model_are_refused_before_any_job(tiny_study, settings, message):
    study = tiny_study(f"{{grid: {{models: [t5], methods: [own]}}, methods: {{own: {settings}}}}}")
    with pytest.raises(TuneGridError) as caught:
        check_files(study)
    assert str(caught.value).startswith("methods.own: does not fit t5 (")
    assert message in str(caught.value)


def test_planning_leaves_random_numbers_alone(checkpoints):
    """Or a run would depend on whether its process had planned before."""
    import torch

    method = peft("t5", "SHIRA")
    shape = shape_of(method, method.load_base(checkpoints / "t5"))
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert method.trainable_count(shape)
    assert peft("t5", "IA3").trainable_count(shape)
    assert torch.equal(torch.rand(2), expected)


def test_counts_of_real_models_are_those_of_arithmetic():
    shape = Shape.from_config(FAMILIES["t5"], known_config("google-t5/t5-base"))
    # IA3: a scale for each output of k and v in 36 attentions, and for each input of wo in 24 blocks.
    method = peft("t5", "IA3")
    assert method.trainable_count(shape) == method.added_count(shape) == 36 * 2 * 768 + 24 * 3072
    assert method.expected_modules(shape) == 36 * 2 + 24
    assert peft("t5", "LORA", r=4).trainable_count(shape) == make("lora", "t5", r=4, targets=["query", "value"]).trainable_count(shape)  # fmt: skip
    assert peft("t5", "LN_TUNING").trainable_count(shape) == 62 * 768
    # From models of few layers: r times the sum of both sides in each of 72 layers.
    assert peft("t5", "SHIRA", r=2).trainable_count(shape) == 72 * 2 * (768 + 768)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_lora_by_its_name_is_the_method_lora(checkpoints, family):
    import numpy as np

    results = []
    for method in (
        peft(family, "LORA", r=4, lora_alpha=8),
        make("lora", family, r=4, alpha=8, dropout=0.0, targets=["query", "value"]),
    ):
        model = method.inject(method.load_base(checkpoints / family))
        randomise(model)
        shape = shape_of(method, model)
        results.append(
            (logits(model, batch_of(checkpoints, family)), method.stacks(shape), method.expected_modules(shape))
        )
        assert method.counted(model) == method.stacks(shape)
    np.testing.assert_allclose(results[0][0], results[1][0], atol=1e-5)
    assert results[0][1:] == results[1][1:]


@pytest.mark.parametrize(
    ("tuner", "family"), slow_but_a_third(["IA3", "OFT", "VERA", "P_TUNING", "LN_TUNING"], FAMILY_NAMES)
)
def test_a_run_trains_and_is_evaluated(tiny_study, family, tuner):
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.train import train
    from tunegrid.study.cells import Cell, Run

    settings = {"kind": "peft", "tuner": tuner, "settings": SMALL.get(tuner, {})}
    changes = {"grid": {"methods": ["own"]}, "methods": {"own": settings}, "training": {"max_steps": 3}}
    study = tiny_study(json.dumps(changes))
    run = Run(Cell("qa", family, "own"), 1)
    folder = study.paths.run(run)
    record = train(study, run, folder)
    assert (record.status, record.reason) == ("ok", None)
    shape = study.shape(family)
    if shape:
        assert record.parameters.trainable == study.method(run.cell).trainable_count(shape)
    assert evaluate_run(study, run, folder).status == "ok"


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize("tuner", ["IA3", "LOHA", "VERA", "LN_TUNING"])
def test_what_is_saved_and_merged_gives_the_same_logits(checkpoints, tmp_path, family, tuner):
    import numpy as np

    method = peft(family, tuner)
    model = method.inject(method.load_base(checkpoints / family))
    randomise(model)
    expected = logits(model, batch_of(checkpoints, family))
    method.save(model, tmp_path)
    again = method.load(checkpoints / family, tmp_path)
    assert np.array_equal(logits(again, batch_of(checkpoints, family)), expected)
    merged = method.merge(again)
    assert not [name for name, _ in merged.named_parameters() if tuner.lower() in name]
    difference = np.abs(logits(merged, batch_of(checkpoints, family)) - expected.numpy())
    assert difference.max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("family", FAMILIES)
def test_families_built_alike_share_what_was_found(family):
    settings = METHODS["peft"].Settings(kind="peft", tuner="LILY")
    assert METHODS["peft"].why_not(settings, FAMILIES[family])


def test_most_tuners_work_with_every_family():
    works = [
        name for name, tuner in tuners("peft").tuners.items() if not any(v.failed for v in tuner.families.values())
    ]
    assert len(works) >= 30
    assert {"IA3", "OFT", "LOHA", "LOKR", "VERA", "LORA", "BOFT"} <= {*works}
    assert not {"PREFIX_TUNING", "LILY", "CARTRIDGE"} & {*works}


def test_a_switch_that_was_not_tried_is_not_merged():
    lora = tuners("peft").tuners["LORA"]
    assert lora.switched({"use_dora": True})
    assert not lora.switched({"use_dora": False, "r": 3})
    assert peft("t5", "LORA", use_dora=True).merge(None) is None
