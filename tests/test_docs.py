"""What the documents take from the code is as the code has it."""

import subprocess
import sys

from tests.support import ROOT


def test_generated_parts_of_the_documents_are_up_to_date():
    command = [sys.executable, ROOT / "docs" / "generate.py", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
