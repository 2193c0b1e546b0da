"""`tunegrid status` on folders that real, very small runs have made, and on one that is at work."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.diverging import DIVERGING
from tests.support.processes import tunegrid
from tunegrid.cli import main
from tunegrid.results.records import read_any_record
from tunegrid.study.cells import Cell
from tunegrid.study.plan.jobs import Jobs
from tunegrid.study.status import StudyStatus, format_status, read_status
from tunegrid.study.status.alive import Alive

SMALL = "grid: {tasks: [sentiment], models: [t5], methods: [full, lora]}"
CONFIGS = ("tiny.yaml", "changes.yaml")


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """Commands set the environment of their own process, which here is the tests'."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


def arguments(command: str, method: str, seed: int) -> list[str]:
    log = f"results/tiny/logs/{command}/sentiment/t5/{method}/seed-{seed}.log"
    names = f"--task sentiment --model t5 --method {method} --seed {seed}"
    return [command, *CONFIGS, *names.split(), "--log", log]


def counts(status: StudyStatus) -> dict[str, tuple[int, ...]]:
    """Stage -> jobs that are done, running, waiting, failed."""
    states_of_stages = {}
    for job in status.jobs:
        states_of_stages.setdefault(job.item.stage, []).append(job.state)
    return {
        stage: tuple(map(states.count, ("done", "running", "waiting", "failed")))
        for stage, states in states_of_stages.items()
    }


def test_an_empty_study_is_all_to_do_and_its_time_is_the_plans(tiny_study):
    study = tiny_study(SMALL)
    shutil.rmtree("results")
    status = read_status(study, CONFIGS, read_any_record)
    assert counts(status) == {
        "data": (0, 0, 1, 0), "models": (0, 0, 1, 0), "tokens": (0, 0, 1, 0), "training": (0, 0, 4, 0),
        "evaluation": (0, 0, 4, 0), "untuned": (0, 0, 1, 0), "baselines": (0, 0, 2, 0), "report": (0, 0, 1, 0),
    }  # fmt: skip
    shown = format_status(status)
    assert "0 of 4 runs are done" in shown
    assert "Nothing is at work here." in shown
    assert "by the plan alone" in shown
    assert not Path("results").exists()  # looking changes nothing
    expected = Jobs(study)
    cells = [Cell("sentiment", "t5", method) for method in ("full", "lora")]
    all_ = [
        2 * (expected.train(cell).seconds + expected.evaluate(cell.task, cell.model, cell.method).seconds)
        for cell in cells
    ]
    rest = expected.evaluate("sentiment", "t5").seconds + 2 * expected.baseline("sentiment").seconds
    rest += expected.tokenise("sentiment", "t5").seconds
    assert status.remaining * status.at_once == pytest.approx(sum(all_) + rest)


