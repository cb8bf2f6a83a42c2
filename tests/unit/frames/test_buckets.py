"""Windows cut into equal stretches, as the clock on the wall of their zone counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.unit.frames.told import Told, write
from zumolib.errors import InputError
from zumolib.frames import tasks
from zumolib.frames.buckets import Buckets, step_of
from zumolib.frames.window import Window

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SPRING = Window.days("2026-03-28", days=3, zone="Europe/Paris")  # 23 hours on the 29th
AUTUMN = Window.days("2026-10-24", days=3, zone="Europe/Paris")  # 25 hours on the 25th


# window     | buckets of
# an hour    | 30 s (15 s would be enough, the next step is 30)
# a day      | 5 min
# a month    | 3 h, next step 6 h
@pytest.mark.parametrize(("hours", "seconds"), [(1, 30), (24, 300), (720, 21_600), (1 / 60, 10)])
def test_buckets_grow_with_the_window(hours: float, seconds: int) -> None:
    assert step_of(timedelta(hours=hours)) == timedelta(seconds=seconds)


# window | step | hours that each bucket of the three days lasts
@pytest.mark.parametrize(
    ("window", "step", "lasts"),
    [
        (SPRING, DAY, [24, 23, 24]),
        (AUTUMN, DAY, [24, 25, 24]),
        (SPRING, 6 * HOUR, [6, 6, 6, 6, 5, 6, 6, 6, 6, 6, 6, 6]),
        (AUTUMN, 6 * HOUR, [6, 6, 6, 6, 7, 6, 6, 6, 6, 6, 6, 6]),
        (AUTUMN, 3 * DAY, [73]),
        (SPRING, HOUR, [1] * 71),
        (AUTUMN, HOUR, [1] * 73),
        (Window.days("2026-04-23", days=2, zone="Africa/Cairo"), DAY, [24, 23]),  # no midnight on the 24th
        (Window.days("2026-10-29", days=2, zone="Africa/Cairo"), DAY, [25, 24]),  # two midnights on the 30th
        (Window.days("2026-04-04", days=2, zone="Australia/Lord_Howe"), DAY, [24, 24.5]),  # half an hour
    ],
)
def test_a_long_bucket_follows_the_clock_and_a_short_one_is_a_length(
    window: Window, step: timedelta, lasts: list[float]
) -> None:
    buckets = Buckets(window, step)
    starts = buckets.starts(list(buckets.numbers()))
    ends = [*starts[1:], pd.Timestamp(window.end)]
    assert [(end - start) / HOUR for start, end in zip(starts, ends, strict=True)] == lasts
    assert starts[0] == pd.Timestamp(window.start)


@pytest.mark.parametrize("window", [SPRING, AUTUMN, Window.days("2026-11-16", days=2, zone="Asia/Kathmandu")])
@pytest.mark.parametrize("step", [timedelta(minutes=10), HOUR, 2 * HOUR, 6 * HOUR, DAY])
def test_a_time_is_in_the_bucket_that_began_last(window: Window, step: timedelta) -> None:
    buckets = Buckets(window, step)
    every = pd.Series(buckets.numbers())
    starts = buckets.starts(every)
    moments = pd.DataFrame(
        {"at": pd.date_range(window.start, window.end, freq="7min", inclusive="left", unit="us")}
    )
    with duckdb.connect() as connection:
        connection.register("moments", moments)
        found = connection.sql(f"SELECT {buckets.sql('at')} AS number FROM moments").df()["number"]
    expected = starts.searchsorted(moments["at"].dt.tz_convert(window.zone), side="right") - 1
    assert (found.to_numpy() == every.to_numpy()[expected]).all()


def test_an_hour_begins_when_the_wall_clock_says_so() -> None:
    window = Window(
        datetime(2026, 11, 16, 1, tzinfo=UTC), datetime(2026, 11, 16, 3, tzinfo=UTC), "Asia/Kathmandu"
    )
    buckets = Buckets(window, HOUR)
    starts = buckets.starts(list(buckets.numbers()))
    assert [f"{at:%H:%M}" for at in starts] == ["06:00", "07:00", "08:00"]  # 5 h 45 min ahead


def test_frames_by_the_day_when_clocks_change(tmp_path: Path) -> None:
    told = [Told(AUTUMN.start + hour * HOUR, 1, 2, 3) for hour in range(73)]
    history = write(tmp_path, told)
    days = tasks.throughput(history, AUTUMN, by=(), step=DAY)
    assert days["finished"].tolist() == [24, 25, 24]
    assert [f"{at:%d %H:%M %z}" for at in days["at"]] == [
        "24 00:00 +0200", "25 00:00 +0200", "26 00:00 +0100",
    ]  # fmt: skip
    hours = tasks.latency(history, AUTUMN, by=(), step=HOUR)
    assert hours["count"].tolist() == [1] * 73, "the hour that is told twice is two hours"
    assert hours["at"].dt.hour.value_counts()[2] == 4


@pytest.mark.parametrize(
    ("step", "said"),
    [(timedelta(0), "needs a length"), (-HOUR, "needs a length"), (timedelta(seconds=1), "pass 0:15")],
)
def test_what_is_no_step_says_so(step: timedelta, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Buckets(SPRING, step)
