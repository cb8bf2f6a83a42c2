"""Follow a task that was sent to its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from celery.exceptions import TimeoutError as NotReady
from celery.states import READY_STATES

from zumolib.conf import conf
from zumolib.control.sending import backend_errors
from zumolib.masking import mask_text, mask_value

if TYPE_CHECKING:
    from celery import Celery
    from celery.result import AsyncResult

LOOK_AGAIN = 1.0  # seconds


@dataclass(frozen=True)
class Change:
    """One state that a followed task came into."""

    state: str
    at: datetime  # UTC, when it was seen


@dataclass(frozen=True)
class Followed:
    """What became of a task."""

    id: str
    state: str
    result: Any = field(repr=False)  # or the exception; None while there is none
    traceback: str | None  # masked
    changes: tuple[Change, ...]
    ready: bool

    @property
    def text(self) -> str:
        """The result or the error as one masked text."""
        keys = conf().ZUMO_MASKED_KEYS
        if isinstance(self.result, BaseException):
            return mask_text(f"{type(self.result).__name__}: {self.result}", keys)
        return "" if self.result is None else mask_text(repr(mask_value(self.result, keys)), keys)


def follow(
    app: Celery,
    task_id: str,
    *,
    timeout: float = 60.0,
    changed: Callable[[Change], None] | None = None,
) -> Followed:
    """Wait for a task's result, told by the result backend as it happens.

    Parameters
    ----------
    timeout
        Seconds after which it is given up; the task itself goes on.
    changed
        Called with each new state.

    Raises
    ------
    BrokerError
        When the result backend does not answer.
    """
    result: AsyncResult = app.AsyncResult(task_id)
    changes: list[Change] = []

    def note(state: str) -> None:
        if not changes or changes[-1].state != state:
            changes.append(Change(state, datetime.now(UTC)))
            if changed is not None:
                changed(changes[-1])

    def told(meta: dict[str, Any]) -> None:
        # Celery passes on what it hears of every task that was sent from here.
        if meta.get("task_id") == task_id:
            note(str(meta.get("status")))

    end = time.monotonic() + timeout
    with backend_errors(app):
        # Listen before looking, so that no state falls between the two.
        app.backend.add_pending_result(result)
        while (state := str(result.state)) not in READY_STATES and (left := end - time.monotonic()) > 0:
            if state != "PENDING":
                note(state)
            # Look again now and then: what a backend says while its connection is gone, nobody hears.
            with suppress(NotReady):
                result.get(timeout=min(left, LOOK_AGAIN), propagate=False, interval=0.1, on_message=told)
        note(state)
        if state not in READY_STATES:
            return Followed(task_id, state, None, None, tuple(changes), ready=False)
        trace = mask_text(result.traceback, conf().ZUMO_MASKED_KEYS) if result.traceback else None
        return Followed(task_id, state, result.result, trace, tuple(changes), ready=True)
