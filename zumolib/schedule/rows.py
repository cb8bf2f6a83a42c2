"""The schedule in the database, read row by row: each row is an entry, or a bad one and what is wrong with it.

This is the only reader of django-celery-beat's table. One row that cannot be read, never fires or cannot
be sent leaves all others as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from zumolib.database import orm
from zumolib.schedule import faults, firings
from zumolib.schedule.faults import FIELDS, KINDS, kind_of, moment

if TYPE_CHECKING:
    from celery import Celery
    from django.db.models import QuerySet
    from django_celery_beat.models import PeriodicTask

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Row:
    """One row of the schedule."""

    name: str
    task: str
    queue: str  # where it lands; of one that names a queue which the app does not have, that name
    schedule: str  # readable
    kind: str  # interval, crontab, solar or clocked; empty where it has none
    enabled: bool
    timezone: str  # IANA name; of a crontab that has none, empty
    kwargs: dict[str, Any]  # empty where they cannot be read
    last_run_at: datetime | None
    start_time: datetime | None
    expires: datetime | None
    description: str
    when: firings.Spec | None  # None where no times can be computed
    faults: tuple[str, ...]  # what is wrong with it; empty for an entry that beat can send
    model: PeriodicTask

    @property
    def problem(self) -> str:
        """What is wrong with it, as one text; empty where nothing is."""
        return "; ".join(self.faults)


def read(app: Celery) -> tuple[Row, ...]:
    """Every row, by name.

    Parameters
    ----------
    app
        Whose routes decide where an entry without a queue lands.

    Raises
    ------
    django.db.DatabaseError
        The database does not answer, or has no such table.
    """
    return tuple(of(model, app) for model in models())


def of(model: PeriodicTask, app: Celery) -> Row:
    """What a row says."""
    wrong = faults.find(model, app)
    timing = faults.of_schedule(model)
    kind = kind_of(model)
    return Row(
        name=model.name,
        task=model.task,
        queue=_queue(model, app),
        schedule=text_of(model),
        kind=kind,
        enabled=bool(model.enabled),
        timezone=zone_of(model),
        kwargs=_kwargs(model),
        last_run_at=moment(model, "last_run_at"),
        start_time=moment(model, "start_time"),
        expires=moment(model, "expires"),
        description=model.description or "",
        when=None if timing else _when(model, kind),
        faults=wrong,
        model=model,
    )


def models() -> Iterator[PeriodicTask]:
    """All rows by name, as django-celery-beat's model; one by one where they cannot be read together."""
    orm.ready()
    from django_celery_beat.models import PeriodicTask

    every = faults.legible(PeriodicTask.objects.order_by("name"))
    try:
        # Not `all_as_schedule`: that gives only what is due soon.
        yield from list(every.select_related(*KINDS))
    except _unreadable():
        for key in PeriodicTask.objects.order_by("name").values_list("pk", flat=True):
            yield _single(every.filter(pk=key))


def find(name: str) -> PeriodicTask | None:
    """The row of this name, if there is one, however bad it is."""
    orm.ready()
    from django_celery_beat.models import PeriodicTask

    found = faults.legible(PeriodicTask.objects.filter(name=name))
    return _single(found) if found.values_list("pk", flat=True) else None


def _single(row: QuerySet[PeriodicTask]) -> PeriodicTask:
    """One row, with as much of it as can be read; what cannot raises when it is asked for."""
    try:
        return row.select_related(*KINDS).get()
    except _unreadable():
        pass
    try:
        return row.get()
    except _unreadable():
        return row.defer(*faults.MOMENTS, "date_changed").get()


def _unreadable() -> tuple[type[Exception], ...]:
    """What Django raises for a value that is not of its column's type."""
    from django.core.exceptions import ValidationError

    return (ValidationError, ValueError, TypeError, OverflowError)


def text_of(model: PeriodicTask) -> str:
    """A row's schedule as text: five crontab fields with their zone, its interval, or that it has none."""
    kind = kind_of(model)
    try:
        schedule = getattr(model, kind) if kind else None
    except Exception as error:  # noqa: BLE001 - what it is that cannot be read is among the faults
        return f"{kind} {_crontab_text(model) if kind == 'crontab' else type(error).__name__}"
    if schedule is None:
        return "none"
    if kind == "crontab":
        return (
            f"{' '.join(str(getattr(schedule, name)) for name in FIELDS)} ({schedule.timezone or 'no zone'})"
        )
    if kind == "interval" and schedule.period not in faults.PERIODS:
        return f"every {schedule.every} {schedule.period}"
    return str(schedule)


def _crontab_text(model: PeriodicTask) -> str:
    """The fields and the zone of a crontab whose zone is none, as they are stored."""
    from django.db.models import CharField
    from django.db.models.functions import Cast
    from django_celery_beat.models import CrontabSchedule

    stored = CrontabSchedule.objects.filter(pk=model.crontab_id).annotate(
        zone=Cast("timezone", CharField(max_length=63))
    )
    *fields, zone = stored.values_list(*FIELDS, "zone").get()
    return f"{' '.join(map(str, fields))} ({zone})"


def zone_of(model: PeriodicTask) -> str:
    """The zone of a row's crontab; UTC for every other schedule, empty where it cannot be read."""
    if kind_of(model) != "crontab":
        return "UTC"
    try:
        return str(model.crontab.timezone or "")
    except Exception:  # noqa: BLE001 - it is among the faults
        return ""


def _queue(model: PeriodicTask, app: Celery) -> str:
    try:
        return faults.landing_queue(app, model.task, model.queue)
    except Exception:  # noqa: BLE001 - it is among the faults
        return model.queue or UNKNOWN


def _kwargs(model: PeriodicTask) -> dict[str, Any]:
    try:
        found = faults.arguments(model, "kwargs")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _when(model: PeriodicTask, kind: str) -> firings.Spec | None:
    match kind:
        case "crontab":
            fields: dict[str, Any] = {name: getattr(model.crontab, name) for name in FIELDS}
            return firings.Cron(**fields, zone=str(model.crontab.timezone))
        case "interval":
            # Beat counts from the last dispatch; before the first one, from the row's last change.
            anchor = moment(model, "last_run_at") or moment(model, "date_changed")
            return firings.Every(model.interval.schedule.run_every.total_seconds(), anchor)
        case "clocked":
            return firings.Once(model.clocked.clocked_time)
    return None


def first_or_new(model: Any, **fields: Any) -> Any:
    """The first row with these fields, else a new one: there may be several, which get_or_create refuses."""
    return model.objects.filter(**fields).order_by("pk").first() or model.objects.create(**fields)
