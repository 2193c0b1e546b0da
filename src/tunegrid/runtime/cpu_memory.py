"""How glibc treats the freed memory of tensors on the CPU; with another C library nothing changes."""

import ctypes
from contextlib import suppress

from tunegrid.runtime import cpu_tricks

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of mallopt(3)


def keep_freed() -> None:
    """Keeps freed memory for the next step: fetching it from the system again would cost page faults.

    Without this a training of the mini study's models takes 3 to 15 % longer, one of T5-small in full 4 to 9 % longer,
    with 2 % less memory at its peak.
    """
    if not cpu_tricks.are_on():
        return
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_TRIM_THRESHOLD, 1 << 30)


def share_one_arena() -> None:
    """Lets threads that start from now on take memory from the heap that keeps what was freed.

    A thread that computes for another one has a heap of its own otherwise, and returns it to the system whenever it is
    empty: CTranslate2 in batches of 128 rows of T5-small spent a sixth of its time on the page faults of that.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(_ARENA_MAX, 1)


def give_back_holes() -> None:
    """Returns free memory between used blocks to the system.

    With batches of all lengths the heap fills with holes that are too small for a longer batch. Just before one that is
    longer than all others, giving them back takes 4 % off the peak of T5-small's training, and no time that was seen.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
