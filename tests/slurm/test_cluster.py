"""A small study on a real Slurm: `snakemake --profile slurm`, typed in the root of a clone, through to the report."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT
from tunegrid.report.latex import tex_engine
from tunegrid.study.cells import Cell
from tunegrid.study.load import load_study
from tunegrid.study.plan.jobs import Jobs

CLUSTER = Path(__file__).with_name("cluster.sh")
STUDY = ("config/pretrain-mini.yaml", "tests/slurm/small.yaml")
PROGRAMS = ("sbatch", "slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd")


def why_not() -> str:
    """Says why no test cluster can run here; empty if one can."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if missing := [program for program in PROGRAMS if not shutil.which(program, path=path)]:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm slurmdbd mariadb-server munge (.ci/run does)"
    if os.geteuid() != 0:
        return "a cluster can only be brought up by root"
    return "/etc/slurm/slurm.conf: this machine has a cluster" if Path("/etc/slurm/slurm.conf").exists() else ""


pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not())]
ON_GPU = ("pretrain_model", "train_sentiment_t5_lora", "evaluate", "evaluate_untuned")


def in_clone(folder: Path, *command: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"}
    return subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900
    )


@pytest.fixture(scope="module")
def cluster(request) -> Iterator[Path]:
    """Brings up a cluster with one node and one pretended GPU; yields its folder, which stays if a test fails."""
    # On a disk, as a database has it; the tests' other files may be in memory.
    folder = Path(tempfile.mkdtemp(prefix="tunegrid-cluster-", dir="/var/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        try:
            started = in_clone(ROOT, "bash", str(CLUSTER), "up", str(folder))
            assert started.returncode == 0, started.stdout
            yield folder
        finally:
            in_clone(ROOT, "bash", str(CLUSTER), "down", str(folder))
            if not request.session.testsfailed:
                shutil.rmtree(folder, ignore_errors=True)


@dataclass
class SlurmJob:
    """A line of sacct, times in seconds, memory in megabytes, the limit in minutes."""

    number: str
    comment: str
    state: str
    start: int
    end: int
    memory: int
    limit: int
    gpu: bool
    devices: set[str] = field(default_factory=set)  # CUDA_VISIBLE_DEVICES in its steps


def slurm_jobs(cluster: Path) -> list[SlurmJob]:
    columns = "JobIDRaw,Comment,State,Start,End,ReqMem,TimelimitRaw,AllocTRES"
    command = ["sacct", "--allocations", "--parsable2", "--noheader", f"--format={columns}"]
    text = subprocess.run(
        command, env=os.environ | {"SLURM_TIME_FORMAT": "%s"}, capture_output=True, text=True, check=True
    ).stdout
    jobs = {}
    for line in text.splitlines():
        number, comment, state, start, end, memory, limit, allocated = line.split("|")
        assert memory.endswith("M"), line
        jobs[number] = SlurmJob(
            number, comment, state, int(start), int(end), int(memory[:-1]), int(limit), "gres/gpu=1" in allocated
        )
    for line in (cluster / "devices.log").read_text().splitlines():
        jobs[line.split()[0]].devices.add(line.split()[-1])
    return list(jobs.values())


def clone(folder: Path) -> Path:
    """Copies the files of this project that a clone has into a folder."""
    listed = in_clone(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard")
    assert listed.returncode == 0, listed.stdout
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@dataclass
class Ran:
    folder: Path
    log: str
    jobs: list[SlurmJob]

    def of(self, start: str) -> list[SlurmJob]:
        return [job for job in self.jobs if job.comment.startswith(f"rule_{start}")]


@pytest.fixture(scope="module")
def study(cluster, tmp_path_factory) -> Ran:
    """The small study, run through. This machine has no GPU, so its jobs ask for one that they do not use; the rest of
    the profile is as it is, but for the patience: status checks every minute would take longer than the study."""
    folder = clone(tmp_path_factory.mktemp("clone"))
    asked = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())["set-resources"]
    for rule in ON_GPU:
        asked.setdefault(rule, {})["gpu"] = 1
    resources = [f"{rule}:{name}={value}" for rule, values in asked.items() for name, value in values.items()]
    quickly = ["--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10"]
    result = in_clone(
        folder, "snakemake", "--profile", "slurm", "--configfile", *STUDY, *quickly, "--set-resources", *resources
    )
    assert result.returncode == 0, result.stdout[-8000:]
    return Ran(folder, result.stdout, slurm_jobs(cluster))


def test_the_study_ends_with_its_report(study):
    report = study.folder / "results/small/report"
    assert (report / "report.tex").is_file()
    if tex_engine():
        assert (report / "report.pdf").read_bytes().startswith(b"%PDF")


def test_all_that_computes_went_through_sbatch_and_fetching_did_not(study):
    assert {job.state for job in study.jobs} == {"COMPLETED"}
    submitted = Counter(re.sub(r"_wildcards_.*", "", job.comment) for job in study.jobs)
    batches = ("baselines", "tokenise-t5", "untuned-t5", "evaluate-sentiment-t5-lora", "report")
    assert (submitted["rule_pretrain_model"], submitted["rule_train_sentiment_t5_lora"]) == (1, 1)
    assert sum(submitted.values()) == len(batches) + 2
    for batch in batches:
        assert len(study.of(batch)) == 1
    assert not study.of("fetch")
    assert (study.folder / "results/small/data/sentiment/card.json").is_file()  # it ran all the same


def test_jobs_with_a_gpu_ran_one_at_a_time_and_knew_their_device(study):
    on_gpu = sorted((job for job in study.jobs if job.gpu), key=lambda job: job.start)
    assert len(on_gpu) == 4
    for job, next_job in pairwise(on_gpu):
        assert job.end <= next_job.start
    assert {device for job in on_gpu for device in job.devices} == {"0"}
    others = [job for job in study.jobs if not job.gpu]
    assert {device for job in others for device in job.devices} == {"none"}


def test_memory_and_time_are_what_the_study_asks(study):
    jobs = Jobs(load_study(*(ROOT / file for file in STUDY)))
    cell = Cell("sentiment", "t5", "lora")
    for comment, planned, together in (
        ("pretrain_model", jobs.pretrain("t5"), 1),
        ("train_", jobs.train(cell), 1),
        ("tokenise", jobs.tokenise("sentiment", "t5"), 1),
        ("untuned", jobs.evaluate("sentiment", "t5"), 1),
        ("evaluate-", jobs.evaluate("sentiment", "t5", "lora"), 1),
        # A batch takes the time of all of its jobs, and the memory of one.
        ("baselines", jobs.baseline("sentiment"), len(jobs.study.task("sentiment").baselines())),
    ):
        for job in study.of(comment):
            assert (job.memory, job.limit) == (planned.mem_mb(1), planned.runtime(1) * together), comment
    assert len({job.memory for job in study.jobs}) > 4  # not all the least that a job gets


def test_a_wrong_account_ends_the_study_before_its_first_job(study, cluster):
    before = len(slurm_jobs(cluster))
    wrong = ["--default-resources", "slurm_account=nobody", "mem_mb=2000"]
    result = in_clone(
        study.folder, "snakemake", "--profile", "slurm", "--configfile", *STUDY, "--forcerun", "tables", *wrong
    )
    assert result.returncode != 0
    assert "Invalid account or account/partition combination" in result.stdout
    assert "slurm_account: …" in result.stdout
    assert "Traceback" not in result.stdout
    assert len(slurm_jobs(cluster)) == before
