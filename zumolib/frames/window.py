"""The window that a notebook looks at, and the history it looks into."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from zumolib.conf import conf
from zumolib.errors import InputError

if TYPE_CHECKING:
    from zumolib.history import Coverage


QUIET = 900  # seconds without an event that are no gap: the schedule has such pauses
SOURCES = {
    "stream": "a stream on the broker: nothing is lost while the recorder is away",
    "queue": "a durable queue on the broker: nothing is lost while the recorder is away",
    "pubsub": "live broadcasts: what is sent while the recorder is away is missing",
}


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

    @classmethod
    def days(cls, start: str = "", *, days: int, zone: str = "UTC", now: datetime | None = None) -> Window:
        """Whole days from the midnight (of `zone`) that begins a day (YYYY-MM-DD; empty means today).

        Raises
        ------
        InputError
            For a text that is no date, an unknown zone or a window of no length.
        """
        if days <= 0:
            raise InputError(f"days={days}: a window needs a length; pass days=7")
        place = ZoneInfo(known_zone(zone))
        first = calendar_day(start) if start else (now or conf().now()).astimezone(place).date()
        begin, end = (datetime.combine(d, time(), place) for d in (first, first + timedelta(days=days)))
        return cls(begin.astimezone(UTC), end.astimezone(UTC), zone)

    @property
    def hours(self) -> float:
        """Length of the window."""
        return (self.end - self.start) / timedelta(hours=1)

    def note(self, coverage: Coverage) -> str:
        """Source, age and completeness of what the history says about this window, as one line."""
        if coverage.first is None:
            return "Source: recorded history, nothing recorded yet"
        state = " and ".join(self._gaps(coverage)) or "covers the whole window"
        return f"Source: recorded history, {state}; as of {self.end:%Y-%m-%d %H:%M} UTC"

    def _gaps(self, coverage: Coverage) -> list[str]:
        """What is missing of the window, in words."""
        if coverage.first is None or coverage.last is None:
            return ["nothing recorded yet"]
        gaps = []
        if (behind := (self.end - coverage.last).total_seconds()) >= QUIET:
            gaps.append(f"ends {_about(behind)} before the window does")
        if (late := (coverage.first - self.start).total_seconds()) >= QUIET:
            gaps.append(f"begins {_about(late)} after the window does")
        if coverage.source == "pubsub":
            gaps.append("events sent while no recorder ran are missing")
        if coverage.damaged:
            gaps.append(f"{len(coverage.damaged)} damaged files left out")
        return gaps

    def provenance(self, coverage: Coverage) -> dict[Hashable | None, Any]:
        """Where a frame of this window has its numbers from: what ``frame.attrs`` holds.

        Returns
        -------
        dict
            ``source``; ``taken`` (stream, queue, pubsub or None: how events came); ``start``, ``end``,
            ``last_event`` (ISO 8601, UTC; the last may be None); ``age`` (seconds from the latest event to
            the window's end, at least 0; None while nothing is recorded); ``complete`` (whether nothing is
            known to be missing); ``note`` (all of it as one line).
        """
        note = self.note(coverage)
        last = coverage.last
        return {
            "source": "recorded history",
            "taken": coverage.source,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "last_event": last.isoformat() if last else None,
            "age": max((self.end - last).total_seconds(), 0.0) if last else None,
            "complete": not self._gaps(coverage),
            "note": note,
        }

    def facts(self, coverage: Coverage) -> dict[str, str]:
        """What the history holds, for a table: name and text."""
        if coverage.first is None or coverage.last is None:
            return {}
        return {
            "window": f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC",
            "first event": f"{coverage.first:%Y-%m-%d %H:%M:%S} UTC",
            "last event": f"{coverage.last:%Y-%m-%d %H:%M:%S} UTC",
            "events": f"{coverage.events:,}",
            "taken from": SOURCES.get(coverage.source or "", "unknown"),
            "on disk": f"{coverage.bytes / 1e6:,.1f} MB in {coverage.files:,} files",
            "damaged files": f"{len(coverage.damaged):,}",
        }


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


def _about(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
