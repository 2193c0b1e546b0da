"""Ten deaths at random moments: none alters a result, none loses work that a checkpoint held."""

import os
import subprocess
import sys

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.slow


def test_ten_deaths_alter_nothing(tmp_path):
    seed = os.environ.get("TUNEGRID_DEATHS_SEED", "1")
    command = [
        sys.executable,
        "-m",
        "tests.deaths",
        "--kills",
        "10",
        "--seed",
        seed,
        "--csv",
        str(tmp_path / "deaths.csv"),
    ]
    result = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(result.stdout)
    assert result.returncode == 0, result.stdout
    assert (tmp_path / "deaths.csv").read_text().count("\n") == 11
