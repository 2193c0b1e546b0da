"""The table of the workflow's commands."""

import sys
from importlib.util import find_spec

import pytest

from tunegrid.cli import stage_commands as stages


@pytest.mark.parametrize("name", stages.IMPORTED_LATE)
def test_what_the_warm_process_imports_exists(name):
    assert name in sys.modules or find_spec(name) is not None  # some libraries, once imported, have no spec


@pytest.mark.parametrize("stage", stages.STAGES, ids=lambda stage: stage.command)
def test_every_command_has_its_module(stage):
    assert find_spec(f"tunegrid.stages.{stage.module}") is not None
