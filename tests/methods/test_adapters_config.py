"""Configurations of the adapters library by their text: read, refused, counted, saved and merged."""

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from tests.support import ROOT
from tests.support.methods_on_checkpoints import FAMILY_NAMES, batch_of, logits, make, randomise, shape_of
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import METHODS
from tunegrid.methods.adapters_configs import library_config, read_config
from tunegrid.methods.tuners import tuners
from tunegrid.models import FAMILIES, Shape
from tunegrid.models.shape import known_config
from tunegrid.study.checks import check_files

CONFIGS = (
    "par_bn",
    "seq_bn_inv",
    "compacter++[reduction_factor=4]",
    "prefix_tuning_flat[prefix_length=3]|par_bn",
    "ia3",
)


def settings(**values):
    return METHODS["adapters"].Settings(kind="adapters", **values)


def by_config(family: str, config: str):
    return make("adapters", family, config=config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("parbn", "unknown: 'parbn'. Did you mean par_bn?"),
        ("Par_BN", "unknown: 'Par_BN'. Did you mean"),
        ("par_bn[reduction=4]", "`reduction`: unknown key. Did you mean reduction_factor?"),
        ("par_bn[reduction_factor='x']", "`reduction_factor`: number expected (found 'x') (par_bn)"),
        ("par_bn[reduction_factor=-2]", "`reduction_factor`: a number of at least 0.01 expected (found -2)"),
        ("par_bn[dropout=1]", "`dropout`: a number below 1 expected"),
        ("par_bn[non_linearity='relo']", "`non_linearity`: unknown: 'relo'. Did you mean relu?"),
        ("lora[attn_matrices=['q', 'w']]", "`attn_matrices`: unknown: 'w'."),
        ("lora[attn_matrices=[]]", "`attn_matrices`: different entries expected, one at least"),
        ("lora[r=8, r=4]", "a setting stands there twice"),
        ("lora[8]", "settings are written as in Python"),
        ("lora[r=open('x')]", "settings are written as in Python"),
        ("lora[r=8", "is no configuration: NAME, or NAME[SETTING=VALUE, ...] expected"),
        ("par_bn|", "'' is no configuration"),
        ("", "'' is no configuration"),
        ("lora[use_gating=True]", "`use_gating`: unknown key"),
        ("config/mini.yaml", "unknown: 'config/mini.yaml'"),
    ],
)
def test_a_text_that_is_no_configuration_is_refused_with_what_is_valid(config, message):
    with pytest.raises(ValidationError) as caught:
        settings(config=config)
    assert message in str(caught.value)


def test_settings_of_the_bottlenecks_do_not_go_with_a_configuration():
    with pytest.raises(ValidationError, match=r"`config` has its settings in brackets: `par_bn\[dropout=…\]`"):
        settings(config="par_bn", dropout=0.1)


def test_settings_without_effect_are_no_part_of_a_run():
    """So that runs of the bottlenecks are those that they were before there were configurations."""
    assert settings(reduction_factor=2).model_dump(exclude={"title"}) == {
        "kind": "adapters", "reduction_factor": 2, "non_linearity": "swish", "scaling": 1.0, "dropout": 0.0,
    }  # fmt: skip
    assert settings(config="par_bn").model_dump(exclude={"title"}) == {"kind": "adapters", "config": "par_bn"}


@pytest.mark.parametrize(
    "text",
    [
        *tuners("adapters").tuners,
        *CONFIGS,
        " par_bn [reduction_factor=4.0]".strip().replace(" [", "["),
        "lora[r=4, alpha=16, attn_matrices=['q', 'k', 'v'], use_dora=True]",
        "seq_bn[reduction_factor=8,]|lora[r=2]",
        "par_bn[]",
        "par_bn['reduction_factor': 4]",
        "scaled_par_bn[scaling='channel', non_linearity='gelu']",
    ],
)
def test_a_text_is_read_as_the_library_reads_it(text):
    from adapters.utils import parse_adapter_config_string

    assert parse_adapter_config_string(text) == [(part.name, part.settings) for part in read_config(text)]
    library_config(text)


@pytest.mark.parametrize("text", ["par_bn|seq_bn", "mam|lora", "lora|dora"])
def test_what_the_library_does_not_join_is_refused_before_any_job(tiny_study, text):
    study = tiny_study(json.dumps({"grid": {"models": ["t5"], "methods": ["own"]}, "methods": {"own": {"kind": "adapters", "config": text}}}))  # fmt: skip
    with pytest.raises(TuneGridError, match=r"methods.own: does not fit t5 \("):
        check_files(study)


@pytest.mark.parametrize("text", ["compacter", "par_bn[scaling=4]"])
def test_what_the_library_cannot_build_for_a_model_is_refused_before_any_job(tiny_study, text):
    study = tiny_study(json.dumps({"grid": {"models": ["t5"], "methods": ["own"]}, "methods": {"own": {"kind": "adapters", "config": text}}}))  # fmt: skip
    with pytest.raises(TuneGridError, match=r"methods.own: does not fit t5 \(.*of adapters: .*(phm_dim|scaling)"):
        check_files(study)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["unipelt", "noreft", "loreft", "direft"])
def test_what_generates_otherwise_than_it_was_trained_is_refused(family, name):
    reason = METHODS["adapters"].why_not(settings(config=f"par_bn|{name}"), FAMILIES[family])
    assert "what it generates is not what it was trained to" in reason


