"""A real run on pretended GPUs, whose jobs compute on the CPU."""

import os
import subprocess
import sys

import pytest
import yaml

from tests.support import slow_except
from tests.support.running import PRETRAINING, ROOT, TINY, Workflow
from tunegrid.results.records import TrainRecord, read_record
from tunegrid.runtime import gpus

VALUES = {
    "study": "gpus",
    "seeds": [1, 2],
    "hardware": {"device": "cuda"},
    "grid": {"tasks": ["sentiment"], "models": ["t5"], "methods": ["full", "lora"], "exclude": []},
}


@pytest.fixture
def study(tmp_path, monkeypatch) -> Workflow:
    for name in (gpus.PRETEND, gpus.VISIBLE, gpus.LOG):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(gpus.LOCKS, str(tmp_path / "locks"))
    (tmp_path / "gpus.yaml").write_text(yaml.safe_dump(VALUES))
    return Workflow(tmp_path, PRETRAINING, TINY, tmp_path / "gpus.yaml")


@pytest.mark.slow
def test_as_many_jobs_as_gpus_run_at_once_each_on_its_own(study, monkeypatch):
    log = study.folder / "log"
    monkeypatch.setenv(gpus.PRETEND, "2")
    monkeypatch.setenv(gpus.LOG, str(log))
    records = [
        f"results/gpus/runs/sentiment/t5/{method}/seed-{seed}/train.json"
        for method in ("full", "lora")
        for seed in (1, 2)
    ]
    result = study.snakemake(*records, "--cores", "4")  # cores for more jobs than there are GPUs
    assert result.returncode == 0, result.stdout[-5000:]
    held, events = {}, []
    for line in log.read_text().splitlines():
        _, what, device, _, process = line.split()
        if what == "lease":
            assert device not in held.values(), "two jobs on one GPU"
            held[process] = device
        else:
            assert held.pop(process) == device
        events.append(len(held))
    assert events.count(2) >= 2
    assert max(events) == 2
    assert len(events) == 2 * (1 + len(records))  # the pretraining and the trainings, no other job
    devices = set()
    for record in records:
        trained = read_record(study.folder / record, TrainRecord)
        assert trained.status == "ok"
        assert trained.provenance.accelerator.endswith(": no GPU, computed on the CPU")
        devices.add(trained.provenance.accelerator.split(":")[0])
    assert devices == {"GPU-pretend-0", "GPU-pretend-1"}
    # Snakemake starts no job that would only wait for a GPU.
    assert not [file for file in study.folder.glob("results/**/*.log") if "waiting" in file.read_text()]


@pytest.mark.slow
def test_a_study_for_a_gpu_ends_before_any_job_where_there_is_none(study, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    result = study.snakemake()
    assert result.returncode != 0
    assert "hardware.device is cuda, but no GPU can be used here" in result.stdout
    assert "Set it to cpu" in result.stdout
    assert "Traceback" not in result.stdout
    assert not (study.folder / "results").exists()
    assert not list(study.folder.glob(".snakemake/locks/*"))
    # What would run can be asked anywhere, and what needs no GPU runs.
    assert study.planned()["train_sentiment_t5_full"] == 2
    assert study.snakemake("results/gpus/data/sentiment/card.json").returncode == 0


LIMIT = f"""
import sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

nodes, given, *configs = sys.argv[1:]
resources = ResourceSettings(cores=8, nodes=int(nodes) or None, resources={{"gpu": int(given)}} if int(given) else {{}})
with SnakemakeApi(OutputSettings(quiet={{Quietness.ALL}})) as api:
    workflow = api.workflow(
        resource_settings=resources,
        config_settings=ConfigSettings(configfiles=[Path(config) for config in configs]),
        snakefile=Path({str(ROOT / "Snakefile")!r}),
    )
    workflow.dag(DAGSettings())
    print("gpu:", workflow._workflow.global_resources.get("gpu").value)
"""


LIMITS = [
    (0, 0, "2"),
    (0, 1, "1"),  # --resources gpu=1
    (100, 0, "None"),  # a cluster: --jobs 100
]


@pytest.mark.parametrize(("nodes", "given", "limit"), slow_except(LIMITS[0], LIMITS))
def test_only_a_workstation_limits_the_jobs_on_gpus_and_only_where_the_user_does_not(
    study, monkeypatch, nodes, given, limit
):
    monkeypatch.setenv(gpus.PRETEND, "2")
    command = [sys.executable, "-c", LIMIT, str(nodes), str(given), *map(str, study.configs)]
    result = subprocess.run(command, cwd=study.folder, env=os.environ, capture_output=True, text=True)
    assert f"gpu: {limit}" in result.stdout.splitlines(), result.stderr
