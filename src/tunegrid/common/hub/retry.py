"""Retries of requests to the Hub whose failure may pass by itself.

Variables for a network that is worse, or better, than most: TUNEGRID_HUB_TRIES (tries in a row that bring nothing,
default 6) and TUNEGRID_HUB_WAIT (seconds before the second try, default 1; doubled for each further one).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from tunegrid.common.hub.errors import is_transient, reason, scrub, unwrap

Answer = TypeVar("Answer")

LONGEST_WAIT = 60.0  # seconds between two tries
LONGEST_REQUESTED_WAIT = 300.0  # seconds, where the server itself says how long: the Hub counts per five minutes


def retry(request: Callable[[], Answer], received: Callable[[], int] = lambda: 0) -> Answer:
    """Calls `request` again while its failure may pass. A try after which more bytes are `received` does not count."""
    limit = int(os.environ.get("TUNEGRID_HUB_TRIES", 6))
    wait = float(os.environ.get("TUNEGRID_HUB_WAIT", 1.0))
    tries, most_received = 0, received()
    while True:
        try:
            return request()
        except Exception as error:
            if not is_transient(error):
                raise
            tries += 1
            if (now := received()) > most_received:
                tries, most_received = 0, now
            if tries >= limit:
                raise
            pause = max(min(wait * 2 ** max(tries - 1, 0), LONGEST_WAIT), _requested_pause(error))
            print(f"trying again in {pause:.0f} s: {scrub(reason(error))}", flush=True)
        time.sleep(pause)


def _requested_pause(error: BaseException) -> float:
    """Seconds that the server asks for before the next try."""
    headers = getattr(getattr(unwrap(error), "response", None), "headers", {})
    seconds = headers.get("Retry-After", "")
    return min(float(seconds), LONGEST_REQUESTED_WAIT) if seconds.isdigit() else 0.0
