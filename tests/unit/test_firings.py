"""Firings against Celery's own crontab, stepped one dispatch at a time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from celery.schedules import crontab
from django_celery_beat.tzcrontab import TzAwareCrontab
from hypothesis import given, settings
from hypothesis import strategies as st

from zumolib.errors import InputError
from zumolib.schedule.firings import Cron, Every, Once, expand


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def stepped(entry: Cron, start: datetime, end: datetime) -> list[datetime]:
    """What a beat that is always on time dispatches, by Celery's classes."""
    zone = ZoneInfo(entry.zone)
    oracle = TzAwareCrontab(
        entry.minute, entry.hour, entry.day_of_week, entry.day_of_month, entry.month_of_year, tz=zone
    )
    # Begin early: what is due right after `start` depends on what was dispatched before.
    last, found = start - timedelta(days=3), []
    while last < end:
        oracle.nowfun = lambda now=last: now.astimezone(zone)
        last = last + oracle.remaining_estimate(last)
        if start <= last < end:
            found.append(last)
    return found


def ours(entry: Cron, start: datetime, end: datetime) -> list[datetime]:
    return [at.to_pydatetime() for at in expand([entry], start, end)["at"]]


MINUTES = ("0", "*/30", "5,50", "7-40/11")
HOURS = ("*", "2", "*/6", "1-3,23")
WEEKDAYS = ("*", "sunday", "mon-fri", "6")
DATES = ("*", "1", "13", "1-7,28-31")
MONTHS = ("*", "2", "*/5")


@pytest.mark.parametrize(("weekday", "date", "month"), list(product(WEEKDAYS, DATES, MONTHS)))
def test_days_are_those_of_celery(weekday: str, date: str, month: str) -> None:
    entry = Cron("30", "2,14", weekday, date, month)
    window = utc(2026, 1, 25), utc(2027, 4, 5)
    assert ours(entry, *window) == stepped(entry, *window)


@pytest.mark.parametrize(("minute", "hour"), list(product(MINUTES, HOURS)))
@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("UTC", utc(2026, 3, 29)),
        ("Europe/Paris", utc(2026, 3, 29)),  # clocks go forward at 02:00
        ("Europe/Paris", utc(2026, 10, 25)),  # clocks go back at 03:00
        ("America/St_Johns", utc(2026, 3, 8)),  # three and a half hours behind
        ("Australia/Lord_Howe", utc(2026, 10, 3)),  # clocks go forward by half an hour
        ("Australia/Lord_Howe", utc(2026, 4, 4)),  # and back
    ],
)
def test_times_are_those_of_celery_when_clocks_change(
    minute: str, hour: str, zone: str, day: datetime
) -> None:
    entry = Cron(minute, hour, zone=zone)
    window = day - timedelta(hours=20), day + timedelta(hours=44)
    assert ours(entry, *window) == stepped(entry, *window)


# wall clock  | spring in Paris, 02:00 becomes 03:00 | autumn in Paris, 03:00 becomes 02:00
# 30 2 * * *  | 03:30                                | 02:30 once
# */30 2 * * *| 03:00 (02:30 is dropped)             | 02:00, 02:30 once
@pytest.mark.parametrize(
    ("entry", "day", "expected"),
    [
        (Cron("30", "2", zone="Europe/Paris"), utc(2026, 3, 29), ["01:30"]),
        (Cron("*/30", "2", zone="Europe/Paris"), utc(2026, 3, 29), ["01:00"]),
        (Cron("30", "2", zone="Europe/Paris"), utc(2026, 10, 25), ["00:30"]),
        (Cron("*/30", "2", zone="Europe/Paris"), utc(2026, 10, 25), ["00:00", "00:30"]),
    ],
)
def test_the_two_days_on_which_clocks_change(entry: Cron, day: datetime, expected: list[str]) -> None:
    assert [f"{at:%H:%M}" for at in ours(entry, day, day + timedelta(days=1))] == expected


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.integers(2, high).map(lambda step: f"*/{step}"),
        st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        st.lists(number, min_size=1, max_size=4, unique=True).map(lambda some: ",".join(map(str, some))),
    )


