"""Panels for notebooks that act on the running system: fields, preview, confirm, progress, receipt.

::

    from zumolib import widgets
    widgets.revoke(name="ats.tasks.*", state="active")

Every argument fills in a field and can be changed there. Nothing happens before a person has seen exactly
what is affected and has pressed the button; where no person is (papermill, a report) and where
``ZUMO_READ_ONLY`` is set, the preview is all there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zumolib.database import orm
from zumolib.deployment import target
from zumolib.widgets.panel import Panel
from zumolib.widgets.unheard import unheard

if TYPE_CHECKING:
    import pandas as pd
    from celery import Celery

    from zumolib.widgets.grid import Shown

__all__ = [
    "call", "entry", "limits", "pool", "queue", "receipts", "reschedule", "retry", "revoke", "table",
]  # fmt: skip


@unheard
def call(
    name: str = "", *, arguments: str = "", start: str = "", zone: str = "UTC", app: Celery | None = None
) -> Panel:
    """Call a task and follow it to its result.

    Parameters
    ----------
    name
        Of the task; what it begins to be typed with.
    arguments
        As JSON: an object with ``args`` and ``kwargs``, one of keyword arguments, or a list.
    start
        A duration from now, like ``10 min``, or a time in `zone`; empty means now.
    """
    from zumolib.widgets.calling import Call

    return Call(app or _app(), name=name, arguments=arguments, start=start, zone=zone)


@unheard
def revoke(
    name: str = "", *, queue: str = "", state: str = "", older: str = "", terminate: bool = False,
    zone: str = "UTC", app: Celery | None = None,
) -> Panel:  # fmt: skip
    """Revoke tasks, or end those that run.

    Parameters
    ----------
    state
        active, reserved, scheduled or queued; empty means all.
    older
        A duration that they must have been running, like ``10 min``.
    terminate
        Also end the processes of those that run.
    """
    from zumolib.widgets.revoking import Revoke

    return Revoke(
        app or _app(), name=name, queue=queue, state=state, older=older, terminate=terminate, zone=zone
    )


@unheard
def retry(
    name: str = "", *, queue: str = "", error: str = "", hours: float = 24, zone: str = "UTC",
    app: Celery | None = None,
) -> Panel:  # fmt: skip
    """Retry failed tasks of the last `hours`, from their real arguments."""
    from zumolib.widgets.retrying import Retry

    return Retry(app or _app(), name=name, queue=queue, error=error, hours=hours, zone=zone)


@unheard
def reschedule(
    entry: str = "", *, cron: str = "", every: str = "", zone: str = "UTC", app: Celery | None = None
) -> Panel:
    """Give an entry of the schedule other times.

    Parameters
    ----------
    cron
        Five fields, as ``30 2 * * *``.
    every
        Or an interval, as ``15 min``.
    zone
        In which firings are shown.
    """
    from zumolib.widgets.rescheduling import Reschedule

    return Reschedule(app or _app(), entry=entry, cron=cron, every=every, zone=zone)


@unheard
def entry(name: str = "", *, action: str = "disable", zone: str = "UTC", app: Celery | None = None) -> Panel:
    """Enable, disable or run entries now; `action` is one of these: ``enable``, ``disable``, ``run now``."""
    from zumolib.widgets.entries import Entry

    return Entry(app or _app(), entry=name, action=action, zone=zone)


@unheard
def queue(name: str = "", *, action: str = "pause", zone: str = "UTC", app: Celery | None = None) -> Panel:
    """Pause, resume or purge a queue; `action` is ``pause``, ``resume`` or ``purge``."""
    from zumolib.widgets.queues import Queue

    return Queue(app or _app(), queue=name, action=action, zone=zone)


@unheard
def limits(
    task: str = "", *, rate: str = "", soft: str = "", hard: str = "", zone: str = "UTC",
    app: Celery | None = None,
) -> Panel:  # fmt: skip
    """Change a task's rate limit (``10/m``), or its soft and hard time limits (``5 min``)."""
    from zumolib.widgets.limiting import Limits

    return Limits(app or _app(), task=task, rate=rate, soft=soft, hard=hard, zone=zone)


@unheard
def pool(
    worker: str = "", *, action: str = "grow", count: int = 1, zone: str = "UTC", app: Celery | None = None
) -> Panel:
    """Resize or end workers; `action` is ``grow``, ``shrink``, ``autoscale`` or ``shutdown``."""
    from zumolib.widgets.pools import Pool

    return Pool(app or _app(), worker=worker, action=action, count=count, zone=zone)


@unheard
def receipts(
    *, action: str = "", target: str = "", limit: int = 200, zone: str = "UTC", app: Celery | None = None
) -> Panel:
    """The last actions, with a way to take one back."""
    from zumolib.widgets.actions import Receipts

    return Receipts(app or _app(), action=action, target=target, limit=limit, zone=zone)


def table(frame: pd.DataFrame, **options: Any) -> Shown:
    """A frame that sorts and filters; see :func:`zumolib.widgets.grid.grid` for the options."""
    from zumolib.widgets.grid import Shown

    return Shown(frame, **options)


def _app() -> Celery:
    found = target.app()
    orm.ready()  # after the app, which may bring Django settings of its own
    return found
