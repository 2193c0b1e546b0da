"""The tiny study, run through once for all tests of the workflow."""

import pytest

from tests.support.running import MINI, TINY, Workflow


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The tiny study, run through once."""
    workflow = Workflow(tmp_path_factory.mktemp("tiny"), MINI, TINY)
    result = workflow.snakemake()
    assert result.returncode == 0, result.stdout[-5000:]
    return workflow
