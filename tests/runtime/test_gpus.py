"""GPUs: a process sees those that it may use, no two processes lease the same, and a dead process frees its own."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tunegrid.common.digits import rough_duration
from tunegrid.common.errors import TuneGridError
from tunegrid.runtime import gpus
from tunegrid.runtime.device_models import GPUS
from tunegrid.study.plan.plan import plan
from tunegrid.study.plan.text import plan_text
from tunegrid.study.study import Study

A, B, C = (f"GPU-{start}0000-1111-2222-3333-444444444444" for start in ("aaaa", "bbbb", "abcd"))
MIG_0, MIG_1 = "MIG-c7384736-a75d-5afc-978f-d2f1294409fd", "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d"
JOB = """
import os, sys, time
from tunegrid.runtime import gpus
print(gpus.lease(), os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
assert "torch" not in sys.modules
time.sleep(float(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def _no_gpu_of_the_machine(monkeypatch, tmp_path):
    for name in (gpus.VISIBLE, gpus.PRETEND, gpus.HELD, "SLURM_JOB_ID", "SLURM_STEP_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(gpus.LOCKS, str(tmp_path / "locks"))


class Nvml:
    """A pynvml that lists four GPUs: A, B with two MIG instances, one that belongs to another job, and C."""

    class NVMLError(Exception):
        pass

    def __init__(self, driver: bool = True) -> None:
        self.driver, self.open = driver, 0

    def nvmlInit(self) -> None:
        if not self.driver:
            raise self.NVMLError("NVML Shared Library Not Found")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return 4

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        if index == 2:
            raise self.NVMLError("Insufficient Permissions")
        return (A, B, "", C)[index]

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        assert self.open
        return handle

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: str) -> int:
        if handle == C:
            raise self.NVMLError("Not Supported")
        return 7 if handle == B else 0

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: str, index: int) -> str:
        assert handle == B
        if index not in (1, 4):
            raise self.NVMLError("Not Found")
        return MIG_0 if index == 1 else MIG_1


@pytest.fixture
def nvml(monkeypatch) -> Nvml:
    nvml = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    return nvml


@pytest.fixture
def no_driver(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(driver=False))


@pytest.mark.parametrize(("given", "devices"), [
    (None, [A, MIG_0, MIG_1, C]),
    ("", []),
    ("-1", []),
    ("0", [A]),
    ("2,0", [C, A]),
    ("0,0", [A]),
    ("1", [MIG_0]),                       # a GPU in instances: CUDA gives the first
    ("0,-1,2", [A]),                      # CUDA stops at the first that is none
    ("0,7,2", [A]),
    (C, [C]),
    ("GPU-aa, GPU-abc", [A, C]),          # the beginning of a UUID will do
    (MIG_1, [MIG_1]),
    (f"MIG-{B}/1/0", [f"MIG-{B}/1/0"]),   # as older drivers call them
    ("GPU-nobody", []),
], ids=str)  # fmt: skip
def test_the_visible_devices_are_those_that_cuda_would_see(nvml, monkeypatch, given, devices):
    if given is not None:
        monkeypatch.setenv(gpus.VISIBLE, given)
    assert gpus.visible() == devices
    assert nvml.open == 0


def test_where_nobody_lists_the_gpus_the_variable_is_taken_at_its_word(no_driver, monkeypatch):
    monkeypatch.setenv(gpus.VISIBLE, "3,GPU-x")
    assert gpus.visible() == ["3", "GPU-x"]


def test_without_the_driver_s_library_torch_counts_the_gpus_that_a_device_file_promises(
    no_driver, tmp_path, monkeypatch
):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 2\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(gpus, "OTHERS", (str(python),))
    assert gpus.visible() == ["0", "1"]


def test_without_a_driver_or_a_device_there_is_none_and_torch_is_not_asked(no_driver, monkeypatch):
    monkeypatch.setattr(gpus, "OTHERS", ("/nowhere",))
    monkeypatch.setattr(sys, "executable", "/nowhere/python")  # it would be started for torch
    assert gpus.visible() == []


def test_on_a_machine_without_nvidia_s_library_there_is_no_gpu(monkeypatch):
    import pynvml

    def missing(*_: object) -> None:
        raise OSError("libnvidia-ml.so.1: cannot open shared object file")

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "CDLL", missing)
    monkeypatch.setattr(gpus, "OTHERS", ("/nowhere",))
    assert gpus.visible() == []


def test_an_error_says_that_there_is_no_gpu_and_why(monkeypatch):
    monkeypatch.setenv(gpus.PRETEND, "2")
    monkeypatch.setenv(gpus.VISIBLE, "")
    with pytest.raises(TuneGridError, match=r"no GPU can be used here .CUDA_VISIBLE_DEVICES is ''.*Set it to cpu"):
        gpus.lease()
    monkeypatch.setenv(gpus.PRETEND, "two")
    with pytest.raises(TuneGridError, match="TUNEGRID_PRETEND_GPUS=two"):
        gpus.visible()


class Jobs:
    """Processes that lease a pretended GPU and keep it."""

    def __init__(self, log: Path) -> None:
        self.log, self.processes = log, []

    def start(self, seconds: float, count: int = 2, **environment: str) -> subprocess.Popen:
        own = {gpus.PRETEND: str(count), gpus.LOG: str(self.log)} | environment
        process = subprocess.Popen(
            [sys.executable, "-c", JOB, str(seconds)], env=os.environ | own, stdout=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        return process

    def held(self) -> list[tuple[str, float, float]]:
        """(device, from, to) of every lease in the log that was given back."""
        leases, open_ = [], {}
        for line in self.log.read_text().splitlines():
            at, what, device, _, process = line.split()
            if what == "lease":
                open_[process] = (device, float(at))
            else:
                assert open_[process][0] == device
                leases.append((*open_.pop(process), float(at)))
        return leases


@pytest.fixture
def jobs(tmp_path):
    jobs = Jobs(tmp_path / "log")
    yield jobs
    for process in jobs.processes:
        process.kill()
        process.wait()
        process.stdout.close()


def most_at_once(held: list[tuple[str, float, float]]) -> int:
    return max(sum(start <= at < end for _, start, end in held) for _, at, _ in held)


def test_jobs_run_as_many_at_a_time_as_there_are_gpus_and_never_two_on_one(jobs):
    processes = [jobs.start(0.5, count=3) for _ in range(9)]
    outputs = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    assert {process.returncode for process in processes} == {0}
    for lines in outputs:
        device, shown = lines[-1].split()
        assert device == shown  # the process sees the one that it holds, and no other
    waited = [lines for lines in outputs if len(lines) > 1]
    assert all(lines[0].startswith("waiting for a GPU: all 3 are in use (GPU-pretend-0: process ") for lines in waited)
    assert all(len(lines) == 2 for lines in waited)  # said once
    held = jobs.held()
    assert len(held) == 9
    assert {device for device, _, _ in held} == {f"GPU-pretend-{number}" for number in range(3)}
    assert most_at_once(held) == 3
    for device in {device for device, _, _ in held}:
        spans = sorted((start, end) for name, start, end in held if name == device)
        assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_a_killed_job_frees_its_gpu_for_one_that_waits(jobs):
    holder = jobs.start(60, count=1)
    assert holder.stdout.readline().split()[0] == "GPU-pretend-0"
    waiting = jobs.start(0, count=1)
    assert waiting.stdout.readline().startswith(
        f"waiting for a GPU: all 1 are in use (GPU-pretend-0: process {holder.pid} "
    )
    time.sleep(1)
    assert waiting.poll() is None
    holder.send_signal(signal.SIGKILL)
    assert waiting.communicate(timeout=30)[0].split()[0] == "GPU-pretend-0"


def test_two_studies_with_other_views_of_the_machine_share_the_device_that_both_see(jobs):
    first = jobs.start(60, CUDA_VISIBLE_DEVICES="1")
    assert first.stdout.readline().split() == ["GPU-pretend-1"] * 2
    other = jobs.start(60, CUDA_VISIBLE_DEVICES="GPU-pretend-1,GPU-pretend-0")
    assert other.stdout.readline().split() == ["GPU-pretend-0"] * 2


def test_a_process_that_a_holder_starts_uses_its_device(jobs, tmp_path):
    code = f"""
import subprocess, sys
from tunegrid.runtime import gpus
gpus.lease()
print(subprocess.run([sys.executable, "-c", {JOB!r}, "0"], capture_output=True, text=True, check=True).stdout)
"""
    environment = os.environ | {gpus.PRETEND: "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["GPU-pretend-0"] * 2
    # What is left of the variable afterwards binds nobody.
    late = jobs.start(0, count=2, **{gpus.HELD: "1999999 GPU-pretend-1"})
    assert late.communicate(timeout=30)[0].split()[0] == "GPU-pretend-0"


def test_under_slurm_jobs_take_what_they_were_given_and_only_one_jobs_own_steps_share(jobs):
    first = jobs.start(60, SLURM_JOB_ID="7", CUDA_VISIBLE_DEVICES="0")
    same_device = jobs.start(60, SLURM_JOB_ID="8", CUDA_VISIBLE_DEVICES="0")  # Slurm may share one on purpose
    assert first.stdout.readline() == same_device.stdout.readline() == "GPU-pretend-0 GPU-pretend-0\n"
    both = [jobs.start(60, SLURM_JOB_ID="9", CUDA_VISIBLE_DEVICES="0,1") for _ in range(2)]
    assert {job.stdout.readline() for job in both} == {"GPU-pretend-0 GPU-pretend-0\n", "GPU-pretend-1 GPU-pretend-1\n"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
def test_two_users_do_not_get_each_others_device(jobs, monkeypatch):
    monkeypatch.delenv(gpus.LOCKS)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # stands for /tmp; pytest's own is closed to other users
        Path(folder).chmod(0o1777)
        # Everything is imported before root becomes another user, who may not read where Python is installed.
        code = f"""
import os, pathlib, random, subprocess
from tunegrid.runtime import gpus
import filelock, psutil
filelock.FileLock({folder!r} + f"/import-{{os.getpid()}}").acquire().lock.release()
gpus._temporary = lambda: pathlib.Path({folder!r})
os.setgid(int(sys.argv[2])), os.setuid(int(sys.argv[2]))
"""

        def start(user: int) -> subprocess.Popen:
            process = subprocess.Popen(
                [sys.executable, "-c", f"import sys\n{code}\n{JOB}", "60", str(user)],
                env=os.environ | {gpus.PRETEND: "2"}, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            jobs.processes.append(process)
            return process

        first = start(12001)
        assert first.stdout.readline().split()[0] == "GPU-pretend-0"
        second = start(12002)
        assert second.stdout.readline().split()[0] == "GPU-pretend-1"
        third = start(12002)
        assert f"GPU-pretend-0: process {first.pid} of user 12001;" in third.stdout.readline()
        first.kill()
        assert third.stdout.readline().split()[0] == "GPU-pretend-0"  # a lock file of another user is no obstacle


def test_a_folder_of_locks_that_cannot_be_used_is_replaced_by_the_users_own(monkeypatch, tmp_path):
    monkeypatch.delenv(gpus.LOCKS)
    monkeypatch.setattr(gpus, "_temporary", lambda: tmp_path)
    (tmp_path / "tunegrid-gpus").symlink_to(tmp_path)  # somebody's trap
    assert gpus.lock_folder() == tmp_path / f"tunegrid-gpus-{os.getuid()}"
    (tmp_path / "tunegrid-gpus").unlink()
    (tmp_path / "tunegrid-gpus").touch()
    assert gpus.lock_folder() == tmp_path / f"tunegrid-gpus-{os.getuid()}"
    (tmp_path / "tunegrid-gpus").unlink()
    assert gpus.lock_folder() == tmp_path / "tunegrid-gpus"
    assert (tmp_path / "tunegrid-gpus").stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize(("device", "threads", "cores", "count", "jobs"), [
    ("cpu", 1, 4, 2, 4),
    ("cpu", 3, 8, 2, 2),
    ("cpu", 8, 4, 2, 1),
    ("cuda", 1, 16, 2, 2),
    ("cuda", 8, 8, 2, 1),     # not enough cores for both GPUs
    ("cuda", 2, 64, 0, 1),
])  # fmt: skip
def test_as_many_jobs_at_once_as_cores_and_gpus_allow(tiny_study, device, threads, cores, count, jobs):
    study: Study = tiny_study(f"hardware: {{device: {device}, threads: {threads}}}")
    assert gpus.jobs_at_once(study.hardware, cores, count) == jobs


def test_a_plan_says_how_long_it_takes_with_all_gpus_at_work(tiny_study, monkeypatch):
    monkeypatch.setenv(gpus.PRETEND, "3")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    study = tiny_study("hardware: {device: cuda, threads: 2}")
    planned = plan(study, GPUS["h100"], gpus.jobs_at_once(study.hardware))
    assert planned.at_once == 3
    each = rough_duration(planned.total.seconds / 3)
    assert f"{each} with 3 jobs at once, one for each GPU" in plan_text(planned)
    assert "at once" not in plan_text(plan(study, GPUS["h100"]))


@pytest.mark.parametrize("trap", ["link", "hard link", "pipe", "folder"])
def test_a_trap_in_the_place_of_a_lock_is_not_written_to(tmp_path, trap):
    victim, file = tmp_path / "victim", tmp_path / "gpu-0.lock"
    victim.write_text("of another user")
    {
        "link": lambda: file.symlink_to(victim),
        "hard link": lambda: os.link(victim, file),
        "pipe": lambda: os.mkfifo(file),
        "folder": file.mkdir,
    }[trap]()
    with pytest.raises(OSError, match=r"gpu-0\.lock"):
        gpus.SharedLock(file).acquire()
    assert victim.read_text() == "of another user"
