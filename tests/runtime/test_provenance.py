"""The version of the code in a result's record."""

import shutil

import pytest

from tunegrid.common.package_data import PACKAGE
from tunegrid.runtime import provenance

FILES = sorted(str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py"))
ROOMS = {file.split("/")[0] for file in FILES if "/" in file}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package's source, which stands for the package."""
    copy = tmp_path / "tunegrid"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    for name in ("families", "miniworld"):
        shutil.copytree(getattr(provenance, f"{name}_folder")(), tmp_path / name)
        monkeypatch.setattr(provenance, f"{name}_folder", lambda folder=tmp_path / name: folder)
    return copy


def code_version() -> str:
    return provenance.code_version.__wrapped__()


def test_a_change_in_any_file_of_any_room_is_another_version_of_the_code(package):
    assert len(ROOMS) == 13
    unchanged = code_version()
    assert unchanged == provenance.code_version()
    for name in FILES:
        text = (package / name).read_text()
        (package / name).write_text(text + "\n")
        assert code_version() != unchanged, name
        (package / name).write_text(text)
    assert code_version() == unchanged


def test_a_file_that_is_new_moved_or_gone_is_another_version_of_the_code(package):
    versions = [code_version()]
    (package / "data" / "new.py").touch()
    versions.append(code_version())
    (package / "data" / "new.py").rename(package / "tasks" / "new.py")
    versions.append(code_version())
    (package / "runtime" / "gpus.py").unlink()
    versions.append(code_version())
    assert len(set(versions)) == 4


@pytest.mark.parametrize("folder", ["families", "miniworld"])
def test_a_change_of_a_family_or_of_the_generated_world_is_another_version_of_the_code(package, folder):
    unchanged = code_version()
    file = next((package.parent / folder).glob("*.yaml"))
    file.write_text(file.read_text() + "# another remark\n")
    assert code_version() != unchanged
