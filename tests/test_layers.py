"""The rooms of the package: an import leads to a room below, and none leads back."""

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

from tests.support import ROOT

PACKAGE = ROOT / "src" / "tunegrid"


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("tunegrid", cache_dir=None)


def test_every_contract_of_pyproject_toml_is_kept():
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True) == 0


def test_the_root_of_the_package_holds_nothing_but_rooms():
    entries = {path.name for path in PACKAGE.iterdir() if path.name not in ("__pycache__", "_resources")}
    rooms = {name for name in entries if (PACKAGE / name / "__init__.py").is_file()}
    assert entries - rooms == {"__init__.py", "__main__.py"}
    assert len(rooms) == 13


def test_no_file_is_part_of_a_circle(graph):
    # The contract compares siblings; a package and a module inside it are none.
    circles = [
        f"{importer} -> {imported} -> ... -> {importer}"
        for importer in sorted(graph.modules)
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if graph.chain_exists(importer=imported, imported=importer)
    ]
    assert not circles, "\n".join(circles)


def test_imports_in_functions_and_for_type_checkers_count(graph):
    seen = 0
    for file in PACKAGE.rglob("*.py"):
        importer = ".".join(("tunegrid", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for imported in imports_that_are_not_at_the_top(file):
            assert imported in graph.find_modules_directly_imported_by(importer), (importer, imported)
            seen += 1
    assert seen > 50


def imports_that_are_not_at_the_top(file: Path) -> Iterator[str]:
    """Names of the package's modules that a file imports inside functions, or under TYPE_CHECKING."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node not in tree.body and node.module.startswith("tunegrid."):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if _is_module(name) else node.module for name in names)


def _is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def test_only_the_study_the_stages_and_what_is_above_them_know_the_study(graph):
    below = {"report", "results", "methods", "training", "tasks", "models", "data", "runtime", "common"}
    modules = {"tunegrid.study.study", "tunegrid.study.load"} & set(graph.modules)
    importers = {importer for module in modules for importer in graph.find_modules_that_directly_import(module)}
    assert not [importer for importer in sorted(importers) if importer.split(".")[1] in below]
