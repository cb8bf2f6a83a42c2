"""The window that a notebook looks at, and the history it looks into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from zumolib.conf import conf
from zumolib.errors import InputError

if TYPE_CHECKING:
    from zumolib.history import History


class Covered(Protocol):
    """What a history says of itself."""

    @property
    def last(self) -> datetime | None: ...
    @property
    def events(self) -> int: ...
    @property
    def source(self) -> str: ...


@dataclass(frozen=True)
class Window:
    """A stretch of time and the zone to show it in; `start` belongs to it, `end` does not."""

    start: datetime  # UTC
    end: datetime  # UTC
    zone: str = "UTC"  # IANA name

    @classmethod
    def until(cls, end: str = "", *, hours: float, zone: str = "UTC", now: datetime | None = None) -> Window:
        """The `hours` before `end` (ISO 8601, UTC where it names no zone; empty means `now`).

        Raises
        ------
        InputError
            For a text that is no time, an unknown zone or a window of no length.
        """
        if hours <= 0:
            raise InputError(f"hours={hours}: a window needs a length; pass hours=24")
        last = moment(end) if end else now or conf().now()
        return cls(last - timedelta(hours=hours), last, known_zone(zone))

    @classmethod
    def day(cls, day: str = "", *, zone: str = "UTC", now: datetime | None = None) -> Window:
        """A day in UTC (YYYY-MM-DD; empty means today), today only up to `now`.

        Raises
        ------
        InputError
            For a text that is no date, or a day that has not begun.
        """
        now = now or conf().now()
        wanted = calendar_day(day) if day else now.date()
        start = datetime.combine(wanted, time(), UTC)
        if start > now:
            raise InputError(
                f"{wanted} has not begun (it is {now:%Y-%m-%d %H:%M} UTC); pass {now.date()} or earlier"
            )
        return cls(start, min(start + timedelta(days=1), now), known_zone(zone))

    @property
    def hours(self) -> float:
        """Length of the window."""
        return (self.end - self.start) / timedelta(hours=1)

    def note(self, coverage: Covered) -> str:
        """Source, age and completeness of what a history says about this window, as one line."""
        if coverage.last is None:
            return f"{coverage.source}: nothing recorded yet"
        behind = (self.end - coverage.last).total_seconds()
        state = (
            "covers the window to its end" if behind < 60 else f"ends {_about(behind)} before the window does"
        )
        first = getattr(coverage, "first", None)
        if first is not None and (late := (first - self.start).total_seconds()) > 60:
            state += f", begins {_about(late)} after its start"
        return f"Source: {coverage.source}, {state}; as of {self.end:%Y-%m-%d %H:%M:%S} UTC"


def moment(text: str) -> datetime:
    """A time written as ISO 8601, as UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is no time; write it like 2026-11-18T06:30:00 (UTC)") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def calendar_day(text: str) -> date:
    """A day written as YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is no date; write it like 2026-11-18") from None


def known_zone(zone: str) -> str:
    """The zone's name, if there is such a zone."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"{zone!r} is no time zone; write it like UTC or Europe/Paris") from None
    return zone


def open_history(folder: str = "") -> History:
    """The history in a folder; empty means the one that the settings name."""
    from zumolib.history import History

    return History(Path(folder).expanduser() if folder else conf().history)


def _about(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
