"""The moment a run works for: given by the caller, so that a run can be repeated for the same moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

Moment = str | datetime | None


def moment(now: Moment = None) -> datetime:
    """Read `now` as an aware UTC time.

    Parameters
    ----------
    now
        An ISO 8601 text (what travels over the broker), a datetime, or None for the present. A value
        without an offset is taken as UTC.

    Raises
    ------
    ValueError
        The text is no ISO 8601 time.
    """
    if now is None:
        return datetime.now(UTC)
    if isinstance(now, str):
        try:
            now = datetime.fromisoformat(now)
        except ValueError:
            raise ValueError(f"now={now!r} is no ISO 8601 time; use 2026-01-31T08:00:00+00:00") from None
    return now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)


def stamp(at: datetime) -> str:
    """`at` as it stands in file names: ``20260131T080000Z``."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def span(**length: float) -> timedelta:
    """A length of time from a task's argument: ``span(days=30)``.

    Raises
    ------
    ValueError
        It is not above zero: a retention of no days would take what was written a moment ago.
    """
    if not all(value > 0 for value in length.values()):
        given = ", ".join(f"{name}={value!r}" for name, value in length.items())
        raise ValueError(f"{given} must be above 0")
    return timedelta(**length)
