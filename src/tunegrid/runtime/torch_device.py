"""The torch device of this process, and the name of its GPU."""

from __future__ import annotations

import sys
from typing import Any

from tunegrid.common.errors import TuneGridError
from tunegrid.runtime import cpu_memory, cpu_tricks, gpus
from tunegrid.runtime.hardware import Hardware


def pick_device(hardware: Hardware) -> Any:
    """The torch device that a job computes on.

    Also fixes the number of threads, on which the bits of a result depend, and has this process keep its memory.
    """
    import torch

    cpu_tricks.switch(hardware.cpu_tricks)
    torch.set_num_threads(hardware.threads)
    cpu_memory.keep_freed()
    device = "cpu" if gpus.pretended_device() else hardware.device
    if device == "cuda" and not torch.cuda.is_available():
        raise TuneGridError("hardware.device is cuda, but no GPU can be used here. Set it to cpu, or run where one is.")
    return torch.device(device)


def accelerator() -> str | None:
    """The name of the GPU that this process used."""
    if pretended := gpus.pretended_device():
        return f"{pretended}: no GPU, computed on the CPU"
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_initialized() else None
