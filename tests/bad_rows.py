"""Rows of every kind that django-celery-beat lets in and beat cannot schedule or send, and sound ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

HOSTILE = "\x1b[31m<script>alert(1)</script>'; DROP TABLE x;-- ‮ "
# Name of the row, and a part of what is said to be wrong with it. Written past the model's own checks, as
# `bulk_create`, `QuerySet.update` and SQL do.
BAD = {
    "never": "its crontab '0 0 31 2 *' never fires",
    "unreadable fields": "its crontab '99 * * * *' cannot be read",
    "blank fields": "cannot be read",
    "on Mars": "Invalid timezone 'Mars/Olympus'",
    "no zone": "has no time zone",
    "no schedule": "it has no schedule",
    "gone schedule": "its crontab (id 4711) does not exist any more",
    "every zero": "its interval is every 0 seconds",
    "every minus": "its interval is every -5 minutes",
    "every fortnight": "its interval counts in 'fortnights'",
    "beyond": "reaches beyond the calendar",
    "overflow": "reaches beyond the calendar",
    "sun": "needs the package ephem",
    "clock for ever": "it has one moment and is not one-off",
    "python kwargs": "kwargs is not JSON",
    "list kwargs": "kwargs is not an object",
    "object args": "args is not a list",
    "text args": "args is not a list",
    "deep args": "args is not JSON",
    "odd headers": "headers is not an object",
    "broken headers": "headers is not JSON",
    "lost queue": "queue 'nowhere' cannot be resolved",
    "no task": "it names no task",
    "priority": "priority 300 is not a number from 0 to 255",
    "expiry": "expire_seconds 'soon' is not a number of seconds",
    "long expiry": "expire_seconds 999999999999 reaches beyond the calendar",
    "expires garbage": "expires is not a moment: 'tomorrow'",
    "expires 13th month": "expires is not a moment",
    "starts in 9999": "start_time 9999-12-31 23:30 reaches beyond the calendar",
    "sent tomorrow": "last_run_at lies in the future",
    "sent in year one": "last_run_at lies before 1970",
    "counted": "total_run_count 'many' is not a number",
    HOSTILE: "its crontab '0 0 30 2 *' never fires",
}
SOUND = (
    "every microsecond",
    "blank kwargs",
    "null kwargs",
    "clock past",
    "good",
    "odd time 29 Feb",
)


def plant(task: str = "zumodra.celery.debug_task", *, every: int = 1) -> None:
    """Write all of them into an empty schedule on SQLite, whose columns take any type."""
    from django.db import connection
    from django_celery_beat.models import (
        ClockedSchedule,
        CrontabSchedule,
        IntervalSchedule,
        PeriodicTask,
        SolarSchedule,
    )

    hourly = CrontabSchedule.objects.create(minute="0", timezone="UTC")
    often = IntervalSchedule.objects.create(every=every, period="seconds")
    past = ClockedSchedule.objects.create(clocked_time=datetime.now(UTC) - timedelta(days=3))

    far = datetime(9999, 12, 31, tzinfo=UTC)

    def cron(*fields: str, zone: str = "UTC") -> CrontabSchedule:
        names = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
        return CrontabSchedule.objects.create(timezone=zone, **dict(zip(names, fields, strict=True)))

    def interval(every: int, period: str) -> IntervalSchedule:
        return IntervalSchedule.objects.create(every=every, period=period)

    made: dict[str, dict[str, Any]] = {
        "never": {"crontab": cron("0", "0", "31", "2", "*")},
        "unreadable fields": {"crontab": cron("99", "*", "*", "*", "*")},
        "blank fields": {"crontab": cron("", "*", "*", "*", "*")},
        "on Mars": {"crontab": cron("5", "*", "*", "*", "*")},
        "no zone": {"crontab": cron("6", "*", "*", "*", "*")},
        "no schedule": {},
        "gone schedule": {"crontab": hourly},
        "every zero": {"interval": interval(0, "seconds")},
        "every minus": {"interval": interval(-5, "minutes")},
        "every fortnight": {"interval": interval(2, "fortnights")},
        "beyond": {"interval": interval(999_999_999, "days")},
        "overflow": {"interval": interval(2**40, "days")},
        "sun": {"solar": SolarSchedule.objects.create(event="sunrise", latitude=48, longitude=2)},
        "clock for ever": {"clocked": past},
        "python kwargs": {"interval": often, "kwargs": "{'id': 39}"},
        "list kwargs": {"interval": often, "kwargs": "[1]"},
        "object args": {"interval": often, "args": '{"id": 39}'},
        "text args": {"interval": often, "args": '"abc"'},
        "deep args": {"interval": often, "args": "[" * 100_000},
        "odd headers": {"interval": often, "headers": "[1]"},
        "broken headers": {"interval": often, "headers": "{"},
        "lost queue": {"interval": often, "queue": "nowhere"},
        "no task": {"interval": often, "task": ""},
        "priority": {"interval": often, "priority": 300},
        "expiry": {"interval": often},
        "long expiry": {"interval": often, "expire_seconds": 999_999_999_999},
        "expires garbage": {"interval": often},
        "expires 13th month": {"interval": often},
        "counted": {"interval": often},
        "sent tomorrow": {"interval": often, "last_run_at": datetime(2999, 1, 1, tzinfo=UTC)},
        "sent in year one": {"interval": often, "last_run_at": datetime(1, 1, 1, 3, tzinfo=UTC)},
        "starts in 9999": {"crontab": hourly, "start_time": datetime(9999, 12, 31, 23, 30, tzinfo=UTC)},
        "every microsecond": {"interval": interval(1, "microseconds"), "expires": far},
        HOSTILE: {"crontab": cron("0", "0", "30", "2", "*")},
        "blank kwargs": {"crontab": hourly, "args": "", "kwargs": ""},
        "null kwargs": {"crontab": hourly, "args": "null", "kwargs": "null"},
        "clock past": {"clocked": past, "one_off": True},
        "odd time 29 Feb": {"crontab": cron("0", "0", "29", "2", "1")},
        "good": {"interval": often},
    }
    PeriodicTask.objects.bulk_create(
        [PeriodicTask(**{"name": name, "task": task, **values}) for name, values in made.items()]
    )
    raw = {
        "on Mars": ("django_celery_beat_crontabschedule", "timezone", "Mars/Olympus", "minute = '5'"),
        "no zone": ("django_celery_beat_crontabschedule", "timezone", "", "minute = '6'"),
        "expiry": ("django_celery_beat_periodictask", "expire_seconds", "soon", "name = 'expiry'"),
        "garbage": ("django_celery_beat_periodictask", "expires", "tomorrow", "name = 'expires garbage'"),
        "month": (
            *("django_celery_beat_periodictask", "expires", "2026-13-01 00:00:00"),
            "name = 'expires 13th month'",
        ),
        "counted": ("django_celery_beat_periodictask", "total_run_count", "many", "name = 'counted'"),
        "gone": ("django_celery_beat_periodictask", "crontab_id", 4711, "name = 'gone schedule'"),
    }
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        for table, column, value, where in raw.values():
            cursor.execute(f"UPDATE {table} SET {column} = %s WHERE {where}", [value])
        cursor.execute("PRAGMA ignore_check_constraints = OFF")
        cursor.execute("PRAGMA foreign_keys = ON")
