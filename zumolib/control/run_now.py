"""Run an entry now: send its task as beat would, without moving its times."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from zumolib.control import call, entry
from zumolib.errors import InputError
from zumolib.schedule import faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery

    from zumolib.control import catalog


@dataclass(frozen=True, kw_only=True, eq=False)
class RunNow(call.Call):
    """A call of an entry's task."""

    action = "run now"


def plan(app: Celery, name: str, *, known: Mapping[str, catalog.Task] | None = None) -> RunNow:
    """Plan to send an entry's task once, with its arguments, queue, priority, expiry and headers.

    Raises
    ------
    InputError
        When there is no such entry, or its arguments cannot be read.
    """
    row = entry.find(name)
    wrong = faults.of_message(row, app)
    if wrong:
        raise InputError(f"entry {name!r} cannot be sent: {'; '.join(wrong)}; correct the entry")
    args, kwargs, headers = (faults.arguments(row, column) for column in ("args", "kwargs", "headers"))
    made = call.plan(
        app,
        row.task,
        args or [],
        kwargs or {},
        queue=row.queue or None,
        priority=row.priority,
        expires=faults.moment(row, "expires") or row.expire_seconds or None,
        headers={**(headers or {}), "periodic_task_name": row.name},
        known=known,
    )
    values = {f.name: getattr(made, f.name) for f in fields(made)} | {
        "target": name,
        "summary": f"run {name} now: {made.summary}",
        "caveats": (*made.caveats, "its next firing stays where it is"),
        "asked": {**made.asked, "entry": name},
    }
    return RunNow(**values)
