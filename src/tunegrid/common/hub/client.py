"""How TuneGrid asks the Hugging Face Hub: with patience, and without a secret in any line that it prints.

Variables for a network that is worse, or better, than most: TUNEGRID_HUB_TRIES (tries in a row that bring nothing,
default 6) and TUNEGRID_HUB_WAIT (seconds before the second try, default 1; doubled for each further one).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import requests
import tenacity
from huggingface_hub import configure_http_backend, constants
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from tunegrid.common.errors import TuneGridError
from tunegrid.common.hub.errors import Hiccup, Repo, ScrubLog, explain, offline, passes, reason, scrub

Answer = TypeVar("Answer")

LONGEST_WAIT = 60.0  # seconds between two tries
LONGEST_ASKED_WAIT = 300.0  # seconds, where the server itself says how long: the Hub counts requests per five minutes
TOO_MANY, TIMEOUT = 429, 408


class _Session(requests.Session):
    """Turns what may pass into one kind of error, so that one place decides about another try.

    huggingface_hub would try some requests again by itself, others not, and none after a 429.
    """

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            answer = super().request(method, url, *args, **kwargs)
        except requests.exceptions.SSLError:
            raise
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise Hiccup(str(error), answered=False) from error
        if answer.status_code >= 500 or answer.status_code in (TOO_MANY, TIMEOUT):
            asked = answer.headers.get("Retry-After", "")
            raise Hiccup(
                f"{constants.ENDPOINT} answers HTTP {answer.status_code} ({answer.reason})",
                answered=True,
                pause=min(float(asked), LONGEST_ASKED_WAIT) if asked.isdigit() else 0.0,
            )
        return answer


@contextmanager
def connection(repo: Repo) -> Iterator[None]:
    """Within, huggingface_hub uses our session and logs no secret, and every failure leaves as a TuneGridError."""
    if constants.HF_HUB_OFFLINE:
        raise offline(repo)
    # Xet's own transfer starts a file anew after an interruption; plain HTTP goes on, and the Hub serves both.
    xet, constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET, True
    bars = not are_progress_bars_disabled()
    handlers, cleaned = logging.getLogger("huggingface_hub").handlers, ScrubLog()
    for handler in handlers:
        handler.addFilter(cleaned)
    disable_progress_bars()
    configure_http_backend(_Session)
    try:
        yield
    except TuneGridError as error:
        raise TuneGridError(scrub(str(error))) from None
    except (Exception, KeyboardInterrupt) as error:
        raise explain(error, repo) from None
    finally:
        configure_http_backend()
        if bars:
            enable_progress_bars()
        for handler in handlers:
            handler.removeFilter(cleaned)
        constants.HF_HUB_DISABLE_XET = xet


def persistently(work: Callable[[], Answer], had: Callable[[], int] = lambda: 0) -> Answer:
    """Tries again what may pass. `had`: bytes that are there; a try that brought some does not count."""
    patience = _Patience(had)
    retry = tenacity.retry_if_exception(passes)
    return tenacity.Retrying(retry=retry, wait=patience.wait, stop=patience.stop, before_sleep=_say_so, reraise=True)(
        work
    )


def _say_so(state: tenacity.RetryCallState) -> None:
    print(f"trying again in {state.upcoming_sleep:.0f} s: {scrub(reason(state.outcome.exception()))}", flush=True)


class _Patience:
    """How long to wait, and when to give up: after so many tries in a row that brought nothing."""

    def __init__(self, had: Callable[[], int]) -> None:
        self.had, self.most, self.before = had, had(), 0
        self.tries = int(os.environ.get("TUNEGRID_HUB_TRIES", 6))
        self.first_wait = float(os.environ.get("TUNEGRID_HUB_WAIT", 1.0))

    def wait(self, state: tenacity.RetryCallState) -> float:
        doubled = self.first_wait * 2 ** max(self._in_vain(state) - 1, 0)
        return max(min(doubled, LONGEST_WAIT), getattr(state.outcome.exception(), "pause", 0.0))

    def stop(self, state: tenacity.RetryCallState) -> bool:
        return self._in_vain(state) >= self.tries

    def _in_vain(self, state: tenacity.RetryCallState) -> int:
        if (now := self.had()) > self.most:
            self.most, self.before = now, state.attempt_number
        return state.attempt_number - self.before
