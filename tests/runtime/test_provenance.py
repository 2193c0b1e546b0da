"""The version of the code and the instruction set in a result's record."""

import os
import shutil
import subprocess
import sys

import pytest
import torch

from tunegrid.common.package_data import PACKAGE
from tunegrid.runtime import provenance

FILES = sorted(str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py"))
ROOMS = sorted({file.split("/")[0] for file in FILES if "/" in file})


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


def test_a_change_in_any_file_of_any_room_is_another_version_of_the_code(package, tmp_path, monkeypatch):
    assert len(ROOMS) == 13
    assert code_version() == provenance.code_version()
    for room in (*ROOMS, ""):  # each by itself: with all of them, all would be read for each file
        part = tmp_path / "parts" / room / "tunegrid"
        files = [name for name in FILES if name.rpartition("/")[0].split("/")[0] == room]
        assert files
        for name in files:
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(package / name, part / name)
        monkeypatch.setattr(provenance, "PACKAGE", part)
        unchanged = code_version()
        for name in files:
            text = (part / name).read_text()
            (part / name).write_text(text + "\n")
            assert code_version() != unchanged, name
            (part / name).write_text(text)
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


def test_the_instruction_set_is_the_one_that_torch_uses():
    """Not the best that the CPU has: the variable that lowers it shows in the record."""
    code = "import torch; from tunegrid.runtime import provenance; print(provenance.instruction_set())"
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "default"}
    lowered = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True, timeout=120
    )
    assert lowered.stdout.strip() in ("DEFAULT", "NO AVX")


def test_what_computed_without_a_model_names_no_instruction_set(tmp_path):
    (tmp_path / "card.json").write_text('{"source": "made up", "rows": {"test": 3}, "fingerprint": "d"}')
    (tmp_path / "model.json").write_text('{"source": "made up", "fingerprint": "m"}')
    common = {"started": provenance.now(), "threads": 1, "precision": None, "accelerator": None}
    data = tmp_path / "card.json"
    assert provenance.provenance(**common, data=data, model=None).instruction_set is None
    record = provenance.provenance(**common, data=data, model=tmp_path / "model.json")
    assert record.instruction_set == torch.backends.cpu.get_cpu_capability()


def test_a_process_without_torch_does_not_load_it_for_the_instruction_set():
    code = "import sys; from tunegrid.runtime import provenance; print(provenance.instruction_set(), 'torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert shown.stdout.split() == ["None", "False"]
