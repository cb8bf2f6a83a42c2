"""Expand schedule entries into firings: the moments at which they are due.

Celery's own ``crontab`` is the oracle of what is due, and stepping it through a year takes minutes. Here
the five fields become numpy sets and the whole window is answered at once. What differs from a cron
library, because Celery differs:

- day of month and day of week must both match (cron libraries take either);
- a row has its own time zone, and Celery steps by wall-clock time: where clocks go forward, the first
  firing inside the missing hour moves forward by the gap and the rest of that hour is dropped, up to
  the wall-clock time that it moved to; where clocks go back, the hour that repeats fires once, the
  first time.

The firings are those of a beat that runs throughout and dispatches on time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zumolib.errors import InputError

Seconds = NDArray[np.int64]  # whole seconds since 1970, in UTC or on a zone's wall clock
DAY = 86_400


@dataclass(frozen=True)
class Cron:
    """A crontab entry, its fields in Celery's syntax."""

    minute: str = "*"
    hour: str = "*"
    day_of_week: str = "*"
    day_of_month: str = "*"
    month_of_year: str = "*"
    zone: str = "UTC"  # IANA name


@dataclass(frozen=True)
class Every:
    """An interval entry: due each time `seconds` have passed since it was last dispatched."""

    seconds: float
    anchor: datetime | None = None  # a dispatch; None: the phase is unknown and counts from 1970


@dataclass(frozen=True)
class Once:
    """An entry due at one moment only."""

    at: datetime


Spec = Cron | Every | Once


def expand(entries: Sequence[Spec | None], start: datetime, end: datetime) -> pd.DataFrame:
    """All firings of some entries in a window.

    Parameters
    ----------
    entries
        What is due when. ``None`` stands for an entry that has no times of its own (a solar one) and
        gives no firings.
    start, end
        The window, with a time zone; `start` belongs to it, `end` does not.

    Returns
    -------
    pandas.DataFrame
        One row a firing, by time, then entry: ``entry`` (int64, position in `entries`) and ``at``
        (datetime64[us, UTC]).

    Raises
    ------
    InputError
        A field, a zone or an interval that Celery would refuse, with the position of its entry.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise InputError(f"the window {start} to {end} has no time zone; pass times in UTC")
    parts: list[NDArray[np.float64]] = [np.empty(0)]
    counts = []
    for position, entry in enumerate(entries):
        try:
            at = _due(entry, start, end)
        except (ValueError, TypeError, ZoneInfoNotFoundError) as error:
            raise InputError(f"entry {position} ({entry}) cannot be due: {error}") from None
        parts.append(at)
        counts.append(len(at))
    frame = pd.DataFrame(
        {
            "entry": np.repeat(np.arange(len(counts)), counts).astype(np.int64),
            "at": pd.to_datetime((np.concatenate(parts) * 1e6).round().astype(np.int64), unit="us", utc=True),
        }
    )
    return frame.sort_values(["at", "entry"], ignore_index=True)


def _due(entry: Spec | None, start: datetime, end: datetime) -> NDArray[np.float64]:
    """Seconds since 1970 at which one entry is due."""
    first, last = start.timestamp(), end.timestamp()
    match entry:
        case Cron():
            return _cron(entry, first, last).astype(np.float64)
        case Every():
            if entry.seconds <= 0:
                raise ValueError(f"an interval must be longer than 0 s, not {entry.seconds} s")
            anchor = entry.anchor.timestamp() if entry.anchor else 0.0
            steps = np.arange(
                np.ceil((first - anchor) / entry.seconds), np.ceil((last - anchor) / entry.seconds)
            )
            return np.asarray(anchor + steps * entry.seconds, dtype=np.float64)
        case Once():
            at = entry.at.timestamp()
            return np.array([at] if first <= at < last else [])
        case None:
            return np.empty(0)


def _cron(entry: Cron, first: float, last: float) -> Seconds:
    clock = _clock(entry.zone, int(first) - 2 * DAY, int(last) + 2 * DAY)
    days, minutes = _fields(entry)
    # A day more on both sides: the window is in UTC, the fields are on the zone's wall clock.
    day = np.arange(int(first) // DAY - 1, -(-int(last) // DAY) + 2)
    date = day.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    of_month = (date - month).astype(np.int64) + 1
    of_week = (day + 4) % 7  # 1970-01-01 was a Thursday; Celery counts from Sunday
    wanted = days[month.astype(np.int64) % 12, of_month - 1, of_week]
    walls = (day[wanted, None] * DAY + minutes * 60).ravel()
    at = clock.to_utc(walls)
    return at[(at >= first) & (at < last)]


def check(entry: Cron) -> None:
    """Raise for fields that Celery would refuse, or that never fire.

    Raises
    ------
    ValueError
        With Celery's own words.
    """
    _fields(entry)


@lru_cache(maxsize=4096)
def _fields(entry: Cron) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which days match, as [month, day of month, day of week], and the minutes of such a day."""
    from celery.schedules import ParseException, crontab  # Celery's own parser, and its checks

    try:
        parsed = crontab(entry.minute, entry.hour, entry.day_of_week, entry.day_of_month, entry.month_of_year)
    except ParseException as error:
        raise ValueError(error) from None
    days = np.zeros((12, 31, 7), dtype=np.bool_)
    months = [m - 1 for m in parsed.month_of_year]
    dates = [d - 1 for d in parsed.day_of_month]
    days[np.ix_(months, dates, list(parsed.day_of_week))] = True
    minutes = np.array(
        [h * 60 + m for h in sorted(parsed.hour) for m in sorted(parsed.minute)], dtype=np.int64
    )
    return days, minutes


@dataclass(frozen=True)
class _Clock:
    """A zone's wall clock between two moments: where its offset from UTC changes."""

    change: Seconds  # in UTC
    offset: Seconds  # one more than `change`: before the first, between, after the last

    def to_utc(self, walls: Seconds) -> Seconds:
        """UTC of ascending wall-clock times, as a beat would step through them."""
        before, after = self.offset[:-1], self.offset[1:]
        for gap_starts, gap in zip(self.change + before, after - before, strict=True):
            if gap > 0:
                inside = walls[(walls >= gap_starts) & (walls < gap_starts + gap)]
                if len(inside):
                    # Celery goes on from the moment it dispatched at, which the clock shows later.
                    walls = walls[(walls <= inside[0]) | (walls > inside[0] + gap)]
        # Of two readings Celery keeps the first: the old offset holds until the later of both.
        return (
            walls - self.offset[np.searchsorted(self.change + np.maximum(before, after), walls, side="right")]
        )


@lru_cache(maxsize=256)
def _clock(zone: str, first: int, last: int) -> _Clock:
    info = ZoneInfo(zone)

    def offset(at: int) -> int:
        moment = datetime.fromtimestamp(at, UTC).astimezone(info)
        return int((moment.utcoffset() or timedelta()).total_seconds())

    change, offsets = [], [offset(first)]
    for low in range(first, last, DAY):
        high = min(low + DAY, last)
        while offset(high) != offset(low):
            below, above = low, high
            while above - below > 1:
                middle = (below + above) // 2
                below, above = (middle, above) if offset(middle) == offset(low) else (below, middle)
            change.append(above)
            offsets.append(offset(above))
            low = above
    return _Clock(np.array(change, dtype=np.int64), np.array(offsets, dtype=np.int64))
