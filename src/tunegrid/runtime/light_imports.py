"""Imports transformers without packages that it imports only because they are there, and without garbage collection."""

import gc
import importlib
import logging
import sys

from tunegrid.runtime import cpu_tricks

# For functions that no job calls: assisted generation, losses of object detection, the library's own data sets.
UNUSED = ("datasets", "scipy", "sklearn")
# peft imports bitsandbytes wherever it is installed, which then recommends kernels that it would download from the Hub.
HINTING, HINT = "bitsandbytes.backends.cpu.ops", "Failed to load CPU gemm_4bit_forward from kernels-community"


def import_transformers() -> None:
    """Hides the packages `UNUSED` from transformers, which looks for them once, on its first import.

    That takes 1.2 s off the start of every process with a model, and 165 MiB off its memory. Code that needs one of the
    packages, such as a metric, can still import it. What was imported stays until the end, so garbage is not looked for
    in it, which takes another 0.5 s off.
    """
    drop_hints()
    if "transformers" in sys.modules or not cpu_tricks.are_on():
        return
    hidden = dict.fromkeys(name for name in UNUSED if name not in sys.modules)
    sys.modules |= hidden  # None: the import system does not find the module
    gc.disable()
    try:
        importlib.import_module("transformers.utils.import_utils")
    finally:
        gc.freeze()
        gc.enable()
        for name in hidden:
            del sys.modules[name]


def drop_hints() -> None:
    """Keeps bitsandbytes from printing, at its import, that it would like other kernels."""
    logging.getLogger(HINTING).addFilter(_is_no_hint)


def _is_no_hint(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(HINT)
