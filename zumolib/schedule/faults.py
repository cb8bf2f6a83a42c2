"""What is wrong with a row of django-celery-beat's table, so that beat can neither schedule nor send it.

The table's own checks let such rows in: an impossible date, arguments that are not JSON, a queue that
nobody declared; and what is written past its checks (``QuerySet.update``, SQL) may be anything. Each fault
is a clause that says what is wrong. Arguments themselves are never part of it: they may be secret.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kombu.utils.json import loads

from zumolib.schedule import firings

if TYPE_CHECKING:
    from celery import Celery
    from django.db.models import QuerySet
    from django_celery_beat.models import PeriodicTask

# In the order in which django-celery-beat follows them, should a row have several.
KINDS = ("interval", "crontab", "solar", "clocked")
FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")  # as crontab(5) orders them
PERIODS = ("days", "hours", "minutes", "seconds", "microseconds")
MOMENTS = ("last_run_at", "start_time", "expires")
MOST_PRIORITY = 255
AHEAD = timedelta(days=1)  # by which a clock may have been wrong when an entry was sent
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = "never occurs"  # Celery's words for an impossible date


def legible(rows: QuerySet[PeriodicTask]) -> QuerySet[PeriodicTask]:
    """The same rows with the text of their moments: SQLite takes any, and Django reads None from most."""
    from django.db.models import TextField
    from django.db.models.functions import Cast

    return rows.annotate(**{f"{name}_text": Cast(name, TextField()) for name in MOMENTS})


def find(row: PeriodicTask, app: Celery) -> tuple[str, ...]:
    """All that is wrong with a row; nothing for one that beat can schedule and send.

    Parameters
    ----------
    row
        Best read by :func:`legible`, without which a moment that is not one counts as not set.
    app
        Whose queues it may name.
    """
    return (*of_schedule(row), *of_message(row, app))


def of_schedule(row: PeriodicTask) -> tuple[str, ...]:
    """What is wrong with when a row is due."""
    found = (*_schedule(row), *of_moments(row))
    return found or tuple(_start(row))


def of_message(row: PeriodicTask, app: Celery) -> tuple[str, ...]:
    """What is wrong with what a row sends, and where to."""
    return (
        *([] if str(row.task or "").strip() else ["it names no task"]),
        *_json(row, "args", list, "a list"),
        *_json(row, "kwargs", dict, "an object"),
        *_json(row, "headers", dict, "an object"),
        *_queue(row, app),
        *_numbers(row),
    )


def kind_of(row: PeriodicTask) -> str:
    """Which schedule a row follows: one of `KINDS`, empty where it has none."""
    return next((kind for kind in KINDS if getattr(row, f"{kind}_id") is not None), "")


def moment(row: PeriodicTask, name: str) -> datetime | None:
    """A moment of a row, with a zone; None where it is not set, or is not one."""
    try:
        value = getattr(row, name)
    except (ValueError, OverflowError):
        return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def arguments(row: PeriodicTask, name: str) -> Any:
    """What a column of JSON holds; a blank one and ``null`` are empty, as beat takes them.

    Raises
    ------
    ValueError
        It is not JSON.
    """
    try:
        return loads(getattr(row, name) or "null")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(str(error) or type(error).__name__) from None


def _schedule(row: PeriodicTask) -> Iterator[str]:
    from django.core.exceptions import ObjectDoesNotExist, ValidationError

    kind = kind_of(row)
    if not kind:
        yield "it has no schedule"
        return
    try:
        schedule = getattr(row, kind)
    except ObjectDoesNotExist:
        schedule = None
    except ValidationError as error:
        yield f"its {kind} cannot be read: {'; '.join(error.messages)}"
        return
    except (ValueError, TypeError, OverflowError) as error:
        yield f"its {kind} cannot be read: {error}"
        return
    if schedule is None:
        yield f"its {kind} (id {getattr(row, f'{kind}_id')}) does not exist any more"
        return
    yield from {"interval": _interval, "crontab": _crontab, "solar": _solar, "clocked": _clocked}[kind](
        schedule
    )
    if kind == "clocked" and not row.one_off:
        yield "it has one moment and is not one-off, so beat would send it again at every look"


def _start(row: PeriodicTask) -> Iterator[str]:
    start = moment(row, "start_time")
    if start is not None and start > datetime.now(UTC):
        try:
            row.due_start_time(UTC)  # beat waits for the first time after it
        except (OverflowError, ValueError):
            yield f"start_time {start:%Y-%m-%d %H:%M} reaches beyond the calendar"


def _interval(schedule: Any) -> Iterator[str]:
    every, period = schedule.every, schedule.period
    if period not in PERIODS:
        yield f"its interval counts in {period!r}, not in {', '.join(PERIODS)}"
    elif not isinstance(every, int) or every < 1:
        yield f"its interval is every {every!r} {period}; the least is 1"
    else:
        try:
            datetime.now(UTC) + timedelta(**{period: every})
        except OverflowError:
            yield f"its interval of {every} {period} reaches beyond the calendar"


def _crontab(schedule: Any) -> Iterator[str]:
    fields = {name: str(getattr(schedule, name)) for name in FIELDS}
    text = " ".join(fields.values())
    if schedule.timezone is None:
        yield f"its crontab {text!r} has no time zone"
    try:
        firings.check(firings.Cron(**fields))
    except (ValueError, TypeError) as error:
        what = "never fires" if NEVER in str(error) else "cannot be read"
        yield f"its crontab {text!r} {what}: {error}"


def _solar(schedule: Any) -> Iterator[str]:
    if importlib.util.find_spec("ephem") is None:
        yield "it follows the sun, which needs the package ephem; that is not installed here"
        return
    try:
        schedule.schedule.remaining_estimate(datetime.now(UTC))
    except Exception as error:  # noqa: BLE001 - ephem has errors of its own, of no common class
        yield f"its place or event of the sun cannot be computed: {error}"


def _clocked(schedule: Any) -> Iterator[str]:
    if not isinstance(schedule.clocked_time, datetime):
        yield "its moment is not one"


def of_moments(row: PeriodicTask) -> Iterator[str]:
    """What of a row's moments is not one; a row that is saved whole would lose it."""
    for name in MOMENTS:
        try:
            value = getattr(row, name)
        except (ValueError, OverflowError) as error:
            yield f"{name} is not a moment: {error}"
            continue
        text = getattr(row, f"{name}_text", None)
        if value is None and text:
            yield f"{name} is not a moment: {text[:40]!r}"
    last = moment(row, "last_run_at")
    if last is not None and last > datetime.now(UTC) + AHEAD:
        yield f"last_run_at lies in the future ({last:%Y-%m-%d %H:%M} UTC), and it is not due before that"
    elif last is not None and last < EARLIEST:
        yield f"last_run_at lies before {EARLIEST:%Y} ({last:%Y-%m-%d} UTC)"


