"""The clock of every time in the records."""

import sys
import time


def seconds() -> float:
    """Seconds on a clock that only goes forward, once the GPU has done what it was given.

    A GPU is handed its work and computes it later: a clock that is read before it is done says how long the handing
    over took, and the time of the work stands in whatever comes next.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()
