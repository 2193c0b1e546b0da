"""The checks before the first job of a workflow; what Snakemake makes of them is tried in tests/workflow."""

import logging
import socket
import tempfile
from types import SimpleNamespace

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.runtime import gpus
from tunegrid.stages import workflow as stage
from tunegrid.study.load import load_study


class Snakemake:
    """What the stage uses of Snakemake's workflow object."""

    is_main_process = local_exec = True
    configfiles = ()

    def __init__(self, nodes=None, gpu=None, jobs=(), executor="local") -> None:
        self.resource_settings = SimpleNamespace(nodes=nodes, cores=4)
        self.global_resources = {"gpu": SimpleNamespace(value=gpu)}
        self.dag = SimpleNamespace(needrun_jobs=lambda: jobs)
        self.scheduler = SimpleNamespace(job_rate_limiter=None)
        self.executor_plugin = SimpleNamespace(name=executor)
        self.registered = {}

    def register_resource(self, name, value):
        self.registered[name] = value


def on(study, device):
    return study.model_copy(update={"hardware": study.hardware.model_copy(update={"device": device})})


@pytest.mark.parametrize(
    ("device", "settings", "limit"),
    [
        ("cuda", {}, {"gpu": 2}),
        ("cuda", {"gpu": 1}, {}),  # --resources gpu=1
        ("cuda", {"nodes": 100}, {}),  # a cluster
        ("cpu", {}, {}),
    ],
)
def test_a_workstation_limits_the_jobs_on_gpus(tiny, monkeypatch, device, settings, limit):
    monkeypatch.setenv(gpus.PRETEND, "2")
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    snakemake = Snakemake(**settings)
    stage.limit_gpus(snakemake, on(load_study(tiny), device))
    assert snakemake.registered == limit


def test_a_gpu_is_required_only_where_a_job_asks_for_one(tiny, monkeypatch):
    def refuse():
        raise TuneGridError("no GPU")

    monkeypatch.setattr(gpus, "require", refuse)
    study = on(load_study(tiny), "cuda")
    asking, other = SimpleNamespace(resources={"gpu": 1}), SimpleNamespace(resources={})
    with pytest.raises(TuneGridError, match="no GPU"):
        stage._require_gpu(Snakemake(jobs=[other, asking]), study)
    stage._require_gpu(Snakemake(jobs=[other]), study)
    stage._require_gpu(Snakemake(jobs=[asking]), on(study, "cpu"))


def test_slurm_is_asked_about_the_jobs_that_it_would_get(tiny, monkeypatch):
    requested = []
    monkeypatch.setattr(stage, "request", lambda resources, threads: (resources["mem_mb"], threads))
    monkeypatch.setattr(stage, "check_requests", lambda requests: requested.extend(requests) or ["a warning"])
    jobs = [
        SimpleNamespace(is_local=local, resources={"mem_mb": memory}, threads=2)
        for local, memory in ((True, 1000), (False, 2000))
    ]
    assert stage._check_scheduler(Snakemake(jobs=jobs, executor="slurm")) == ["a warning"]
    assert requested == [(2000, 2)]
    assert stage._check_scheduler(Snakemake(jobs=jobs)) == []


def test_a_study_is_not_changed_on_the_command_line(tiny):
    with pytest.raises(TuneGridError, match="changed in its file, not with --config"):
        stage.read_study([tiny], {"title": "other"})


def test_the_start_announces_the_size_of_the_study(tiny, monkeypatch, caplog):
    for name in ("hold", "_start_warm_process", "check_disk"):
        monkeypatch.setattr(stage, name, lambda *_: None)
    monkeypatch.setattr(stage.parent, "announce", lambda: None)
    monkeypatch.setattr(stage, "tex_engine", lambda: None)
    with caplog.at_level(logging.INFO):
        stage.start(Snakemake(), study := load_study(tiny), SimpleNamespace(estimator=None), logging.getLogger("test"))
    assert f"27 cells x {len(study.seeds)} seeds. Results: results/tiny/" in caplog.text
    assert "without a PDF" in caplog.text


def test_the_scheduler_keeps_only_a_limit_that_a_person_has_set():
    for jobs, seconds, stays in ((100, 1, False), (10, 60, True)):
        snakemake = Snakemake()
        limiter = snakemake.scheduler.job_rate_limiter = SimpleNamespace(max_jobs=jobs, timespan=seconds)
        stage._stop_polling(snakemake)
        assert snakemake.scheduler.job_rate_limiter is (limiter if stays else None)


def test_a_long_path_of_temporary_files_is_no_obstacle_to_the_warm_process(tmp_path, monkeypatch):
    """A socket's path has 108 bytes at most."""
    long = tmp_path / ("ü" * 60)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = stage._socket_folder()
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(folder / "socket"))
    finally:
        (folder / "socket").unlink(missing_ok=True)
        folder.rmdir()
    assert list(long.iterdir()) == []
