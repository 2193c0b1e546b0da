"""Requests that arrive while the model computes are answered together, by one thread, out of a bounded queue."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from tunegrid.tasks import Row

Answer = dict[str, Any]
PATIENCE = 0.1  # of the time of a batch: what the next one waits for those who are expected


class QueueFull(Exception):
    """So many rows are waiting already that no more are taken."""


class Stopped(Exception):
    """The server takes no more requests."""


@dataclass(frozen=True, eq=False)
class _Request:
    rows: list[Row]
    answers: Future[list[Answer]] = field(default_factory=Future)


class Batcher:
    """Answers requests in the order in which they came, as many at once as wait, up to a number of rows.

    Clients that were answered together ask again within moments of each other. A batch that began with the first of
    them would leave the others waiting for the time of a whole batch, so it waits a little for as many rows as there
    were at the end of the last batch, answered or waiting. A client that asks alone is not kept waiting.

    Attributes:
        accepted: requests that were taken.
        answered: those of them that have an answer, or an error for one.
        given_up: those that were cancelled, because nobody waited for them any more.
    """

    def __init__(
        self,
        answer: Callable[[list[Row]], list[Answer]],
        *,
        batch_rows: int,
        queue_rows: int,
        on_batch: Callable[[int], None] = lambda rows: None,
    ) -> None:
        """Starts the thread.

        Args:
            answer: one answer per row, in their order; only ever called by the one thread.
            batch_rows: rows that are answered together; a request with more is answered alone.
            queue_rows: rows that may wait, those that are being answered not counted.
            on_batch: called with the number of rows of each batch.
        """
        self._answer, self._on_batch = answer, on_batch
        self._batch_rows, self._queue_rows = batch_rows, queue_rows
        self._waiting: deque[_Request] = deque()
        self._rows = 0  # that are waiting
        self._expected_rows, self._patience = 0, 0.0  # of the next batch; how long it waits for them, in seconds
        self.accepted = self.answered = self.given_up = 0
        self._stopped = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    @property
    def waiting_rows(self) -> int:
        return self._rows

    def submit(self, rows: list[Row]) -> Future[list[Answer]]:
        """The answers to come of a request's rows. A future that is cancelled before its turn costs nothing.

        Raises:
            QueueFull: too many rows are waiting.
            Stopped: `stop` was called.
        """
        request = _Request(rows)
        with self._change:
            if self._stopped:
                raise Stopped
            if self._rows and self._rows + len(rows) > self._queue_rows:
                raise QueueFull
            self._waiting.append(request)
            self._rows += len(rows)
            self.accepted += 1
            self._change.notify()
        request.answers.add_done_callback(lambda answers: self._done(request))
        return request.answers

    def stop(self) -> None:
        """Takes no more requests, and returns when those that were taken have their answers."""
        with self._change:
            self._stopped = True
            self._change.notify()
        self._thread.join()

    def _done(self, request: _Request) -> None:
        with self._change:
            if not request.answers.cancelled():
                self.answered += 1
                return
            self.given_up += 1
            if request in self._waiting:
                self._waiting.remove(request)
                self._rows -= len(request.rows)

    def _work(self) -> None:
        while batch := self._next():
            live = [request for request in batch if request.answers.set_running_or_notify_cancel()]
            if live:
                self._answer_together(live)

    def _next(self) -> list[_Request]:
        """The requests of the next batch; waits for one. []: there will be none."""
        with self._change:
            while True:
                self._change.wait_for(lambda: self._waiting or self._stopped)
                self._change.wait_for(self._has_all_expected, self._patience)
                if self._waiting or self._stopped:  # neither: all were cancelled while more were expected
                    break
            batch: list[_Request] = []
            rows = 0
            while self._waiting and (not batch or rows + len(self._waiting[0].rows) <= self._batch_rows):
                batch.append(self._waiting.popleft())
                rows += len(batch[-1].rows)
            self._rows -= rows
            return batch

    def _has_all_expected(self) -> bool:
        return self._stopped or self._rows >= min(self._expected_rows, self._batch_rows)

    def _answer_together(self, requests: list[_Request]) -> None:
        rows = [row for request in requests for row in request.rows]
        began = time.perf_counter()
        try:
            answers = self._answer(rows)
        except Exception as error:
            if len(requests) == 1:
                requests[0].answers.set_exception(error)
                return
            for request in requests:  # the fault of one of them is not that of the others
                self._answer_together([request])
            return
        self._patience = PATIENCE * (time.perf_counter() - began)
        self._expected_rows = self._rows + len(rows)
        self._on_batch(len(rows))
        start = 0
        for request in requests:
            request.answers.set_result(answers[start : start + len(request.rows)])
            start += len(request.rows)
