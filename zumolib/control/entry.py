"""One entry of the schedule: found by its name, compared, and changed as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from zumolib.database import orm
from zumolib.deployment.database import database_errors
from zumolib.errors import InputError, ScheduleError
from zumolib.schedule import faults, pace, rows
from zumolib.schedule.when import When

if TYPE_CHECKING:
    from celery import Celery
    from django_celery_beat.models import PeriodicTask


def find(name: str) -> PeriodicTask:
    """The row of this name, whatever is wrong with it.

    Raises
    ------
    InputError
        When there is none.
    """
    orm.ready()
    from django_celery_beat.models import PeriodicTask

    with database_errors():
        row = rows.find(name)
        if row is None:
            near = PeriodicTask.objects.filter(name__icontains=name).values_list("name", flat=True)[:3]
            hint = f"did you mean {', '.join(near)}?" if near else "`zumo schedule list` shows all names"
            raise InputError(f"there is no entry {name!r}; {hint}")
    return row


def snapshot(row: PeriodicTask) -> dict[str, Any]:
    """What an action on an entry may change, as JSON."""
    return {
        "when": When.of(row).to_json(),
        "enabled": row.enabled,
        "last_run_at": last.isoformat() if (last := faults.moment(row, "last_run_at")) else None,
    }


def change(
    name: str, before: dict[str, Any], edit: Callable[[PeriodicTask], None], *, columns: Sequence[str]
) -> dict[str, Any]:
    """Edit an entry that is still as it was planned on; returns its snapshot afterwards.

    Parameters
    ----------
    columns
        What `edit` may set. Of a row that the table's own checks refuse as a whole, only these are written.

    Raises
    ------
    ScheduleError
        When somebody changed it meanwhile; nothing is written then.
    """
    from django.db import transaction

    with database_errors(), transaction.atomic():
        row = rows.find(name)
        if row is None:
            raise ScheduleError(f"entry {name!r} was deleted meanwhile; nothing was changed")
        now = snapshot(row)
        if any(now[key] != before[key] for key in ("when", "enabled")):
            raise ScheduleError(f"entry {name!r} was changed meanwhile; plan it again")
        edit(row)
        _write(row, columns)
        return snapshot(rows.find(name) or row)


def _write(row: PeriodicTask, columns: Sequence[str]) -> None:
    """Save a row; of one that cannot be saved whole, the columns that were changed.

    A bad row must be mended step by step: one that has no schedule can be switched off, and one whose
    expiry is garbage can be given other times.
    """
    from django.core.exceptions import ValidationError
    from django.db import transaction
    from django_celery_beat.models import PeriodicTask, PeriodicTasks

    if not any(faults.of_moments(row)):  # saved whole, it would lose a moment that cannot be read
        try:
            with transaction.atomic():
                row.save()  # tells beat; an update of the query set would not
            return
        except (ValidationError, ValueError, TypeError, OverflowError):
            pass  # what it complains of is not what was changed here
    PeriodicTask.objects.filter(pk=row.pk).update(**{name: getattr(row, name) for name in columns})
    PeriodicTasks.update_changed()


def caveats(row: PeriodicTask, app: Celery) -> tuple[str, ...]:
    """What is wrong with what a row sends, which other times do not mend."""
    found = faults.of_message(row, app)
    return (f"beat leaves it out as it is: {'; '.join(found)}",) if found else ()


SWITCHED = ("enabled", "last_run_at")
TIMES = (*(f"{kind}_id" for kind in faults.KINDS), "last_run_at")


def due_at_once(row: PeriodicTask, when: When, last_run_at: datetime, now: datetime) -> bool:
    """Whether beat, counting from this dispatch, would send it immediately."""
    if when.every is not None:
        return last_run_at + timedelta(seconds=when.every) <= now
    first = when.next(1, now=last_run_at)
    return first.empty or first["at"].iloc[0] <= now


def count_from(row: PeriodicTask, last_run_at: datetime | None) -> None:
    """Set the dispatch that beat counts from; None counts from the row's change, which is now.

    Of a row with a start time and no dispatch beat thinks that it was due long ago, and sends it at once.
    """
    row.last_run_at = (
        datetime.now(UTC) if last_run_at is None and faults.moment(row, "start_time") else last_run_at
    )


def parse(moment: str | None) -> datetime | None:
    """A moment of a snapshot."""
    return datetime.fromisoformat(moment).astimezone(UTC) if moment else None


def beat_caveat(app: Celery) -> str:
    """How soon beat follows."""
    return f"beat notices within {pace.loop_seconds(app):g} s, if it runs"
