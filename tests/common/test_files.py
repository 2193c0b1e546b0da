"""What is written is there whole or not at all, where it should be, with the modes of the umask, and nothing is lost."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tunegrid.common.errors import TuneGridError
from tunegrid.common.files import (
    open_stream,
    own_folder,
    read_json,
    read_object,
    replaced,
    replaced_folder,
    write_text,
    written,
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def names(folder: str = ".") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def mode(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_modes_are_those_of_the_umask(umask):
    write_text(Path("a/b.txt"), "x")
    os.close(open_stream(Path("c/d/log")))
    with replaced_folder(Path("folder")) as new:
        (new / "sub").mkdir(mode=0o700)
        (new / "sub/file").touch(mode=0o600)  # as libraries that use temporary files do
    assert [mode(path) for path in ("a", "c/d", "folder", "folder/sub")] == [0o777 & ~umask] * 4
    assert [mode(path) for path in ("a/b.txt", "c/d/log", "folder/sub/file")] == [0o666 & ~umask] * 3


def test_a_file_that_is_there_keeps_its_mode():
    Path("f").touch(mode=0o600)
    write_text(Path("f"), "x")
    assert mode("f") == 0o600


def test_links_are_followed():
    Path("far").mkdir()
    Path("far/target").write_text("old")
    Path("link").symlink_to("far/target")
    Path("second").symlink_to("link")
    Path("dangling").symlink_to("far/new")
    for link in ("second", "dangling"):
        write_text(Path(link), "new")
        assert Path(link).is_symlink()
    assert [Path("far/target").read_text(), Path("far/new").read_text()] == ["new", "new"]
    Path("linked").symlink_to("far")
    with replaced_folder(Path("linked")) as folder:
        (folder / "x").touch()
    assert Path("linked").is_symlink()
    assert names("far") == ["x"]


def test_a_pipe_is_written_to_and_stays():
    os.mkfifo("pipe")
    received = []
    reader = threading.Thread(target=lambda: received.append(Path("pipe").read_text()))
    reader.start()
    write_text(Path("pipe"), "text")
    reader.join(10)
    assert received == ["text"]
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    assert names() == ["pipe"]


@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_a_stream_of_the_process_is_written_to_in_order(place):
    """Standard output that leads to a file is neither replaced nor written over from its beginning."""
    Path("link").symlink_to("/dev/stdout")
    code = (
        "import pathlib; from tunegrid.common.files import write_text; print('first'); "
        f"write_text(pathlib.Path('{place}'), 'second\\n'); print('third')"
    )
    with open("out", "w") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    assert Path("out").read_text() == "first\nsecond\nthird\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "first\nsecond\nthird\n"


def test_a_full_disk_is_a_message():
    with pytest.raises(TuneGridError, match=r"^/dev/full: cannot be written \(No space left on device\)\.$"):
        write_text(Path("/dev/full"), "x" * 100)


def _make_folder_and_fail():
    with replaced_folder(Path("there")) as new:
        (new / "x").touch()
        raise OSError(28, "No space left on device")


def _make_file_and_fail():
    with written(Path("there/file")) as file:
        file.write("new")
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("fail", [_make_folder_and_fail, _make_file_and_fail])
def test_what_was_there_stays_where_something_cannot_be_written(fail):
    Path("there").mkdir()
    Path("there/file").write_text("old")
    with pytest.raises(TuneGridError, match=r"No space left on device.*What was there before is kept"):
        fail()
    assert Path("there/file").read_text() == "old"
    assert names() == ["there"]
    assert names("there") == ["file"]


def test_an_error_about_another_file_stays_what_it_is():
    with pytest.raises(FileNotFoundError), replaced(Path("out")):
        Path("input").read_text()
    assert names() == []


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Path("out").mkdir(), "out: is a folder; name a file"),
        (lambda: Path("out").symlink_to("out"), "out: cannot be used"),
        (lambda: Path("out").symlink_to("file/x"), "file is a file, not a folder"),
    ],
)
def test_what_cannot_be_a_file_is_a_message(make, says):
    Path("file").touch()
    make()
    before = names()
    with pytest.raises(TuneGridError, match=says):
        write_text(Path("out"), "x")
    assert names() == before


def test_a_long_name_is_no_obstacle():
    for name in ("a" * 255, "ü" * 127):
        write_text(Path(name), "x")
        assert Path(name).read_text() == "x"


# -- leftovers --------------------------------------------------------------------------------------------------------

KILLED = """
import os, pathlib, sys
from tunegrid.common.files import replaced, replaced_folder
with {what}(pathlib.Path({target!r})) as new:
    ({made}).write_text("half")
    os._exit(9)