def test_counts_of_real_models_are_those_of_arithmetic():
    shape = Shape.from_config(FAMILIES["t5"], known_config("google-t5/t5-base"))  # 12 + 12 layers, width 768
    bottleneck = 2 * 768 * 384 + 384 + 768
    prefix = 36 * 30 * 2 * 768
    coupling = 2 * (384 * 192 + 192 + 192 * 384 + 384)  # two networks over half of the width each
    cases = {
        "par_bn": (24 * bottleneck, 24),
        "scaled_par_bn": (24 * (bottleneck + 1), 24),
        "seq_bn_inv[reduction_factor=2]": (24 * bottleneck + coupling, 25),
        "prefix_tuning_flat": (prefix, 36),
        "prefix_tuning_flat|par_bn": (prefix + 24 * bottleneck, 60),
        "lora": (36 * 2 * 8 * (768 + 768), 72),
        "lora[r=4, attn_matrices=['q', 'k', 'v'], output_lora=True]": (36 * 3 * 4 * 1536 + 24 * 4 * (768 + 3072), 132),
        "ia3": (36 * 2 * 768 + 24 * 3072, 96),
    }
    for config, (parameters, modules) in cases.items():
        method = by_config("t5", config)
        assert (method.trainable_count(shape), method.expected_modules(shape)) == (parameters, modules), config
        assert method.added_count(shape) == parameters
        encoder, decoder = method.activation_bytes(shape, 100, 20)
        assert 0 < encoder < 1e9
        assert 0 < decoder < 1e9


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_the_bottlenecks_by_their_name_are_the_method_adapters(checkpoints, family):
    import numpy as np

    results = []
    for method in (
        by_config(family, "double_seq_bn[reduction_factor=4]"),
        make("adapters", family, reduction_factor=4),
    ):
        model = method.inject(method.load_base(checkpoints / family))
        randomise(model)
        shape = shape_of(method, model)
        counts = (method.trainable_count(shape), method.stacks(shape), method.expected_modules(shape))
        results.append((logits(model, batch_of(checkpoints, family)).numpy(), counts, method.counted(model)))
    assert np.array_equal(results[0][0], results[1][0])
    assert results[0][1:] == results[1][1:]


@pytest.mark.parametrize("family", FAMILY_NAMES)
@pytest.mark.parametrize("config", ["vera", "compacter++[reduction_factor=4]", "mam", "dora", "ia3"])
def test_what_is_saved_and_merged_gives_the_same_logits(checkpoints, tmp_path, family, config):
    import numpy as np
    import torch

    method = by_config(family, config)
    model = method.inject(method.load_base(checkpoints / family))
    randomise(model)
    expected = logits(model, batch_of(checkpoints, family))
    method.save(model, tmp_path)
    torch.manual_seed(7)  # what all layers share is drawn at random, and has to be that of the file
    again = method.load(checkpoints / family, tmp_path)
    difference = np.abs(logits(again, batch_of(checkpoints, family)) - expected.numpy())
    assert difference.max() <= 1e-5 * expected.abs().max()
    merged = method.merge(again)
    assert (merged is None) == (config in ("compacter++[reduction_factor=4]", "mam"))
    if merged is not None:
        assert merged.state_dict().keys() == method.load_base(checkpoints / family).state_dict().keys()
        difference = np.abs(logits(merged, batch_of(checkpoints, family)) - expected.numpy())
        assert difference.max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize(("family", "config"), [("t5", "mam"), ("flan-t5", "par_bn"), ("bart", "mam"), ("bart", "ia3")])
def test_a_run_trains_and_is_evaluated(tiny_study, family, config):
    from tunegrid.stages.evaluate import evaluate_run
    from tunegrid.stages.train import train
    from tunegrid.study.cells import Cell, Run

    changes = {
        "grid": {"methods": ["own"]},
        "methods": {"own": {"kind": "adapters", "config": config}},
        "training": {"max_steps": 3},
    }
    study = tiny_study(json.dumps(changes))
    run = Run(Cell("qa", family, "own"), 1)
    folder = study.paths.run(run)
    record = train(study, run, folder)
    assert (record.status, record.reason) == ("ok", None)
    assert record.parameters.trainable == study.method(run.cell).trainable_count(study.shape(family))
    assert evaluate_run(study, run, folder).status == "ok"
    assert study.title_of("methods", "own") == config


def test_most_configurations_work_with_every_family():
    works = [
        name for name, tuner in tuners("adapters").tuners.items() if not any(v.failed for v in tuner.families.values())
    ]
    assert len(works) >= 20
    assert {"par_bn", "compacter++", "double_seq_bn", "mam", "prefix_tuning", "ia3", "vera"} <= {*works}


def test_a_check_prints_no_warning_of_the_libraries_that_it_asks(tmp_path):
    """They warn that no adapter is active, just before one is, and of kernels that they would like to download."""
    overlay = tmp_path / "overlay.yaml"
    methods = '{compact: {kind: adapters, config: "compacter++[reduction_factor=8]"}, oft: {kind: peft, tuner: OFT}}'
    overlay.write_text(f"{{grid: {{methods: [compact, oft]}}, methods: {methods}}}")
    command = [sys.executable, "-m", "tunegrid", "check", "config/mini.yaml", str(overlay)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
