"""The clock of the records stands still while the process is stopped, and only then."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

CODE = """
import json, sys, time
from tunegrid.runtime import measure, pauses
pauses.INTERVAL, pauses.SHORTEST = 0.1, 0.6
start, real = measure.clock(), time.perf_counter()
print("started", flush=True)
sum_ = 0
while time.perf_counter() - real < 3.0:
    {work}
print(json.dumps([measure.clock() - start, time.perf_counter() - real, measure.paused_seconds()]))
"""
WORK = {"computing": "sum_ += sum(range(1000))", "waiting": "time.sleep(0.01)"}


def times(work: str, stopped: float) -> list[float]:
    """Seconds of the clock, of the wall, and of pauses, of a process that was stopped for some seconds."""
    process = subprocess.Popen([sys.executable, "-c", CODE.format(work=WORK[work])], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "started\n"
    if stopped:
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(stopped)
        os.kill(process.pid, signal.SIGCONT)
    return json.loads(process.communicate(timeout=60)[0])


@pytest.mark.parametrize("work", WORK)
def test_time_in_which_the_process_is_stopped_does_not_count(work):
    clock, wall, paused = times(work, 1.5)
    assert 1.2 < paused < 2.5
    assert clock == pytest.approx(wall - paused, abs=0.2)


@pytest.mark.parametrize("work", WORK)
def test_all_other_time_counts(work):
    clock, wall, paused = times(work, 0)
    assert paused == 0
    assert clock == pytest.approx(wall, abs=0.2)


def test_a_result_never_ends_before_it_began(tmp_path):
    from tunegrid.runtime.provenance import provenance

    (tmp_path / "card.json").write_text('{"fingerprint": "x"}')
    later = "2999-01-01T00:00:00+00:00"  # the clock was set back meanwhile
    facts = {"threads": 1, "precision": None, "accelerator": None, "model": None}
    assert provenance(started=later, data=tmp_path / "card.json", **facts).finished == later