"""


@pytest.mark.parametrize(("what", "made"), [("replaced", "new"), ("replaced_folder", "new / 'weights'")])
def test_what_a_killed_process_left_goes_with_the_next_call(what, made):
    names_before = {".out.swp", ".out.txt"}
    for name in names_before:
        Path(name).touch()  # of an editor, say
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED.format(what=what, target="out", made=made)])
    assert len(names()) == 3, "the second call removed what the first one left"
    with {"replaced": replaced, "replaced_folder": replaced_folder}[what](Path("out")) as new:
        (new if what == "replaced" else new / "x").touch()
        assert len(names()) == 3
    assert set(names()) == {*names_before, "out"}


def test_what_a_living_process_is_writing_stays():
    with replaced(Path("out")) as first:
        first.write_text("first")
        write_text(Path("out"), "second")
        assert first.exists()
    assert Path("out").read_text() == "first"


# -- folders for the user ---------------------------------------------------------------------------------------------


def fill(folder: str, text: str = "x", command: str = "a command") -> None:
    with own_folder(Path(folder), command) as new:
        (new / "sub").mkdir()
        write_text(new / "sub/file", text)


def test_a_folder_that_the_same_command_wrote_is_replaced():
    Path("out").mkdir()
    fill("out")
    fill("out", "y")
    assert Path("out/sub/file").read_text() == "y"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda: Path("out/.tunegrid.json").unlink(), "did not write"),
        (lambda: Path("out/notes.md").touch(), "holds notes.md, which"),
        (lambda: Path("out/sub/link").symlink_to("/"), "holds sub/link, which"),
        (lambda: Path("out/.tunegrid.json").write_text("[]"), "expected a JSON object"),
        (lambda: Path("out/.tunegrid.json").write_text('{"written_by": "a command"}'), "did not write"),
    ],
)
def test_any_other_folder_stays_as_it_is(spoil, says):
    fill("out")
    spoil()
    before = sorted(Path("out").rglob("*"))
    with pytest.raises(TuneGridError, match=says):
        fill("out")
    assert sorted(Path("out").rglob("*")) == before


def test_a_folder_of_another_command_stays_as_it_is():
    fill("out", command="another")
    with pytest.raises(TuneGridError, match="`a command` did not write"):
        fill("out")


# -- reading ----------------------------------------------------------------------------------------------------------

DAMAGED = {
    "empty": b"",
    "cut": b'{"a": 1',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "Latin-1": '{"ä": 1}'.encode("latin-1"),
    "nested without end": b'{"a":' + b"[" * 100_000,
    "a number of 5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "not an object": b"[1]",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_json_object_is_a_message(content):
    Path("x.json").write_bytes(content)
    with pytest.raises(TuneGridError, match=r"^x\.json: .* Delete it and run its job again\.$"):
        read_object(Path("x.json"))


def test_what_is_no_file_is_not_read():
    os.mkfifo("pipe")
    for path, says in (("pipe", "is a pipe"), (".", "is a folder"), ("nowhere", "No such file")):
        with pytest.raises(TuneGridError, match=says):
            read_json(Path(path))
