"""The Slurm profile as Snakemake reads it: its rules exist, GPUs are asked for where the study has them, short jobs go in
batches. Needs no Slurm: nothing is submitted. tests/slurm runs it on a cluster."""

import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import yaml

from tests.support.running import ROOT, Workflow

PROFILE = yaml.safe_load((ROOT / "slurm" / "config.yaml").read_text())
ON_GPU = re.compile(r"pretrain_model|search_trial|train_\w|evaluate$|evaluate_untuned")
LOCAL = {"all", "fetch_data", "fetch_model", "choose_learning_rate"}


class Plan:
    """What Snakemake would submit with the profile, from a dry run."""

    def __init__(self, folder: Path, *configs: str) -> None:
        for name in ("config", "slurm"):
            shutil.copytree(ROOT / name, folder / name)
        workflow = Workflow(folder)
        arguments = ["--configfile", *configs] if configs else []
        result = workflow.snakemake("--dry-run", "-p", "--profile", "slurm", *arguments)
        assert result.returncode == 0, result.stdout
        self.text = result.stdout
        self.resources = defaultdict(list)  # rule -> resources of each of its jobs
        self.rules, rule = Counter(), None
        for line in self.text.splitlines():
            if found := re.fullmatch(r" *(?:local)?rule (\S+):", line):
                rule = found[1]
                self.rules[rule] += 1
            elif line.strip().startswith("resources:"):
                self.resources[rule].append(dict(re.findall(r"(\w+)=([^,]+)", line)))
        self.batches = re.findall(r"Group job (\S+)", self.text)


@pytest.fixture(scope="module")
def paper(tmp_path_factory) -> Plan:
    return Plan(tmp_path_factory.mktemp("paper"))


def test_every_rule_that_the_profile_names_exists():
    # Snakemake ignores names that it does not know without a word.
    named = set(PROFILE["groups"]) | set(PROFILE["set-resources"])
    files = (ROOT / "workflow" / "rules").glob("*.smk")
    assert named <= {name for file in files for name in re.findall(r"^rule (\w+):$", file.read_text(), re.MULTILINE)}


def test_every_batch_that_the_profile_describes_is_one_of_its_groups():
    assert set(PROFILE["group-components"]) <= set(PROFILE["groups"].values())
    # Its jobs take turns: otherwise a batch would ask for the memory and the GPUs of all of them at once.
    batched = {rule for rule, group in PROFILE["groups"].items() if group in PROFILE["group-components"]}
    assert {rule for rule, values in PROFILE["set-resources"].items() if values.get("slot") == 1} == batched
    assert PROFILE["resources"] == {"slot": 1}
    assert PROFILE["set-resource-scopes"] == {"slot": "local"}


def test_jobs_have_a_gpu_where_the_study_has_one_and_no_others(paper, tmp_path):
    assert any(rule.startswith("train_") for rule in paper.rules)
    for rule, jobs in paper.resources.items():
        assert {job.get("gpu") for job in jobs} == ({"1"} if ON_GPU.match(rule) else {None}), rule
    on_cpu = Plan(tmp_path, "config/mini.yaml")
    assert {job.get("gpu", "0") for jobs in on_cpu.resources.values() for job in jobs} == {"0"}


def test_every_submitted_job_is_told_before_its_time_is_up(paper):
    for rule, jobs in paper.resources.items():
        if rule not in LOCAL:
            assert {job["slurm_extra"] for job in jobs} == {"--signal=TERM@120"}
            assert min(int(job["runtime"]) for job in jobs) >= 10  # or the signal would be most of it


def test_the_paper_study_is_143_submissions_and_not_267(paper):
    jobs = sum(count for rule, count in paper.rules.items() if rule not in LOCAL)
    in_batches = sum(paper.rules[rule] for rule in PROFILE["groups"])
    assert jobs == 267
    assert len(paper.batches) + jobs - in_batches == 143
    # A training is a job of its own.
    assert not [rule for rule in PROFILE["groups"] if rule.startswith(("train_", "pretrain_"))]


def test_a_batch_holds_the_seeds_of_one_cell(paper):
    lines = paper.text.split("Group job evaluate-qa-t5-base-lora")[1].split("Group job")[0]
    batch = re.findall(r"wildcards: task=(\S+), model=(\S+), method=(\S+), seed=(\d)", lines)[:3]
    assert sorted(batch) == [("qa", "t5-base", "lora", str(seed)) for seed in (1, 2, 3)]
