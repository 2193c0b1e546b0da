"""Who watches a training: deaths at each attempt, signals passed on, and no work without the one that wanted it."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support import slow_except
from tests.support.interrupted_runs import (
    PLAIN,
    RUN,
    assert_as_undisturbed,
    finish,
    folder_of,
    kill,
    undisturbed,
)
from tests.support.processes import heed_signals, wait_for
from tunegrid.common.errors import TuneGridError
from tunegrid.methods import METHODS
from tunegrid.results.records import TrainRecord, read_record
from tunegrid.runtime import locks, parent
from tunegrid.runtime.attempts import Attempt, AttemptFailed
from tunegrid.runtime.supervisor import End, death_reason

# A command as `tunegrid train` is one, with other work: argv is its work, the attempt, and the number of attempts.
COMMAND = """
import argparse, os, signal, sys, time
from pathlib import Path
from tunegrid.runtime.supervisor import Fork, supervise

def work():
    Path("pid").write_text(str(os.getpid()))
    def stop(*_):
        Path("asked").open("a").write("x")
        while not Path("saved").exists(): time.sleep(0.02)
        sys.exit(75)
    match sys.argv[1].split():
        case ["exit", code]: return int(code)
        case ["die", number]: os.kill(os.getpid(), int(number))
        case ["abort"]: os.abort()
        case ["sleep"]:
            signal.signal(signal.SIGTERM, stop)
            Path("started").touch()
            time.sleep(60)
        case ["load"]:
            Path("started").touch()
            time.sleep(60)

options = argparse.Namespace(attempt=int(sys.argv[2]), attempts=int(sys.argv[3]), mem_mb=2000, log=Path("log"))
options.log.write_text("what it said\\n")

def start():
    def run():
        try: return work()
        except SystemExit as ended: return ended.code
    return Fork(run)

