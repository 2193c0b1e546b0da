"""Deaths at random moments, as CI runs them: none alters a result, none loses work that a checkpoint held."""

import os
import subprocess
import sys

import pytest

from tests.deaths.chains import COMMANDS
from tests.deaths.kinds import KINDS
from tests.support import ROOT

pytestmark = pytest.mark.slow
CHAINS = tuple(COMMANDS)
RUNS = tuple(kind.name for kind in KINDS if kind.name not in CHAINS)


@pytest.mark.parametrize(("kinds", "kills"), [(RUNS, 10), (CHAINS, 3)], ids=["runs", "chains"])
def test_deaths_alter_nothing(tmp_path, kinds, kills):
    seed, file = os.environ.get("TUNEGRID_DEATHS_SEED", "1"), tmp_path / "deaths.csv"
    command = [sys.executable, "-m", "tests.deaths", "--kills", str(kills), "--seed", seed, "--csv", str(file)]
    result = subprocess.run(
        [*command, "--kinds", *kinds], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    print(result.stdout)
    assert result.returncode == 0, result.stdout
    assert file.read_text().count("\n") == 1 + kills
