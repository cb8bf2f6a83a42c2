"""Equal stretches of time, as a person of the window's zone counts them.

A bucket of an hour or less is a length of time, begun at the midnight before the window: it is the same
length on the day that clocks change, and the hour that is told twice makes two buckets. A longer one
follows the wall clock: a day is from midnight to midnight, be it 23, 24 or 25 hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from zumolib.errors import InputError
from zumolib.frames.window import Window

# The shortest is twice as long as the time between two samples, so that no bucket stays empty by chance.
STEPS = tuple(
    timedelta(seconds=s) for s in (10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400)
)
POINTS = 300  # about as many as a screen tells apart
MOST = 100_000  # buckets; more are a slip of the unit

HOUR = timedelta(hours=1)
GRAIN = timedelta(minutes=15)  # clocks are put forward and back at multiples of it
_MICROSECOND = timedelta(microseconds=1)


def step_of(span: timedelta, points: int = POINTS) -> timedelta:
    """Length of one bucket, so that a span has at most about `points` of them."""
    wanted = span / points
    return next((step for step in STEPS if step >= wanted), STEPS[-1])


@dataclass(frozen=True)
class Buckets:
    """A window cut into buckets.

    Raises
    ------
    InputError
        For a step of no length, or one that makes more buckets than anybody looks at.
    """

    window: Window
    step: timedelta

    def __post_init__(self) -> None:
        if self.step < timedelta(milliseconds=1):
            raise InputError(f"step={self.step}: a bucket needs a length; pass timedelta(minutes=5)")
        if (self.window.end - self.window.start) / self.step > MOST:
            raise InputError(
                f"step={self.step}: more than {MOST:,} in the window; pass {step_of(self.window.end - self.window.start)}"
            )

    def sql(self, column: str) -> str:
        """The number of the bucket that a time falls into, as SQL."""
        moment = f'epoch_us("{column}")'
        if self._follows_clock:
            # Only now and then does a clock change, so what to add is soon found.
            cases = [f"WHEN {moment} < {until} THEN {offset}" for until, offset in self._offsets[:-1]]
            last = self._offsets[-1][1]
            moment = (
                f"({moment} + CASE {' '.join(cases)} ELSE {last} END)" if cases else f"({moment} + {last})"
            )
        return f"({moment} - {self._origin}) // {self._length}"

    def starts(self, numbers: pd.Series | np.ndarray) -> pd.DatetimeIndex:
        """When the buckets of these numbers begin, in the window's zone."""
        begin = self._origin + np.asarray(numbers, dtype="int64") * self._length
        moments = pd.DatetimeIndex(begin.astype("datetime64[us]"))
        if self._follows_clock:
            first = np.ones(len(moments), dtype=bool)  # of a time that is told twice
            return moments.tz_localize(self.window.zone, ambiguous=first, nonexistent="shift_forward")
        return moments.tz_localize("UTC").tz_convert(self.window.zone)

    def numbers(self) -> range:
        """Every bucket of the window."""
        first, last = (self._number(at) for at in (self.window.start, self.window.end - _MICROSECOND))
        return range(first, last + 1)

    def _number(self, at: datetime) -> int:
        moment = _microseconds(at)
        if self._follows_clock:
            moment += _microseconds(at.astimezone(ZoneInfo(self.window.zone)).replace(tzinfo=None)) - moment
        return (moment - self._origin) // self._length

    @property
    def _length(self) -> int:
        return self.step // _MICROSECOND

    @property
    def _follows_clock(self) -> bool:
        return self.step > HOUR

    @cached_property
    def _origin(self) -> int:
        """Where bucket 0 begins, in microseconds: before every time of the window."""
        place = ZoneInfo(self.window.zone)
        midnight = datetime.combine(self.window.start.astimezone(place).date(), time())
        if not self._follows_clock:
            return _microseconds(midnight.replace(tzinfo=place))
        # A clock that is put back at midnight shows the day before once more.
        return _microseconds(midnight) - self._length

    @cached_property
    def _offsets(self) -> list[tuple[int, int]]:
        """Up to when (exclusive) the zone's clock is so far ahead of UTC, in microseconds; in order."""
        begin = pd.Timestamp(self.window.start).floor(GRAIN)
        grains = pd.date_range(begin, self.window.end, freq=GRAIN, unit="us")
        wall = grains.tz_convert(self.window.zone).tz_localize(None)
        ahead = (wall - grains.tz_localize(None)) // _MICROSECOND
        changes = np.flatnonzero(np.diff(ahead)) + 1
        until = [_microseconds(at) for at in grains[changes].to_pydatetime()]
        return [
            (moment, int(ahead[index]))
            for moment, index in zip([*until, 2**62], [*(changes - 1), len(ahead) - 1], strict=True)
        ]


def _microseconds(at: datetime) -> int:
    epoch = datetime(1970, 1, 1, tzinfo=at.tzinfo and ZoneInfo("UTC"))
    return (at - epoch) // _MICROSECOND
