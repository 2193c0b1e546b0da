"""The pins: complete, free of local builds, and the same for pip and conda users."""

import re
import shutil
import subprocess
import tomllib
from importlib.metadata import distribution, distributions

import pytest
import yaml
from packaging.requirements import Requirement

from tests.support import ROOT

OURSELVES = {"tunegrid"}
INSTALLERS = {"pip"}
CUDA = re.compile(r"nvidia-|cuda-|triton$|pytorch-triton")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str = "requirements.txt") -> dict[str, str]:
    lines = (ROOT / file).read_text().splitlines()
    matches = [re.fullmatch(r"([\w.-]+)==([\w.!]+)", line) for line in lines if line and not line.startswith("#")]
    assert all(matches), "a line of the file is no exact pin, or pins a local build (+cpu)"
    return {canonical(match[1]): match[2] for match in matches}


def test_environment_yml_carries_the_pins_of_requirements_txt():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (from_pip,) = [entry["pip"] for entry in dependencies if isinstance(entry, dict)]
    assert from_pip[-1] == "--editable ."
    conda = dict(line.split("==") for line in from_pip[:-1])
    assert {canonical(name): version for name, version in conda.items()} == pins()


@pytest.mark.parametrize("package", ["torch", "snakemake", "pytest"])
def test_everything_a_pinned_package_needs_is_pinned(package):
    pinned, todo, seen = pins(), [package], set()
    while todo:
        name = canonical(todo.pop())
        if name in seen or CUDA.match(name):
            continue
        seen.add(name)
        assert name in pinned, f"{name} is needed by {package}, but requirements.txt does not pin it"
        for text in distribution(name).requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)


def test_what_the_package_needs_is_pinned():
    needed = map(Requirement, distribution("tunegrid").requires or [])
    plain = {canonical(one.name) for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})}
    assert plain <= pins().keys()


def test_installed_versions_are_the_pinned_ones():
    pinned = pins()
    # The first of a name is the one that is imported: setuptools, once imported, has copies of some at the path's end.
    installed = {canonical(one.name): one.version.split("+")[0] for one in reversed(list(distributions()))}
    assert {name: installed.get(name) for name in pinned} == pinned


@pytest.mark.parametrize("name", ["onnx", "qlora", "serve"])
def test_an_extra_pins_what_it_needs_beside_everything_else(name):
    """Transitively, and nothing twice; what is installed of it is what is pinned."""
    extra, rest = pins(f"requirements-{name}.txt"), pins()
    assert not extra.keys() & rest.keys()
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][name]
    assert {canonical(name) for name in wanted} <= extra.keys()
    installed = {canonical(one.name): one for one in distributions() if canonical(one.name) in extra}
    if not installed:
        pytest.skip(f"the extra is not installed (make setup EXTRAS={name})")
    assert {name: one.version for name, one in installed.items()} == extra
    for one in installed.values():
        for text in one.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                assert canonical(requirement.name) in extra | rest


@pytest.mark.parametrize("moved", [False, True])
def test_a_folder_that_was_moved_gets_its_environment_anew(tmp_path, moved):
    """Its scripts would end with `required file not found`: they name the interpreter of the old place."""
    folder = tmp_path / "my clone"
    folder.mkdir()
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    python = ("/old/place" if moved else str(folder)) + "/.venv/bin/python3"
    (folder / ".venv/bin").mkdir(parents=True)
    # As pip writes it where a path has blanks in it.
    (folder / ".venv/bin/pip").write_text(f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n")
    (folder / ".venv/.ready").touch()
    would = subprocess.run(["make", "-n", "report"], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert ("-m venv --clear .venv" in would) == moved
    assert ("This folder was moved" in would) == moved
    assert "tunegrid report config/mini.yaml" in would


def test_make_runs_a_study_of_config_or_of_this_folder_and_says_where_there_is_none(tmp_path):
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/.ready").touch()
    (tmp_path / "config").mkdir()
    (tmp_path / "config/mini.yaml").touch()
    (tmp_path / "tickets.yaml").touch()

    def make(study):
        command = ["make", "-n", "run", f"STUDY={study}"] if study != "none" else ["make", "run", "STUDY=none"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert "--configfile config/mini.yaml" in make("mini").stdout
    assert "--configfile tickets.yaml" in make("tickets").stdout
    missing = make("none")
    assert missing.returncode != 0
    assert "There is no study none: neither config/none.yaml nor none.yaml is there." in missing.stderr
