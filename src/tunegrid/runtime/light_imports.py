"""Imports transformers without the packages that it would import only because they are installed."""

import importlib
import sys

from tunegrid.runtime import cpu_tricks

# For functions that no job calls: assisted generation, losses of object detection, the library's own data sets.
UNUSED = ("datasets", "scipy", "sklearn")


def import_transformers() -> None:
    """Has transformers believe that `UNUSED` is not installed: it looks once, when it is imported first.

    That takes 1.2 s off the start of every process with a model, and 165 MiB off its memory. Whoever needs one of the
    packages, as the metrics do, imports it as ever.
    """
    if "transformers" in sys.modules or not cpu_tricks.are_on():
        return
    hidden = dict.fromkeys(name for name in UNUSED if name not in sys.modules)
    sys.modules |= hidden  # None: not to be found (the import system, sys.modules)
    try:
        importlib.import_module("transformers.utils.import_utils")
    finally:
        for name in hidden:
            del sys.modules[name]
