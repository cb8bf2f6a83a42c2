"""The schedule in the database: install entries once, keep operators' edits, show what differs.

The entries are not in ``app.conf.beat_schedule``: from there django-celery-beat would write them over an
operator's changes at every start of beat.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from zumolib.conf import permission
from zumolib.database import orm
from zumolib.errors import ScheduleError
from zumolib.platform.entries import BY_NAME, ENTRIES, Cron, Entry
from zumolib.schedule import faults
from zumolib.schedule import rows as reader
from zumolib.schedule.faults import landing_queue

if TYPE_CHECKING:
    from celery import Celery
    from django_celery_beat.models import PeriodicTask


@dataclass(frozen=True)
class Installation:
    """What :func:`install` did, by name of entry."""

    installed: tuple[str, ...]
    kept: tuple[str, ...]  # were there already, edited or not
    refused: tuple[str, ...]  # their task is not known to the app


@dataclass(frozen=True)
class Difference:
    """One point in which the database differs from the code."""

    name: str
    field: str  # "row" where the whole row is missing or foreign
    code: Any
    database: Any


def known_tasks(app: Celery) -> frozenset[str]:
    """Names of all tasks that the app registers."""
    app.loader.import_default_modules()
    return frozenset(app.tasks)


def chosen(names: Sequence[str]) -> tuple[Entry, ...]:
    """The entries of these names; all for no names.

    Raises
    ------
    ScheduleError
        For a name that is no entry.
    """
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise ScheduleError(f"no entry is named {unknown[0]!r}; `zumo schedule list --code` shows all names")
    return tuple(BY_NAME[name] for name in names) or ENTRIES


def install(app: Celery, names: Sequence[str] = ()) -> Installation:
    """Put entries into the database that are not there yet; never touch one that is.

    Parameters
    ----------
    app : Celery
        Whose tasks the entries must name.
    names : sequence of str
        Entries to install. With none, all are installed whose task the app knows.

    Raises
    ------
    ScheduleError
        If an entry asked for by name does not exist, or its task is not known to the app. Nothing is
        installed then.
    ReadOnly
        When one is missing and actions are not wanted.
    """
    orm.ready()
    from django.db import transaction
    from django_celery_beat.models import PeriodicTask

    entries = chosen(names)
    tasks = known_tasks(app)
    refused = tuple(entry.name for entry in entries if entry.task not in tasks)
    if names and refused:
        entry = BY_NAME[refused[0]]
        raise ScheduleError(
            f"entry {entry.name!r} is refused: the app knows no task {entry.task!r}; "
            "add the task's module to the app, then install again"
        )
    with transaction.atomic():
        there = set(PeriodicTask.objects.values_list("name", flat=True))
        missing = [entry for entry in entries if entry.name not in there and entry.name not in refused]
        if missing:
            permission.check()
        for entry in missing:
            _create(entry)
    installed = tuple(entry.name for entry in missing)
    kept = tuple(entry.name for entry in entries if entry.name in there)
    return Installation(installed, kept, refused)


def _create(entry: Entry) -> PeriodicTask:
    from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

    when: dict[str, Any]
    if isinstance(entry.when, Cron):
        when = {"crontab": reader.first_or_new(CrontabSchedule, timezone="UTC", **entry.when.fields())}
    else:
        fields = {"every": entry.when.minutes, "period": IntervalSchedule.MINUTES}
        when = {"interval": reader.first_or_new(IntervalSchedule, **fields)}
    return PeriodicTask.objects.create(
        name=entry.name,
        task=entry.task,
        kwargs=json.dumps(entry.kwargs),
        queue=entry.queue,
        description=entry.description,
        **when,
    )


def rows(app: Celery, *, now: datetime | None = None) -> list[dict[str, Any]]:
    """Every row of the schedule, in the order of the code, then of the name.

    Returns
    -------
    list of dict
        ``name``, ``category``, ``task``, ``schedule`` (text), ``queue`` (where it will land), ``kwargs``,
        ``enabled``, ``description``, ``last_run_at`` and ``next_firing`` (UTC datetimes or None), and
        ``problem``: what is wrong with a row that beat can neither schedule nor send, empty for others.
    """
    now = now or datetime.now(UTC)
    order = {name: index for index, name in enumerate(BY_NAME)}
    found = sorted(reader.read(app), key=lambda row: (order.get(row.name, len(order)), row.name))
    return [
        {
            "name": row.name,
            "category": BY_NAME[row.name].category if row.name in BY_NAME else "",
            "task": row.task,
            "schedule": row.schedule,
            "queue": row.queue,
            "kwargs": row.kwargs,
            "enabled": row.enabled,
            "description": row.description,
            "last_run_at": row.last_run_at,
            "next_firing": next_firing(row, now),
            "problem": row.problem,
        }
        for row in found
    ]


def code_rows(app: Celery) -> list[dict[str, Any]]:
    """The entries of the code in the form of :func:`rows`; nothing is known of when they run."""
    return [
        {
            "name": entry.name,
            "category": entry.category,
            "task": entry.task,
            "schedule": f"{entry.when} (UTC)" if isinstance(entry.when, Cron) else str(entry.when),
            "queue": landing_queue(app, entry.task, entry.queue),
            "kwargs": dict(entry.kwargs),
            "enabled": True,
            "description": entry.description,
            "last_run_at": None,
            "next_firing": None,
            "problem": "",
        }
        for entry in ENTRIES
    ]


def next_firing(row: reader.Row, now: datetime) -> datetime | None:
    """When a row is due next, to the second; None while it is disabled, or bad."""
    if not row.enabled or row.faults:
        return None
    remaining = row.model.schedule.remaining_estimate(row.last_run_at or now)
    # Celery took the time a moment after `now`: what remains is short by that.
    return (now + max(remaining, timedelta(0)) + timedelta(milliseconds=500)).replace(microsecond=0)


def drift(entries: Iterable[Entry] = ENTRIES) -> list[Difference]:
    """In what the database differs from the code: edited, missing and foreign rows."""
    there = {row.name: row for row in reader.models()}
    found: list[Difference] = []
    for entry in entries:
        row = there.pop(entry.name, None)
        if row is None:
            found.append(Difference(entry.name, "row", "present", "missing"))
            continue
        code, database = _code_fields(entry), _row_fields(row)
        found += [
            Difference(entry.name, name, code[name], database[name])
            for name in code
            if code[name] != database[name]
        ]
    found += [Difference(name, "row", "missing", "present") for name in there]
    return found


def _code_fields(entry: Entry) -> dict[str, Any]:
    when: Mapping[str, Any]
    if isinstance(entry.when, Cron):
        when = {**entry.when.fields(), "timezone": "UTC"}
    else:
        when = {"minutes": entry.when.minutes}
    return {
        "task": entry.task,
        "schedule": dict(when),
        "queue": entry.queue,
        "kwargs": dict(entry.kwargs),
        "enabled": True,
    }


def _row_fields(row: PeriodicTask) -> dict[str, Any]:
    when: dict[str, Any]
    kind = faults.kind_of(row)
    if faults.of_schedule(row) or kind not in ("crontab", "interval"):
        when = {"other": reader.text_of(row)}
    elif kind == "crontab":
        names = (*Cron.__dataclass_fields__, "timezone")
        when = {name: str(getattr(row.crontab, name)) for name in names}
    else:
        minutes = row.interval.schedule.run_every.total_seconds() / 60
        when = {"minutes": int(minutes) if minutes.is_integer() else minutes}
    try:
        kwargs = faults.arguments(row, "kwargs") or {}
    except ValueError:
        kwargs = "not JSON"
    return {
        "task": row.task,
        "schedule": when,
        "queue": row.queue,
        "kwargs": kwargs,
        "enabled": row.enabled,
    }


_held: list[TextIO] = []  # keeps the lock's file open as long as the process lives


def hold_lock(path: Path) -> None:
    """Take the lock of the only beat. It ends with the process, however that ends.

    Raises
    ------
    ScheduleError
        While another beat holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise ScheduleError(
            f"another beat is running (process {holder}, lock {path}); two would send every entry twice. "
            "Stop it first"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    _held.append(file)
