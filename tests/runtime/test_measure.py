"""Seconds of a training by the kind of work."""

from contextlib import suppress

from tunegrid.runtime import measure


def test_what_a_training_spends_on_other_work_is_no_step_and_goes_on_after_an_interruption(monkeypatch):
    now = 100.0
    monkeypatch.setattr(measure, "clock", lambda: now)
    monkeypatch.setattr(measure, "paused_seconds", lambda: 0.5)
    times = measure.Timesheet()
    now += 3.0
    with times.counted_as("saving_seconds"):
        now += 0.25
    with suppress(KeyboardInterrupt), times.counted_as("evaluation_seconds"):
        now += 2.0
        raise KeyboardInterrupt
    spent = {"optimisation_seconds": 3.0, "evaluation_seconds": 2.0, "saving_seconds": 0.25, "paused_seconds": 0.0}
    assert times.seconds() == spent
    again = measure.Timesheet()
    again.earlier = spent | {"examples": 8}
    now += 1.0
    assert again.seconds() == spent | {"optimisation_seconds": 4.0}
