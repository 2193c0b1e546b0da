"""What Slurm is asked before the first job, and what is made of its answers."""

import os
from pathlib import Path

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.runtime.slurm import Request, check_requests, largest, request


@pytest.fixture
def sbatch(tmp_path, monkeypatch):
    """An sbatch that gives one answer and notes what it was asked; the real one is met in tests/slurm."""

    def answers(words: str, code: int) -> Path:
        program, asked = tmp_path / "sbatch", tmp_path / "asked"
        program.write_text(f'#!/bin/sh\necho "$@" >>{asked}\necho "{words}" >&2\nexit {code}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return asked

    return answers


GPU_JOB = Request(partition="gpu", account="mine", gpus=1, minutes=90, megabytes=9000, cpus=4)


def test_a_job_is_asked_about_as_the_plugin_submits_it():
    resources = {"slurm_partition": "gpu", "slurm_account": "mine,other", "gpu": 1, "runtime": 90, "mem_mb": 9000}
    assert request(resources, threads=4) == GPU_JOB
    assert GPU_JOB.arguments() == [
        "--partition=gpu",
        "--account=mine",
        "--gpus=1",
        "--time=90",
        "--mem=9000",
        "--cpus-per-task=4",
    ]
    assert request({"gpu_model": "a100", "mem_mb": "<TBD>"}, threads=1).arguments() == [
        "--gpus=a100:1",
        "--cpus-per-task=1",
    ]


def test_of_each_kind_the_largest_is_asked_about():
    small, long = Request(minutes=10, megabytes=4000), Request(minutes=90, megabytes=2000, cpus=2)
    assert largest([small, GPU_JOB, long]) == [Request(minutes=90, megabytes=4000, cpus=2), GPU_JOB]


def test_jobs_that_slurm_takes_are_no_matter(sbatch):
    asked = sbatch("sbatch: Job 7 to start at 2026-01-01T00:00:00", 0)
    assert check_requests([Request(), GPU_JOB, GPU_JOB]) == []
    first, second = asked.read_text().splitlines()
    assert "--test-only" in first
    assert "--partition=gpu --account=mine --gpus=1" in second


@pytest.mark.parametrize(
    "said",
    [
        "allocation failure: Invalid account or account/partition combination specified",
        "sbatch: error: invalid partition specified: nope",
        "allocation failure: No partition specified or system default partition",
        "allocation failure: Requested time limit is invalid (missing or exceeds some limit)",
    ],
)
def test_what_slurm_will_never_take_ends_the_study_with_its_words_and_what_to_set(sbatch, said):
    sbatch(said, 1)
    with pytest.raises(TuneGridError) as error:
        check_requests([GPU_JOB])
    assert said in str(error.value)
    assert "--account=mine" in str(error.value)
    assert "slurm_account" in str(error.value)
    assert "slurm/config.yaml" in str(error.value)


def test_what_may_be_otherwise_tomorrow_is_a_warning(sbatch):
    sbatch("allocation failure: Requested node configuration is not available", 1)
    (warning,) = check_requests([GPU_JOB])
    assert "not available" in warning


def test_a_slurm_that_does_not_answer_is_no_obstacle(sbatch, monkeypatch, tmp_path):
    sbatch("", 0)
    (tmp_path / "sbatch").write_text("#!/bin/sh\nexec sleep 5\n")
    monkeypatch.setattr("tunegrid.runtime.slurm.PATIENCE", 0.2)
    (warning,) = check_requests([Request(), GPU_JOB])
    assert "could not be asked" in warning
    monkeypatch.setenv("PATH", "/nonexistent")
    assert check_requests([GPU_JOB]) == []