def test_a_half_done_study_says_what_is_done_what_failed_and_why(tiny_study):
    changes = f"overrides: [{{where: {{method: lora}}, training: {json.dumps(DIVERGING)}}}]"
    study = tiny_study(f"{SMALL}\n{changes}")
    tunegrid(*arguments("train", "full", 1))
    tunegrid(*arguments("evaluate", "full", 1))
    tunegrid(*arguments("train", "full", 2))
    tunegrid(*arguments("train", "lora", 1))  # diverges
    tunegrid(*arguments("evaluate", "lora", 1))
    broken = Path("results/tiny/runs/sentiment/t5/lora/seed-2")
    broken.mkdir(parents=True)
    (broken / "train.json").write_text('{"status": "o')  # a disk that was full
    status = read_status(study, CONFIGS, read_any_record)
    counted = counts(status)
    assert counted["training"] == (2, 0, 0, 2)
    assert counted["evaluation"] == (2, 0, 2, 0)
    assert counted["data"] == (1, 0, 0, 0)
    shown = format_status(status)
    assert "1 of 4 runs are done" in shown
    assert re.search(r"^sentiment +1/2 +0/2, 2 failed$", shown, re.MULTILINE)
    assert re.search(r"^  train sentiment_t5_lora, seed 1: diverged: at step \d", shown, re.MULTILINE)
    assert re.search(r"^  train sentiment_t5_lora, seed 2: failed: \S+train\.json: not ", shown, re.MULTILINE)
    assert "by the jobs that are done" in shown
    # The second evaluation of a cell takes as long as its first.
    cost = json.loads(Path("results/tiny/runs/sentiment/t5/full/seed-1/metrics.json").read_text())["cost"]
    took = cost["load_seconds"] + cost["prediction_seconds"] + cost["scoring_seconds"]
    waiting = [
        job for job in status.in_stage("evaluation") if job.state == "waiting" and job.item.cell.method == "full"
    ]
    assert [job.remaining for job in waiting] == [pytest.approx(took)]

    # The same where the results were copied to, with times that mean nothing.
    shutil.copytree(".", "../copy", ignore=shutil.ignore_patterns("logs", ".snakemake"))
    os.chdir("../copy")
    for file in Path("results").rglob("*"):
        os.utime(file, (0, 0))
    copied = read_status(study, CONFIGS, read_any_record)
    assert counts(copied) == counted
    assert copied.remaining == pytest.approx(status.remaining)

    # Runs that were trained with other settings than they would be now are reported.
    assert status.outdated == 0
    assert "other settings" not in shown
    other = read_status(tiny_study(f"{SMALL}\n{changes}\nhardware: {{threads: 2}}"), CONFIGS, read_any_record)
    assert other.outdated == 2
    assert "2 of the runs were trained with other settings" in format_status(other)


@pytest.mark.slow
def test_a_run_at_work_is_shown_with_its_progress_and_a_killed_one_as_interrupted(tiny_study):
    training = "training: {max_steps: 100000, logging_steps: 5, checkpoint_steps: 10}"
    study = tiny_study(f"{SMALL}\n{training}")
    process = subprocess.Popen([sys.executable, "-m", "tunegrid", *arguments("train", "full", 2)])
    try:
        end = time.monotonic() + 120
        while not (saved := list(Path("results/tiny/checkpoints").glob("*/*/*/*/checkpoint-*/complete.json"))):
            assert time.monotonic() < end
            time.sleep(0.1)
        status = read_status(study, CONFIGS, read_any_record)
        assert counts(status)["training"] == (0, 1, 3, 0)
        [running] = [job for job in status.jobs if job.state == "running"]
        assert running.item.title == "sentiment_t5_full, seed 2"
        assert running.progress.steps == 100000
        assert running.progress.step % 5 == 0
        assert running.remaining > 0
        shown = format_status(status)
        assert re.search(
            r"train sentiment_t5_full, seed 2  step \d+/100000  loss \d+\.\d+  \S+ steps/s  .* left", shown
        )
        assert re.search(r"^sentiment +0/2, 1 at work +0/2$", shown, re.MULTILINE)
        assert "single commands are" in shown
        # Another study in the same folder is not at work.
        assert read_status(study, ["tiny.yaml.bak"], read_any_record).alive.commands == {}
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    end = time.monotonic() + 10
    while counts(status := read_status(study, CONFIGS, read_any_record))["training"] != (
        0,
        0,
        4,
        0,
    ):  # what trained ends soon after it
        assert time.monotonic() < end
        time.sleep(0.1)
    [begun] = [job for job in status.jobs if job.begun and job.item.stage == "training"]
    assert begun.checkpoint >= int(saved[0].parent.name.removeprefix("checkpoint-"))
    shown = format_status(status)
    assert "Nothing is at work here." in shown
    assert re.search(
        rf"train sentiment_t5_full, seed 2: was at step \d+/100000; from its checkpoint of step {begun.checkpoint};",
        shown,
    )
    # It goes on from there, so less is left of it than of the other seed.
    other = next(job for job in status.in_stage("training") if job.item.title == "sentiment_t5_full, seed 1")
    assert begun.remaining == pytest.approx(other.remaining * (1 - begun.checkpoint / 100000))


