"""Tries every tuner of peft, every configuration of adapters and the project's own methods in small models.

Writes `resources/tuners/` and `own_methods.json`. Usage, in a clone: python -m tests.tuners; then python docs/generate.py
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

from tests.support import ROOT
from tests.tuners import adapters_tuners, own_methods, peft_tuners
from tests.tuners.trial import make_models
from tunegrid.common.files import write_json

OWN = "own"  # the project's methods
LIBRARIES = {"adapters": adapters_tuners.find, "peft": peft_tuners.find}


def main(libraries: list[str]) -> int:
    from transformers import logging

    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        make_models(Path(folder))
        for library in libraries or [*LIBRARIES, OWN]:
            if library == OWN:
                write_json(own_methods.FILE, own_methods.find(Path(folder)))
            else:
                write_json(ROOT / "resources" / "tuners" / f"{library}.json", LIBRARIES[library](Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