def _json(row: PeriodicTask, column: str, wanted: type, called: str) -> Iterator[str]:
    try:
        value = arguments(row, column)
    except ValueError as error:
        yield f"{column} is not JSON: {error}"
        return
    if value is not None and not isinstance(value, wanted):
        yield f"{column} is not {called}"


def _queue(row: PeriodicTask, app: Celery) -> Iterator[str]:
    try:
        landing_queue(app, row.task, row.queue)
    except Exception as error:  # noqa: BLE001 - an app's routes are its own code, which may raise anything
        what = f"queue {row.queue!r}" if row.queue else "its queue"
        yield f"{what} cannot be resolved: {str(error).strip(chr(34)) or type(error).__name__}"


def _numbers(row: PeriodicTask) -> Iterator[str]:
    priority, expires, count = row.priority, row.expire_seconds, row.total_run_count
    if priority is not None and not (isinstance(priority, int) and 0 <= priority <= MOST_PRIORITY):
        yield f"priority {priority!r} is not a number from 0 to {MOST_PRIORITY}"
    if expires is not None:
        if not isinstance(expires, int) or expires < 0:
            yield f"expire_seconds {expires!r} is not a number of seconds"
        else:
            try:
                datetime.now(UTC) + timedelta(seconds=expires)
            except OverflowError:
                yield f"expire_seconds {expires} reaches beyond the calendar"
    if not isinstance(count, int):
        yield f"total_run_count {count!r} is not a number"


def landing_queue(app: Celery, task: str, queue: str | None = None) -> str:
    """The queue in which a call of `task` lands: the one asked for, else by route, else the default.

    Raises
    ------
    celery.exceptions.QueueNotFound
        The app does not know the queue, and makes none of its own accord.
    """
    options = app.amqp.router.route({"queue": queue} if queue else {}, task)
    return str(options["queue"].name)