sys.exit(supervise("a run", options, start, lambda reason: Path("row").write_text(reason)))
"""


def command(work: str, attempt: int = 1, attempts: int = 1, **environment: str) -> subprocess.Popen:
    words = [sys.executable, "-c", COMMAND, work, str(attempt), str(attempts)]
    environment = os.environ | environment
    return subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture(autouse=True)
def folder(request, tmp_path, monkeypatch):
    if "study_of" not in request.fixturenames:
        monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("code", "command_code"), [(0, 0), (75, 75), (78, 1)], ids=["done", "stopped", "explained"])
def test_what_the_work_ends_with_is_what_the_command_ends_with(code, command_code):
    process = command(f"exit {code}", 1, 3)
    assert (process.communicate()[1], process.returncode) == ("", command_code)
    assert not Path("row").exists()


@pytest.mark.parametrize(("work", "reason"), [
    ("die 9", "killed by signal 9 (SIGKILL): "), ("die 11", "killed by signal 11 (SIGSEGV): "),
    ("abort", "killed by signal 6 (SIGABRT): "), ("exit 44", "ended with the exit code 44"),
    ("exit 1", "ended with the exit code 1"),  # a library in C that finds no memory, and says so to nobody
])  # fmt: skip
def test_a_death_is_tried_again_and_at_the_last_attempt_it_is_a_row(work, reason):
    first = command(work, 1, 2)
    said = first.communicate()[1]
    assert first.returncode == 1
    assert said.startswith(f"tunegrid: error: a run: {reason}")
    assert said.endswith("(attempt 1 of 2)\n")
    assert not Path("row").exists()
    assert Path("log.attempt-1").read_text() == f"what it said\n{said}"  # Snakemake removes the log itself

    last = command(work, 2, 2)
    said = last.communicate()[1]
    assert last.returncode == 0
    row = Path("row").read_text()
    assert row.startswith(reason)
    assert row.endswith("(attempt 2 of 2)")
    assert said == f"tunegrid: error: a run has failed: {row}\n"


def test_typed_by_hand_the_first_attempt_is_the_last():
    process = command("die 9")
    process.communicate()
    assert process.returncode == 0
    assert "attempt" not in Path("row").read_text()


def test_the_reason_names_the_memory_where_it_ran_out(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    death = End(None, 9, 1_234_567_890)
    known = "killed by signal 9 (SIGKILL): {}peak memory 1235 MB, 2000 MB asked for"
    assert death_reason(death, 2000, memory_ran_out=False) == known.format("")
    assert death_reason(death, 2000, memory_ran_out=True) == known.format("most likely out of memory: ")
    monkeypatch.setenv("SLURM_JOB_ID", "7")  # it kills for memory, and no counter tells
    assert death_reason(death, 2000, memory_ran_out=False) == known.format("most likely out of memory: ")
    assert death_reason(End(None, 11, 10**6), None, memory_ran_out=True).endswith("(SIGSEGV): peak memory 1 MB")
    assert "(SIGABRT): most likely out of memory: " in death_reason(End(None, 6, 10**6), None, memory_ran_out=False)


def test_the_peak_memory_is_that_of_the_process_that_died():
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            COMMAND.replace("os.abort()", "(bytearray(300_000_000), os.abort())"),
            "abort",
            "1",
            "1",
        ],
        stderr=subprocess.PIPE,
    )
    process.communicate()
    peak = int(Path("row").read_text().split("peak memory ")[1].split(" MB")[0])
    assert 300 <= peak < 500


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_who_is_asked_to_end_asks_the_work_and_waits_for_it(sent):
    process = command("sleep", 3, 3)
    wait_for(Path("started").exists)
    process.send_signal(sent)
    wait_for(Path("asked").exists)
    process.send_signal(signal.SIGTERM)  # once more, while it saves
    assert f"a run: {sent.name}: is being saved" in process.stderr.readline()
    assert "is still being saved" in process.stderr.readline()
    Path("saved").touch()
    process.communicate()
    assert process.returncode == 75
    assert Path("asked").read_text() == "x"
    assert not Path("row").exists(), "a stop is no failure, at whatever attempt"


def test_work_that_is_asked_to_end_before_it_can_save_has_not_failed():
    process = command("load", 3, 3)
    wait_for(Path("started").exists)
    process.terminate()
    assert "stopped by SIGTERM before it could save" in process.communicate()[1]
    assert process.returncode == 75
    assert not Path("row").exists()


def test_the_work_ends_with_the_command_that_is_killed():
    process = command("sleep")
    wait_for(Path("started").exists)
    process.kill()
    process.wait()
    wait_for(Path("asked").exists)
    Path("saved").touch()
    wait_for(lambda: gone(int(Path("pid").read_text())))
    assert Path("asked").read_text() == "x", "it could save"


def test_the_work_ends_with_the_snakemake_that_is_killed():
    snakemake = subprocess.Popen(["sleep", "60"])
    announced = f"{snakemake.pid}:{parent._started(snakemake.pid)}"
    process = command("sleep", 3, 3, **{parent.VARIABLE: announced})
    wait_for(Path("started").exists)
    assert process.poll() is None
    snakemake.kill()
    wait_for(Path("asked").exists)
    Path("saved").touch()
    process.communicate(timeout=60)
    assert process.returncode == 75
    assert gone(int(Path("pid").read_text()))
    assert not Path("row").exists()


def test_another_process_with_the_number_of_snakemake_is_not_it(monkeypatch):
    parent.announce()
    assert parent.snakemake_is_alive()
    monkeypatch.setenv(parent.VARIABLE, f"{os.getpid()}:1.0")
    assert not parent.snakemake_is_alive()
    monkeypatch.delenv(parent.VARIABLE)
    assert parent.snakemake_is_alive(), "a command typed by hand works for nobody"


# -- real trainings ---------------------------------------------------------------------------------------------------


def test_an_error_is_tried_again_and_at_the_last_attempt_it_is_a_row(study_of, monkeypatch):
    from tunegrid.stages.train import train

    def fit(method, session):
        raise RuntimeError("CUDA out of memory")

    study = study_of(**PLAIN)
    with monkeypatch.context() as patch:
        patch.setattr(METHODS["lora"], "fit", fit)
        with pytest.raises(AttemptFailed, match=r"qa_t5_lora, seed 1: RuntimeError: .* \(attempt 1 of 2\)"):
            train(study, RUN, folder_of(study), Attempt(1, 2))
        assert list(folder_of(study).iterdir()) == []
        record = train(study, RUN, folder_of(study), Attempt(2, 2))
    assert (record.status, record.reason) == ("failed", "RuntimeError: CUDA out of memory (attempt 2 of 2)")
    assert record.parameters is not None
    finish(study)


def test_a_training_that_was_killed_becomes_a_row_with_its_history_and_can_go_on(study_of):
    from tunegrid.stages.train import write_failure

    study = study_of(**PLAIN)
    undisturbed(study)
    kill(study, ("before", "training_step", 9))  # in step 5; a line of the log at steps 2 and 4, a checkpoint at 4
    write_failure(study, RUN, folder_of(study), "killed by signal 9", "2026-01-01T00:00:00+00:00")
    record = read_record(folder_of(study) / "train.json", TrainRecord)
    assert (record.status, record.reason, record.cost) == ("failed", "killed by signal 9", None)
    assert list((folder_of(study) / "weights").iterdir()) == []
    lines = (folder_of(study) / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "2", "4"]
    assert finish(study) == 4, "it went on from step 4, and steps 5 and 6 have two batches each"
    assert_as_undisturbed(study)


def test_a_process_that_dies_when_all_is_written_has_not_failed(study_of):
    from tunegrid.runtime.provenance import now
    from tunegrid.stages.train import write_failure

    study, started = study_of(**PLAIN), now()
    undisturbed(study)
    kill(study, ("after", "write_record", 1))
    assert write_failure(study, RUN, folder_of(study), "killed by signal 9", started).status == "ok"
    assert_as_undisturbed(study)
    later = "2999-01-01T00:00:00+00:00"
    assert write_failure(study, RUN, folder_of(study), "killed by signal 9", later).status == "failed"


@pytest.mark.parametrize("megabytes", slow_except(700, [300, 700]))
def test_a_command_that_finds_too_little_memory_is_a_row(study_of, megabytes):
    """By a limit of the system on the whole command: the watcher lives, wherever the libraries break off."""
    study = study_of(**PLAIN)
    files = sorted(map(str, Path().glob("*.yaml")), key=lambda name: name != "tiny.yaml")
    words = [sys.executable, "-m", "tunegrid", "train", *files, "--task", "qa", "--model", "t5", "--method", "lora"]
    limited = f"ulimit -v {megabytes * 1024}; exec {shlex.join(words)} --seed 1 --log log --attempt {{}} --attempts 2"
    first = subprocess.run(["bash", "-c", limited.format(1)], capture_output=True, text=True)
    assert first.returncode == 1, first.stderr
    assert first.stderr.startswith("tunegrid: error: qa_t5_lora, seed 1: ")
    assert first.stderr.endswith(" (attempt 1 of 2)\n")
    assert not (folder_of(study) / "train.json").exists()
    last = subprocess.run(["bash", "-c", limited.format(2)], capture_output=True, text=True)
    assert last.returncode == 0, last.stderr
    record = read_record(folder_of(study) / "train.json", TrainRecord)
    assert record.status == "failed"
    assert record.reason.endswith(" (attempt 2 of 2)")


def test_a_run_that_another_process_trains_is_left_alone(study_of, monkeypatch):
    from tunegrid.stages.train import hold_lock, train

    study = study_of(**PLAIN)
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        with hold_lock(study, RUN):
            os.write(writer, b"x")
            time.sleep(60)
    os.read(reader, 1)
    monkeypatch.setenv(locks.WAIT_VARIABLE, "0.5")
    try:
        with pytest.raises(TuneGridError, match=rf"is being worked on by another process \(process {pid} on "):
            train(study, RUN, folder_of(study))
        assert not folder_of(study).exists()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    finish(study)  # the system has freed it


def test_a_run_whose_last_process_is_still_saving_waits_for_it(study_of):
    from tunegrid.stages.train import hold_lock

    study = study_of(**PLAIN)
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        with hold_lock(study, RUN):
            os.write(writer, b"x")
            time.sleep(2)
        os._exit(0)
    os.read(reader, 1)
    finish(study)
    os.waitpid(pid, 0)


def test_a_fork_knows_whether_the_process_that_waits_for_it_is_there():
    """It may come to its end before it is asked to end."""
    text = """
import os, sys, time
from pathlib import Path
from tunegrid.runtime import parent
from tunegrid.runtime.supervisor import Fork

def work():
    Path("before").write_text(str(parent.callers_are_alive()))
    starter = os.getppid()
    while os.getppid() == starter: time.sleep(0.001)
    Path("after").write_text(str(parent.callers_are_alive()))
    return 0

Fork(work)
while not Path("before").exists(): time.sleep(0.01)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", text], check=True, timeout=60)
    wait_for(lambda: Path("after").exists() and Path("after").read_text())
    assert (Path("before").read_text(), Path("after").read_text()) == ("True", "False")
    assert parent.callers_are_alive(), "this process works for nobody"
