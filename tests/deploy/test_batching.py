"""Requests that arrive together are answered together, in their order, within bounds, and none is lost."""

import threading
import time
from concurrent.futures import CancelledError

import pytest

from tunegrid.deploy.batching import Batcher, QueueFull, Stopped


class Model:
    """Answers rows when it is let; keeps what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.let, self.asked = threading.Event(), threading.Event()

    def __call__(self, rows):
        self.batches.append([row["text"] for row in rows])
        self.asked.set()
        assert self.let.wait(10)
        if any(row["text"] == "bad" for row in rows):
            raise ValueError("cannot answer")
        return [{"prediction": row["text"].upper()} for row in rows]


def rows(*texts: str) -> list[dict]:
    return [{"text": text} for text in texts]


def texts(answers) -> list[str]:
    return [answer["prediction"] for answer in answers.result(10)]


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def batcher(model):
    sizes = []
    batcher = Batcher(model, batch_rows=4, queue_rows=6, on_batch=sizes.append)
    batcher.sizes = sizes
    # The first request occupies the model, so that those after it wait.
    batcher.first = batcher.submit(rows("first"))
    assert model.asked.wait(10)
    yield batcher
    model.let.set()
    batcher.stop()


def test_what_waits_is_answered_together_up_to_the_rows_of_a_batch(model, batcher):
    waiting = [batcher.submit(rows(*names)) for names in (["a"], ["b", "c"], ["d", "e"])]
    assert batcher.waiting_rows == 5
    model.let.set()
    assert [texts(answers) for answers in (batcher.first, *waiting)] == [["FIRST"], ["A"], ["B", "C"], ["D", "E"]]
    assert model.batches == [["first"], ["a", "b", "c"], ["d", "e"]]
    batcher.stop()
    assert (batcher.sizes, batcher.waiting_rows) == ([1, 3, 2], 0)


def test_no_more_rows_wait_than_may(model, batcher):
    waiting = [batcher.submit(rows("a", "b", "c")), batcher.submit(rows("d", "e", "f"))]
    with pytest.raises(QueueFull):
        batcher.submit(rows("g"))
    model.let.set()
    assert [texts(answers) for answers in waiting] == [["A", "B", "C"], ["D", "E", "F"]]


def test_a_request_with_more_rows_than_the_queue_is_taken_when_nothing_waits(model, batcher):
    large = batcher.submit(rows(*"abcdefgh"))
    model.let.set()
    assert texts(large) == list("ABCDEFGH")


def test_a_request_that_fails_does_not_fail_its_neighbours(model, batcher):
    waiting = [batcher.submit(rows(text)) for text in ("a", "bad", "b")]
    model.let.set()
    assert [texts(waiting[0]), texts(waiting[2])] == [["A"], ["B"]]
    with pytest.raises(ValueError, match="cannot answer"):
        waiting[1].result(10)


def test_a_request_that_nobody_waits_for_any_more_is_not_computed(model, batcher):
    given_up, kept = batcher.submit(rows("a")), batcher.submit(rows("b"))
    assert given_up.cancel()
    assert batcher.waiting_rows == 1, "it keeps nobody from waiting"
    model.let.set()
    assert texts(kept) == ["B"]
    assert model.batches == [["first"], ["b"]]
    with pytest.raises(CancelledError):
        given_up.result(0)
    batcher.stop()
    assert (batcher.accepted, batcher.answered, batcher.given_up) == (3, 2, 1)


def test_stopping_answers_what_was_taken_and_takes_no_more(model, batcher):
    waiting = [batcher.submit(rows(name)) for name in "abc"]
    stopping = threading.Thread(target=batcher.stop)
    stopping.start()
    while not batcher._stopped:
        pass
    with pytest.raises(Stopped):
        batcher.submit(rows("late"))
    model.let.set()
    stopping.join(10)
    assert not stopping.is_alive()
    assert [answers.result(0)[0]["prediction"] for answers in waiting] == ["A", "B", "C"]


class Slow:
    """Takes half a second for a batch; keeps how many rows each had, and when it began."""

    def __init__(self) -> None:
        self.sizes, self.began = [], []

    def __call__(self, rows):
        self.began.append(time.perf_counter())
        self.sizes.append(len(rows))
        time.sleep(0.5)
        return rows


def test_those_who_were_answered_together_are_waited_for():
    batcher = Batcher(slow := Slow(), batch_rows=8, queue_rows=100)
    for _ in range(3):  # first one alone with the others behind it, then all of them together
        for answers in [batcher.submit(rows(text)) for text in "abcde"]:
            answers.result(10)
    batcher.stop()
    assert sum(slow.sizes) == 15
    assert slow.sizes[-2:] == [5, 5]


def test_who_asks_alone_does_not_wait():
    batcher = Batcher(slow := Slow(), batch_rows=8, queue_rows=100)
    asked = []
    for text in "abc":
        asked.append(time.perf_counter())
        batcher.submit(rows(text)).result(10)
    batcher.stop()
    assert slow.sizes == [1, 1, 1]
    assert min(began - at for began, at in zip(slow.began[1:], asked[1:], strict=True)) < 0.04  # a tenth is .05


def test_a_batch_whose_requests_are_given_up_while_it_waits_for_more_is_none():
    batcher = Batcher(Slow(), batch_rows=8, queue_rows=100)
    for answers in [batcher.submit(rows("a", "b")), batcher.submit(rows("c", "d"))]:
        answers.result(10)
    assert batcher.submit(rows("e")).cancel()
    assert batcher.submit(rows("f")).result(10) == rows("f")
    batcher.stop()
    assert (batcher.accepted, batcher.answered, batcher.given_up) == (4, 3, 1)
