"""The made-up study of the report on disk, its tables and its report, each made once: fixtures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.made_once import made_once, unchanged

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 300


@pytest.fixture(scope="session")
def made_up_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the study; not to be changed."""
    from tests.support.study_on_disk import expected_study, write_study

    expected = expected_study()
    return made_once(tmp_path_factory, "made-up", lambda folder: write_study(folder, expected)) / expected.study


@pytest.fixture
def made_up(made_up_folder: Path) -> Iterator[Path]:
    """The results, for a test that does not change them: other tests read them, also while this one runs."""
    with unchanged(made_up_folder):
        yield made_up_folder


@pytest.fixture
def own_made_up(made_up_folder: Path, tmp_path: Path) -> Path:
    """A copy of the results, which a test may change."""
    return Path(shutil.copytree(made_up_folder, tmp_path / made_up_folder.name))


@pytest.fixture(scope="session")
def _made_up_tables(made_up_folder: Path) -> dict[str, pd.DataFrame]:
    from tests.support.study_on_disk import expected_study
    from tunegrid.results.tables import build_tables

    return build_tables(made_up_folder, expected_study(), RESAMPLES)


@pytest.fixture
def made_up_tables(_made_up_tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables of the results, which a test may change."""
    return {name: frame.copy() for name, frame in _made_up_tables.items()}


@pytest.fixture(scope="session")
def made_up_report(tmp_path_factory: pytest.TempPathFactory, made_up_folder: Path) -> Path:
    """The report of the results, with its PDF where there is TeX; not to be changed."""
    from tests.support.study_on_disk import expected_study, render_study
    from tunegrid.report.latex import tex_engine

    def make(folder: Path) -> None:
        results = shutil.copytree(made_up_folder, folder / made_up_folder.name)  # its tables are written there
        render_study(results, expected_study(), folder / "report", tex_engine() is not None, RESAMPLES)

    return made_once(tmp_path_factory, "made-up-report", make) / "report"
