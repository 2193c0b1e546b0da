"""What becomes of a whole study whose trainings, or all of whose processes, are ended: the tiny study, with longer trainings."""

import json
import os
import shutil
import signal
import threading
from pathlib import Path

import psutil
import pytest
import yaml

from tests.support.processes import is_alive, wait_for
from tests.support.running import PRETRAINING, TINY, Workflow
from tunegrid.results.compare import compare
from tunegrid.results.records import TrainRecord, read_record

pytestmark = pytest.mark.slow

TRAINING = {"max_steps": 150, "logging_steps": 5}
GRID = {"tasks": ["qa"], "models": ["t5", "bart"]}


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory) -> Workflow:
    """Two cells of the tiny study, with longer trainings, run through undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copytree(tiny.folder, folder / "study")
    shutil.rmtree(folder / "study/results/tiny/runs")  # those of other cells, too
    exclude = [cell for cell in yaml.safe_load(TINY.read_text())["grid"]["exclude"] if cell["task"] == "qa"]
    exclude = [cell for cell in exclude if cell["model"] in GRID["models"]]
    longer = {"grid": GRID | {"exclude": exclude}, "training": TRAINING}
    (folder / "longer.yaml").write_text(yaml.safe_dump(longer))
    study = Workflow(folder / "study", PRETRAINING, TINY, folder / "longer.yaml")
    result = study.snakemake()
    assert result.returncode == 0, result.stdout[-5000:]
    return study


@pytest.fixture
def study(whole, tmp_path) -> Workflow:
    """The same study before its trainings."""
    shutil.copytree(whole.folder, tmp_path / "study")
    study = Workflow(tmp_path / "study", *whole.configs)
    for part in ("runs", "tables", "report", "logs/train", "locks"):
        shutil.rmtree(results(study) / part)
    return study


def results(study: Workflow) -> Path:
    return study.folder / "results/tiny"


def at_work(study: Workflow, cell: str) -> int | None:
    """Finds the process that trains a cell, a fork of the warm process, once it has done a step; None: there is none."""
    name = cell.replace("_", "/")
    try:
        holder = json.loads((results(study) / f"locks/train/{name}/seed-1.json").read_text())
        steps = "step " in (results(study) / f"logs/train/{name}/seed-1.log").read_text()
        return holder["pid"] if steps and "warm" in psutil.Process(holder["pid"]).parent().cmdline() else None
    except (OSError, ValueError, AttributeError, psutil.Error):
        return None


def test_a_training_that_is_killed_at_each_attempt_is_a_row_and_the_study_reaches_its_report(study):
    folder, killed, done = results(study) / "runs/qa/t5/lora/seed-1", set(), threading.Event()

    def kill() -> None:
        while not done.wait(0.2):
            if pid := at_work(study, "qa_t5_lora"):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    result = study.snakemake()
    done.set()
    killer.join()
    assert result.returncode == 0, result.stdout[-5000:]
    assert len(killed) == 3
    for attempt, memory in ((1, 2000), (2, 3000), (3, 4000)):
        assert f"{memory} MB asked for (attempt {attempt} of 3)" in result.stdout
    record = read_record(folder / "train.json", TrainRecord)
    assert record.status == "failed"
    assert record.reason.startswith("killed by signal 9 (SIGKILL): ")
    logs = sorted(file.name for file in (results(study) / "logs/train/qa/t5/lora").iterdir())
    assert logs == ["seed-1.attempt-1.log", "seed-1.attempt-2.log", "seed-1.log"]
    assert "SIGKILL" in (results(study) / "report/report.html").read_text()

    summary = study.tunegrid("summary")
    assert summary.returncode == 1
    assert "The tiny study: 1 of 2 runs are done" in summary.stdout
    (line,) = (line for line in summary.stdout.splitlines() if "try again what failed: " in line)
    words = line.split("snakemake --cores all --configfile ")[1].split()
    assert words[:3] == list(map(str, study.configs))
    jobs = study.planned(*words[3:])
    assert jobs == {"train_qa_t5_lora": 1, "evaluate": 1, "tables": 1, "report": 1, "all": 1}
    assert words[3] == "--forcerun"
    assert study.snakemake(*words[3:]).returncode == 0
    assert read_record(folder / "train.json", TrainRecord).status == "ok"


@pytest.mark.parametrize("death", ["SIGTERM to all", "SIGINT to all", "SIGKILL of Snakemake"])
def test_a_study_that_is_ended_goes_on_and_has_the_same_results(study, whole, death):
    process = study.start()
    wait_for(lambda: process.poll() is not None or at_work(study, "qa_t5_lora"), 200)
    assert process.poll() is None
    jobs = psutil.Process(process.pid).children(recursive=True)
    if death == "SIGKILL of Snakemake":
        process.kill()
    else:
        os.killpg(process.pid, signal.Signals[death.split()[0]])
    assert process.wait(120) != 0
    wait_for(lambda: not any(map(is_alive, jobs)), 30)
    assert any((results(study) / "checkpoints").rglob("complete.json"))

    unlocked = study.tunegrid_alone("unlock")
    assert ("Unlocked" in unlocked.stdout) == (death == "SIGKILL of Snakemake"), unlocked.stdout
    result = study.snakemake("--rerun-incomplete")
    assert result.returncode == 0, result.stdout[-5000:]
    assert any("it goes on from" in log.read_text() for log in (results(study) / "logs/train").rglob("*.log"))
    assert compare(results(whole), results(study)) == []
