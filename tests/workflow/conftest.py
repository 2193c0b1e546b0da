"""The tiny study, run through once for all tests of the workflow."""

import shutil
from pathlib import Path

import pytest

from tests.support.made_once import made_once
from tests.support.running import PRETRAINING, TINY, Workflow


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The tiny study, run through once."""

    def make(folder: Path) -> None:
        result = Workflow(folder, PRETRAINING, TINY).snakemake()
        assert result.returncode == 0, result.stdout[-5000:]

    made = made_once(tmp_path_factory, "study", make)
    # A copy for each worker: Snakemake locks the folder that it works in.
    return Workflow(shutil.copytree(made, tmp_path_factory.mktemp("workflow") / "study"), PRETRAINING, TINY)
