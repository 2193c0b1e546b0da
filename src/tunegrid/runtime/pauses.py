"""Time that this process spent stopped: by SIGSTOP, a debugger, a batch system, or a machine that was suspended.

A monotonic clock goes on while a process is stopped. A thread wakes every half second. Where it slept much longer, and
the process had next to no processor time meanwhile, the process was stopped.
"""

from __future__ import annotations

import os
import threading
import time

INTERVAL = 0.5  # seconds between two looks
SHORTEST = 5.0  # seconds: shorter gaps are the scheduler's
BUSY = 0.05  # processor seconds per second above which the process was at work


class Watch:
    """Counts the seconds during which this process was stopped."""

    def __init__(self) -> None:
        self.paused, self.process = 0.0, os.getpid()
        self._lock = threading.Lock()
        self._last = (time.perf_counter(), time.process_time())
        threading.Thread(target=self._look_again, daemon=True).start()

    def look(self) -> float:
        """The current time of the clock without the pauses so far, in seconds."""
        with self._lock:
            now, worked = time.perf_counter(), time.process_time()
            gap = now - self._last[0]
            if gap > SHORTEST and worked - self._last[1] < BUSY * gap:
                self.paused += gap - INTERVAL
            self._last = (now, worked)
            return now - self.paused

    def _look_again(self) -> None:
        while True:
            time.sleep(INTERVAL)
            self.look()


_watch: Watch | None = None


def watch() -> Watch:
    """The watch of this process; a fork starts its own."""
    global _watch
    if _watch is None or _watch.process != os.getpid():
        _watch = Watch()
    return _watch
