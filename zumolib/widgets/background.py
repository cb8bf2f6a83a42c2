"""Blocking work beside a notebook's kernel, which stays responsive.

All widgets are changed in the kernel's own thread; only the work itself runs in another. Where no event
loop runs (a script, a test), and where a notebook runs without a person, the work is done at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from zumolib.conf import headless

T = TypeVar("T")

_tasks: set[asyncio.Task[None]] = set()  # the loop itself holds them weakly only


def run(work: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
    """Do `work` in a thread, then call `done` with what it gave, or `failed` with its error."""
    loop = _loop()
    if loop is None:
        _report(_attempt(work), done, failed)
        return

    async def supervise() -> None:
        _report(await asyncio.to_thread(_attempt, work), done, failed)

    task = loop.create_task(supervise())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def from_thread(call: Callable[..., None]) -> Callable[..., None]:
    """Of a function that changes widgets, one that may be called by work in a thread."""
    loop = _loop()
    if loop is None:
        return call

    def handed_over(*arguments: Any) -> None:
        loop.call_soon_threadsafe(call, *arguments)

    return handed_over


class Later:
    """A call that waits until nothing has asked for it for a moment: the end of typing."""

    def __init__(self, call: Callable[[], None], seconds: float) -> None:
        self._call, self._seconds = call, seconds
        self._handle: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """Call it in a moment; a call that was asked for before is forgotten."""
        self.forget()
        loop = _loop()
        if loop is None:
            self._call()
        else:
            self._handle = loop.call_later(self._seconds, self._call)

    def forget(self) -> None:
        """Do not call it any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


def _loop() -> asyncio.AbstractEventLoop | None:
    """The kernel's loop; none where nobody would see what comes later."""
    if headless():
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _attempt(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    from django.db import connections

    try:
        return work(), None
    except Exception as error:  # noqa: BLE001 - whatever it is, it is shown in the widget
        return None, error
    finally:
        if _loop() is None:  # a thread of ours; each has its own connection to the database
            connections.close_all()


def _report(
    outcome: tuple[T | None, Exception | None],
    done: Callable[[T], None],
    failed: Callable[[Exception], None],
) -> None:
    value, error = outcome
    if error is None:
        try:
            done(value)  # type: ignore[arg-type]
        except Exception as in_showing:  # noqa: BLE001 - else it would be lost in the kernel's log
            failed(in_showing)
    else:
        failed(error)
