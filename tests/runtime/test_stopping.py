"""Signals: noted at once, and interrupting only what may be interrupted."""

import os
import signal
import time

import pytest

from tunegrid.runtime.stopping import Interrupted, Stop


def test_a_signal_is_noted_and_interrupts_only_what_may_be_interrupted():
    asked, before = Stop(), signal.getsignal(signal.SIGTERM)
    with asked.listening():
        assert not asked.requested
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert (asked.requested, asked.by) == (True, "SIGTERM")
        with pytest.raises(Interrupted), asked.interrupting():
            pytest.fail("it had been asked to end")
    assert signal.getsignal(signal.SIGTERM) is before


def test_work_that_may_be_interrupted_is_at_once():
    asked, start = Stop(), time.monotonic()
    with asked.listening():
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        real = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Interrupted), asked.interrupting():
            time.sleep(30)
        signal.signal(signal.SIGALRM, real)
    assert time.monotonic() - start < 10


def test_who_ignores_the_end_of_the_terminal_goes_on():
    """As under nohup."""
    asked, before = Stop(), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with asked.listening():
        os.kill(os.getpid(), signal.SIGHUP)
        assert not asked.requested
    signal.signal(signal.SIGHUP, before)
