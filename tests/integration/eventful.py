"""Sends what many workers would say of many tasks: ``python -m tests.integration.eventful URL LEAST PACE``.

The events are made by Celery's own dispatcher, with the app's class, and batched as a worker batches them.
It goes on until it is terminated and has told of LEAST tasks, with at most PACE tasks a second, and then
prints how many. The id of a task is its number.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import Any

from celery import Celery
from celery.events import EventDispatcher

from tests.integration import tiny

BATCH = 12  # events of a message


class Telling:
    """A dispatcher that outlives its connection, as a worker's does."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._dispatcher: EventDispatcher | None = None

    def send(self, kind: str, **fields: Any) -> None:
        """Tell of one event, now or with the next ones."""
        if self._dispatcher is None:
            self._connect()
        assert self._dispatcher is not None
        self._dispatcher.send(kind, **fields)
        while self._dispatcher._outbound_buffer:
            self._connect()

    def flush(self) -> None:
        """Send what is held."""
        assert self._dispatcher is not None
        self._dispatcher.flush()
        while self._dispatcher._outbound_buffer:
            self._connect()

    def _connect(self) -> None:
        connection = self._app.connection_for_write()
        connection.ensure_connection(max_retries=200, interval_start=0.1, interval_max=0.5)
        before, made = (
            self._dispatcher,
            self._app.events.Dispatcher(
                connection, hostname="worker@eventful", buffer_group={"task"}, buffer_limit=BATCH
            ),
        )
        if before is not None:
            made.extend_buffer(before)
            made._group_buffer = before._group_buffer
            made.flush()
        self._dispatcher = made


def main(url: str, least: int, pace: float, stop: threading.Event) -> int:
    """Tell of tasks; returns of how many."""
    telling = Telling(tiny.make(url))
    began, number = time.monotonic(), 0
    while number < least or not stop.is_set():
        task_id = str(number)
        telling.send(
            "task-sent", uuid=task_id, name="eventful", queue="tiny", retries=0, args="()", kwargs="{}"
        )
        telling.send("task-received", uuid=task_id, name="eventful", retries=0, args="()", kwargs="{}")
        telling.send("task-started", uuid=task_id)
        telling.send("task-succeeded", uuid=task_id, result="None", runtime=0.001)
        number += 1
        ahead = number / pace - (time.monotonic() - began)
        if ahead > 0:
            stop.wait(ahead)
            if stop.is_set() and number < least:
                time.sleep(ahead)  # what is left comes at the same pace
    telling.flush()
    return number


if __name__ == "__main__":
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    print(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), ended), flush=True)