@settings(max_examples=60, deadline=None)
@given(
    minute=field(0, 59),
    hour=field(0, 23),
    weekday=field(0, 6),
    date=field(1, 28),
    zone=st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu"]),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)),
)
def test_any_crontab_agrees_with_celery(
    minute: str, hour: str, weekday: str, date: str, zone: str, start: datetime
) -> None:
    entry = Cron(minute, hour, weekday, date, zone=zone)
    window = start.replace(tzinfo=UTC), start.replace(tzinfo=UTC) + timedelta(hours=30)
    assert ours(entry, *window) == stepped(entry, *window)


def test_the_oracle_is_the_plain_crontab_in_utc() -> None:
    entry = Cron("15", "4", "sunday", "1-7")
    plain = crontab("15", "4", "sunday", "1-7", nowfun=lambda: utc(2026, 1, 1))
    first = utc(2026, 1, 1) + plain.remaining_estimate(utc(2026, 1, 1))
    assert ours(entry, utc(2026, 1, 1), utc(2026, 2, 1)) == [first]


def test_an_interval_keeps_the_phase_of_its_last_dispatch_in_both_directions() -> None:
    entry = Every(900, anchor=utc(2026, 5, 1, 12, 7, 3))
    at = expand([entry], utc(2026, 5, 1, 11, 30), utc(2026, 5, 1, 12, 30))["at"]
    assert [f"{t:%H:%M:%S}" for t in at] == ["11:37:03", "11:52:03", "12:07:03", "12:22:03"]


def test_an_interval_without_a_dispatch_counts_from_1970() -> None:
    at = expand([Every(1800)], utc(2026, 5, 1, 11, 1), utc(2026, 5, 1, 12, 1))["at"]
    assert [f"{t:%H:%M}" for t in at] == ["11:30", "12:00"]


def test_the_start_belongs_to_the_window_and_the_end_does_not() -> None:
    assert ours(Cron("0", "*"), utc(2026, 5, 1, 1), utc(2026, 5, 1, 2)) == [utc(2026, 5, 1, 1)]
    once = [Once(utc(2026, 5, 1, 1)), Once(utc(2026, 5, 1, 2))]
    assert list(expand(once, utc(2026, 5, 1, 1), utc(2026, 5, 1, 2))["entry"]) == [0]


def test_columns_and_order() -> None:
    frame = expand([Cron("0", "2"), None, Cron("0", "1,2")], utc(2026, 5, 1), utc(2026, 5, 2))
    assert [(row.entry, row.at.hour) for row in frame.itertuples()] == [(2, 1), (0, 2), (2, 2)]
    assert frame.dtypes["entry"] == "int64"
    assert frame.dtypes["at"] == pd.DatetimeTZDtype("us", "UTC")
    empty = expand([], utc(2026, 5, 1), utc(2026, 5, 2))
    assert list(empty.dtypes) == list(frame.dtypes)


@pytest.mark.parametrize(
    "entry",
    [Cron("61"), Cron("x"), Cron(zone="Mars/Base"), Cron(day_of_month="31", month_of_year="2"), Every(0)],
)
def test_what_celery_refuses_is_an_input_error_that_names_the_entry(entry: Cron | Every) -> None:
    with pytest.raises(InputError, match="entry 1 "):
        expand([Cron(), entry], utc(2026, 5, 1), utc(2026, 5, 2))


def test_a_window_without_a_zone_is_refused() -> None:
    with pytest.raises(InputError, match="time zone"):
        expand([], datetime(2026, 5, 1), datetime(2026, 5, 2))


def test_a_year_of_a_hundred_entries_is_fast() -> None:
    entries = [Cron(str(n % 60), ("*", "*/6", str(n % 24))[n % 3], zone="Europe/Paris") for n in range(80)]
    entries += [Every(300 * (1 + n % 6)) for n in range(20)]
    expand(entries, utc(2026, 1, 1), utc(2026, 1, 2))
    began = time.process_time()
    frame = expand(entries, utc(2026, 1, 1), utc(2027, 1, 1))
    assert time.process_time() - began < 1.5  # 0.2 s on a quiet machine
    assert len(frame) > 500_000
