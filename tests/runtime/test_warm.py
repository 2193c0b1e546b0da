"""The warm process: it does what a command would do itself, and ends with whoever asked or started it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tunegrid.runtime import warm

SERVER = """
import os, sys, time
from pathlib import Path
from tunegrid.runtime import warm

def run(arguments):
    print("did", *arguments, "in", os.getcwd(), flush=True)
    if arguments == ["sleep"]:
        Path("started").touch()
        time.sleep(60)
        Path("finished").touch()
    if arguments == ["die"]:
        os.kill(os.getpid(), 9)
    if arguments == ["raise"]:
        raise ValueError("no good")
    return 3

warm.listen(Path(sys.argv[1]), lambda: None, run)
"""
CLIENT = "import sys; from tunegrid.runtime import warm; sys.exit(warm.ask(sys.argv[1:]))"


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def server(tmp_path):
    address = tmp_path / "socket"
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(address)])
    wait_for(address.exists)
    yield address
    process.terminate()
    process.wait()


def client(address, folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, *arguments],
        cwd=folder,
        env=os.environ | {warm.VARIABLE: str(address)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_work_is_done_in_the_folder_of_who_asks_with_its_output_and_its_exit_code(server, tmp_path):
    process = client(server, tmp_path, "a", "b")
    assert process.communicate()[0] == f"did a b in {tmp_path}\n"
    assert process.returncode == 3


def test_many_can_ask_at_once(server, tmp_path):
    processes = [client(server, tmp_path, str(number)) for number in range(8)]
    assert [process.communicate()[0].split()[1] for process in processes] == [str(number) for number in range(8)]


@pytest.mark.parametrize(("what", "message"), [("die", "process died"), ("raise", "ValueError: no good")])
def test_a_job_that_dies_or_fails_is_an_error(server, tmp_path, what, message):
    process = client(server, tmp_path, what)
    assert message in process.communicate()[0]
    assert process.returncode == 1


def test_a_killed_command_takes_its_work_with_it(server, tmp_path):
    process = client(server, tmp_path, "sleep")
    wait_for((tmp_path / "started").exists)
    process.send_signal(signal.SIGKILL)
    # The output stream closes when the last process that holds it, the forked one, is gone.
    process.stdout.read()
    assert not (tmp_path / "finished").exists()


def test_without_a_warm_process_a_command_works_by_itself(monkeypatch, tmp_path):
    monkeypatch.delenv(warm.VARIABLE, raising=False)
    assert warm.ask(["x"]) is None
    monkeypatch.setenv(warm.VARIABLE, str(tmp_path / "nobody"))
    assert warm.ask(["x"]) is None


def test_the_warm_process_ends_with_whoever_started_it(tmp_path):
    address = tmp_path / "socket"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {SERVER!r}, {str(address)!r}]); time.sleep(60)"
    starter = subprocess.Popen([sys.executable, "-c", code])
    wait_for(address.exists)
    starter.kill()
    wait_for(lambda: not address.exists())


def test_a_process_of_another_user_is_not_served(monkeypatch):
    import socket
    import tempfile

    mine, other = socket.socketpair(socket.AF_UNIX)
    with mine, other:
        assert warm._is_ours(mine)
        if os.geteuid() != 0:
            user = os.geteuid()
            monkeypatch.setattr(os, "geteuid", lambda: user + 1)
            assert not warm._is_ours(mine)
            return
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        address = os.path.join(folder, "socket")
        process = subprocess.Popen([sys.executable, "-c", SERVER, address])
        try:
            wait_for(lambda: os.path.exists(address))
            os.chmod(address, 0o777)
            monkeypatch.setitem(os.environ, warm.VARIABLE, address)
            if (pid := os.fork()) == 0:
                os.setuid(65534)
                os._exit(9 if warm.ask(["from another user"]) is None else 8)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
            assert warm.ask(["from this user"]) == 3
        finally:
            process.terminate()
            process.wait()


def test_what_is_no_socket_is_not_replaced_by_one(tmp_path):
    (tmp_path / "notes").write_text("mine")
    done = subprocess.run([sys.executable, "-c", SERVER, str(tmp_path / "notes")], capture_output=True, text=True)
    assert "no socket can be made there (Address already in use)" in done.stderr
    assert (tmp_path / "notes").read_text() == "mine"
