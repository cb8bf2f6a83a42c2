"""Forget the timers of tasks that have ended.

A soft time limit is a timer in the worker's event loop. When its task ends, the timer is cancelled, and stays
in the loop's heap until it would have been due: with a limit of 55 minutes, all tasks of the last 55 minutes
are held at about half a kilobyte each, 180 MB at a hundred tasks a second. Here what was cancelled leaves
the heap within a minute.
"""

from __future__ import annotations

import heapq
from typing import Any

from celery import bootsteps

SECONDS = 60.0  # between two rounds; a round looks at every timer once


def forget_cancelled(timer: Any) -> int:
    """Take cancelled entries out of a :class:`kombu.asynchronous.timer.Timer`; returns how many.

    Call it in the thread of the event loop that owns the timer.
    """
    queue: list[Any] = timer._queue
    kept = [event for event in queue if not event.entry.canceled]
    gone = len(queue) - len(kept)
    if gone:
        heapq.heapify(kept)
        queue[:] = kept  # in place: the event loop holds on to this list
    return gone


class ForgetTimers(bootsteps.StartStopStep):
    """Worker step: once a minute, in workers that have an event loop."""

    requires = ("celery.worker.components:Hub",)

    def __init__(self, worker: Any, **options: Any) -> None:
        self._repeated: Any = None
        super().__init__(worker, **options)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Called for each connection to the broker, while the timer goes on."""
        if self._repeated is not None:
            self._repeated.cancel()
        self._repeated = hub.call_repeatedly(SECONDS, forget_cancelled, hub.timer)
