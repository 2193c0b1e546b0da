"""Executes the code of model cards as a stranger would: in their folders, in a process that knows nothing of TuneGrid.

    python run_cards.py TASKS.json

TASKS.json: [[folder, [[field, …], …]], …]. Prints the answers of each folder's code to its rows, as JSON.
"""

import contextlib
import io
import json
import os
import re
import sys
from pathlib import Path

answers = []
for folder, rows in json.loads(Path(sys.argv[1]).read_text()):
    os.chdir(folder)
    code = re.findall(r"^```python\n(.*?)^```$", Path("README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(code) == 1, f"{folder}: {len(code)} blocks of code"
    card = {"__name__": "card"}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code[0], card)
    assert printed.getvalue().count("\n") >= 1, "the card ends with an answer to its example"
    answers.append([card["answer"](*row) for row in rows])
assert "tunegrid" not in sys.modules
print(json.dumps({"answers": answers, "modules": sorted({"adapters", "peft"} & sys.modules.keys())}))