def test_a_job_that_starts_or_ends_while_the_status_is_read_was_not_interrupted(tiny_study, monkeypatch):
    study, card = tiny_study(SMALL), Path("results/tiny/data/sentiment/card.json")
    written = card.read_bytes()
    card.unlink()
    for log in ("fetch_data/sentiment", "train/sentiment/t5/full/seed-1", "train/sentiment/t5/full/seed-2"):
        Path(f"results/tiny/logs/{log}.log").parent.mkdir(parents=True, exist_ok=True)
        Path(f"results/tiny/logs/{log}.log").write_text("step 5/10  loss 1.5000  2.0 steps/s  3 s left\n")
    looks = [Alive(), Alive(commands={("train", "sentiment", "t5", "full", "1"): time.time()})]

    def look(configs):
        if len(looks) == 1:  # the data are there by the second look, and a run is at work
            card.write_bytes(written)
        return looks.pop(0)

    monkeypatch.setattr("tunegrid.study.status.read.look", look)
    status = read_status(study, CONFIGS, read_any_record)
    assert counts(status)["data"] == (1, 0, 0, 0)
    assert counts(status)["training"] == (0, 1, 3, 0)
    assert [job.item.title for job in status.jobs if job.begun] == ["sentiment_t5_full, seed 2"]


def test_a_job_that_a_mistake_ended_has_failed_with_its_message(tiny_study, capsys):
    study = tiny_study(SMALL)
    Path("results/tiny/data/sentiment/card.json").unlink()
    with Path("rows/sentiment-test.jsonl").open("a") as file:
        file.write("{\n")
    log = "results/tiny/logs/fetch_data/sentiment.log"
    command = [sys.executable, "-m", "tunegrid", "fetch-data", *CONFIGS, "--task", "sentiment", "--log", log]
    assert subprocess.run(command, capture_output=True).returncode == 1
    status = read_status(study, CONFIGS, read_any_record)
    assert counts(status)["data"] == (0, 0, 0, 1)
    assert "data of sentiment: rows/sentiment-test.jsonl, line 14: not valid JSON" in format_status(status)
    assert main(["status", *CONFIGS]) == 0
    assert "not valid JSON" in capsys.readouterr().out


def test_what_is_silent_is_remarked_on(tiny_study):
    study = tiny_study(SMALL)
    log = Path("results/tiny/logs/train/sentiment/t5/full/seed-1.log")
    log.parent.mkdir(parents=True)
    log.write_text("step 5/10  loss 1.5000  2.0 steps/s  3 s left\n")
    hours = time.time() - 7200
    os.utime(log, (hours, hours))
    alive = Alive(commands={("train", "sentiment", "t5", "full", "1"): hours})
    shown = format_status(read_status(study, CONFIGS, read_any_record, alive))
    assert "step 5/10  loss 1.5000  2 steps/s  0 s left  for 2.0 h  SILENT for 2.0 h" in shown
    os.utime(log)
    assert "SILENT" not in format_status(read_status(study, CONFIGS, read_any_record, alive))


