"""`tunegrid unlock`, with real Snakemakes: a living one is left alone, a dead one's lock is removed."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.runtime import snakemake
from tunegrid.runtime.locks import Holder
from tunegrid.runtime.snakemake import is_snakemake, unlock

SNAKEFILE = """
rule all:
    input: "done"
    output: "all"
    shell: "touch all"

rule job:
    output: "done"
    shell: "touch started; exec sleep 60"
"""
ANNOUNCED = (
    SNAKEFILE
    + """
onstart:
    from pathlib import Path
    from tunegrid.runtime.snakemake import hold
    hold(Path("results/mini/locks/snakemake.lock"))
"""
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start_snakemake(text: str) -> subprocess.Popen:
    """A Snakemake in a process group of its own, whose job has begun."""
    Path("Snakefile").write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1"], stderr=subprocess.DEVNULL, start_new_session=True
    )
    end = time.monotonic() + 60
    while not Path("started").exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)
    return process


def kill(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("text", [SNAKEFILE, ANNOUNCED], ids=["any", "ours"])
def test_a_living_snakemake_is_left_alone_and_a_dead_one_is_unlocked(text):
    process = start_snakemake(text)
    try:
        before = sorted(Path(".snakemake/locks").iterdir())
        for force in (False, True):
            with pytest.raises(TuneGridError, match=rf"at work in this folder \(process {process.pid} on .*--cores 1"):
                unlock(force)
        assert sorted(Path(".snakemake/locks").iterdir()) == before != []
    finally:
        kill(process)
    said = unlock()
    assert said.startswith("Unlocked: ")
    if text is ANNOUNCED:
        assert f"process {process.pid} on {socket.gethostname()}" in said
    assert unlock() == "The folder is not locked."
    assert not list(Path(".snakemake/tunegrid").glob("*"))
    again = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run"]
    assert subprocess.run(again, capture_output=True).returncode == 0


def test_a_folder_is_abandoned_when_all_that_were_at_work_in_it_are_known_to_be_gone():
    assert not snakemake.is_abandoned(), "nobody was at work here: a command typed by hand"
    process = start_snakemake(ANNOUNCED)
    assert not snakemake.is_abandoned()
    kill(process)
    assert snakemake.is_abandoned()
    elsewhere = snakemake.HOLDERS / "login2-77.lock"
    elsewhere.touch()
    Holder("login2", 77, "2026-01-01T00:00:00+00:00", "snakemake").write(elsewhere)
    assert not snakemake.is_abandoned(), "whether that one lives cannot be seen from here"


def test_a_snakemake_on_another_machine_cannot_be_seen_so_it_is_left_alone():
    Path(".snakemake/locks").mkdir(parents=True)
    Path(".snakemake/locks/0.input.lock").write_text("x\n")
    snakemake.HOLDERS.mkdir()
    holder = {"host": "login2", "pid": 77, "started": "2026-01-01T00:00:00+00:00", "command": "snakemake"}
    (snakemake.HOLDERS / "login2-77.lock").touch()
    Holder(**holder).write(snakemake.HOLDERS / "login2-77.lock")
    with pytest.raises(TuneGridError, match=r"process 77 on login2.*\n?.*tunegrid unlock --force"):
        unlock()
    assert Path(".snakemake/locks/0.input.lock").exists()
    assert "process 77 on login2" in unlock(force=True)
    assert not Path(".snakemake/locks").exists()


def test_a_folder_in_which_nothing_ran_is_not_locked():
    assert unlock() == "The folder is not locked."


@pytest.mark.parametrize(("words", "works"), [
    ("/x/bin/python3.11 /x/bin/snakemake --cores all", True), ("python -m snakemake -c2 --configfile a.yaml", True),
    ("snakemake --profile slurm", True), ("python /x/bin/snakemake -n", False), ("snakemake -np", False),
    ("snakemake --dry-run --cores 1", False), ("python -m snakemake --cores 1 --nolock --mode remote", False),
    ("snakemake --list-target-rules", False), ("snakemake --list-rules", False), ("snakemake --report=r.zip", False),
    ("python -m snakemake --mode subprocess --cores 1", False), ("snakemake --mode=remote --cores 1", False),
    ("vim snakemake", False), ("bash -c snakemake", False), ("tail -f snakemake", False), ("", False),
])  # fmt: skip
def test_what_counts_as_a_snakemake_at_work(words, works):
    assert is_snakemake(words.split()) is works


def test_two_folders_that_share_results_are_told_so(tmp_path):
    """Snakemake's own locks are on its folder: two clones with a link to one results folder do not see each other."""
    lock = tmp_path / "shared/mini/locks/snakemake.lock"
    code = "import sys; from pathlib import Path; from tunegrid.runtime.snakemake import hold; hold(Path(sys.argv[1]))"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; print('held', flush=True); sys.stdin.read()", str(lock)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path,
    ) as first:  # fmt: skip
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(
            TuneGridError, match=rf"another Snakemake is at work on these results \(process {first.pid} on"
        ):
            snakemake.hold(lock)
        first.communicate()
    snakemake.hold(lock)  # the system has freed it
