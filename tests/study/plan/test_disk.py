"""Disk of a plan: by hand, and the refusal of a study that does not fit."""

import re

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.runtime.device_models import GPUS, assumed_cpu
from tunegrid.study.plan.cells import Estimator
from tunegrid.study.plan.disk import IGNORE, check_disk, disk


def test_disk_by_hand(paper):
    changes = "seeds: [1, 2]\ngrid: {tasks: [qa], models: [t5-base], methods: [full]}"
    needs = disk(Estimator(paper(changes), GPUS["h100"])).needs
    assert needs["weights"] == 2 * 4 * 222_903_552
    assert needs["models"] == pytest.approx(4 * 222_903_552, rel=0.01)
    assert needs["checkpoints"] == 0
    # 98,169 rows of 133 words of about six bytes, compressed.
    assert needs["cache"] == pytest.approx(98_169 * 133.2 * 6.3 * 0.6, rel=0.01)
    kept = "training: {checkpoint_steps: 100}\n"
    one, two = (disk(Estimator(paper(kept + changes), GPUS["h100"]), jobs).needs["checkpoints"] for jobs in (1, 2))
    assert one == 3 * 12 * 222_903_552  # two kept and one being written, weights and two moments
    assert two == 2 * one
    kept = "training: {checkpoints: 10, checkpoints_kept: 5, keep_checkpoints: always}\n"
    assert disk(Estimator(paper(kept + changes), GPUS["h100"])).needs["checkpoints"] == 2 * 6 * 12 * 222_903_552


def test_what_is_there_needs_no_disk(tiny_study):
    estimator = Estimator(tiny_study(), assumed_cpu(1, "fp32"))
    needs, whole = disk(estimator).needs, disk(estimator, fresh=True).needs
    assert (needs["data"], needs["models"], needs["tokens"]) == (0, 0, 0)
    assert min(whole["data"], whole["models"], whole["tokens"]) > 0
    assert needs["weights"] == whole["weights"] > 0


def test_a_study_that_does_not_fit_is_refused_with_what_to_do(paper, monkeypatch):
    one = "grid: {tasks: [sentiment, qa], models: [t5-base], methods: [full]}"
    check_disk(Estimator(paper("grid: {tasks: [sentiment], models: [flan-t5-small], methods: [lora]}"), GPUS["h100"]))
    study = paper(one).model_copy(update={"seeds": list(range(20_000))})  # 34 TB of weights
    estimator = Estimator(study, GPUS["h100"])
    with pytest.raises(TuneGridError) as error:
        check_disk(estimator)
    message = str(error.value)
    assert re.search(r"about [\d,.]+ TiB more are needed under results/paper/ \(.*weights [\d.,]+ TiB", message)
    for word in ("are free", "tunegrid clean", "checkpoint", IGNORE):
        assert word in message
    monkeypatch.setenv(IGNORE, "1")
    check_disk(estimator)