def test_evaluations_on_other_domains_are_jobs_of_their_own(tiny_study):
    domain = "{kind: files, paths: {test: rows/sentiment-test.jsonl}}"
    changes = f"tasks: {{sentiment: {{evaluate_on: {{near: {domain}, far: {domain}}}}}}}"
    study = tiny_study(f"{SMALL}\n{changes}")
    waiting = counts(read_status(study, CONFIGS, read_any_record))
    assert waiting["domains"] == (0, 0, 7, 0)  # four runs, the untuned model and two baselines
    assert waiting["data"] == (1, 0, 2, 0)
    for name in ("near", "far"):
        tunegrid("fetch-domain", *CONFIGS, "--task", "sentiment", "--domain", name)
    tunegrid("baseline-domains", *CONFIGS, "--task", "sentiment", "--name", "majority-class")
    status = read_status(study, CONFIGS, read_any_record)
    assert counts(status)["domains"] == (1, 0, 6, 0)
    assert counts(status)["data"] == (3, 0, 0, 0)
    assert re.search(r"^domains +1 +· +6 +· +7$", format_status(status), re.MULTILINE)
    # A domain that was added since is still to be answered.
    Path("results/tiny/baselines/sentiment/majority-class/domains/far/metrics.json").unlink()
    assert counts(read_status(study, CONFIGS, read_any_record))["domains"] == (0, 0, 7, 0)
    # Two domains take about twice the time of the task's own rows: they are the same rows, but lengths are samples.
    jobs = Jobs(study)
    expected = 2 * jobs.evaluate("sentiment", "t5", "lora").seconds
    run = next(job for job in status.in_stage("domains") if job.item.cell and job.item.cell.method == "lora")
    assert jobs.domains("sentiment", "t5", "lora").seconds == pytest.approx(expected, rel=0.02)
    assert run.remaining > 0
    at_work = Alive(commands={("evaluate-domains", "sentiment", "t5", "untuned"): time.time()})
    [running] = [job for job in read_status(study, CONFIGS, read_any_record, at_work).jobs if job.state == "running"]
    assert running.item.title == "sentiment, t5 untuned, other domains"


def test_a_run_that_failed_has_its_other_domains_behind_it(tiny_study):
    domain = "{kind: files, paths: {test: rows/sentiment-test.jsonl}}"
    changes = f"overrides: [{{where: {{method: lora}}, training: {json.dumps(DIVERGING)}}}]\n"
    study = tiny_study(f"{SMALL}\n{changes}tasks: {{sentiment: {{evaluate_on: {{far: {domain}}}}}}}")
    tunegrid("fetch-domain", *CONFIGS, "--task", "sentiment", "--domain", "far")
    tunegrid(*arguments("train", "lora", 1))
    tunegrid(*arguments("evaluate-domains", "lora", 1))
    counted = counts(read_status(study, CONFIGS, read_any_record))
    assert (counted["training"], counted["domains"]) == ((0, 0, 3, 1), (1, 0, 6, 0))  # the failure is counted once


def test_jobs_in_slurms_queue_are_seen_by_what_the_plugin_calls_them(tiny_study, monkeypatch):
    study = tiny_study(SMALL)
    here = Path.cwd().resolve()
    printed = (
        f"RUNNING|{here}|rule_train_sentiment_t5_lora_wildcards_2\n"
        f"PENDING|{here}|rule_train_sentiment_t5_full_wildcards_1\n"
        f"RUNNING|/elsewhere|rule_train_sentiment_t5_full_wildcards_2\n"
        f"RUNNING|{here}|(null)\n"
    )
    squeue = Path("bin/squeue")
    squeue.parent.mkdir()
    squeue.write_text(f"#!/bin/sh\ncat <<'END'\n{printed}END\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{squeue.parent.resolve()}{os.pathsep}{os.environ['PATH']}")
    status = read_status(study, CONFIGS, read_any_record)
    assert sorted(status.alive.queue.values()) == ["PENDING", "RUNNING"]
    assert [job.item.title for job in status.jobs if job.state == "running"] == ["sentiment_t5_lora, seed 2"]
    assert status.at_once == 1
    assert "Slurm's queue: 1 running, 1 pending." in format_status(status)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e400", "soon"])
def test_watching_needs_a_time(tiny, capsys, seconds):
    with pytest.raises(SystemExit) as end:
        main(["status", str(tiny), f"--watch={seconds}"])
    assert end.value.code == 2
    assert f"argument --watch: '{seconds}' is no number from 0.01 to 86400" in capsys.readouterr().err
