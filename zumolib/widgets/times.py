"""Durations and moments as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from zumolib.errors import InputError

UNITS = {
    "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3_600, "hour": 3_600, "d": 86_400,
    "day": 86_400,
}  # fmt: skip
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def seconds(text: str) -> float | None:
    """Seconds of ``90``, ``90 s``, ``10 min`` or ``1 h 30 min``; None for an empty text.

    Raises
    ------
    InputError
        With the text and how to write it.
    """
    written = text.strip().lower()
    if not written:
        return None
    parts = _PART.findall(written)
    known = all(_unit(unit) for _, unit in parts)
    if not parts or not known or _PART.sub("", written).strip():
        raise InputError(f"{text!r} is no duration; write it like 90 s, 10 min or 1 h 30 min")
    return sum(float(number) * _unit(unit) for number, unit in parts)


def moment(text: str, *, zone: str, now: datetime | None = None) -> datetime | None:
    """A time, or a duration from now, in UTC; None for an empty text.

    Raises
    ------
    InputError
        With the text and how to write it.
    """
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            ahead = seconds(text.strip().removeprefix("in "))
        except InputError:
            raise InputError(
                f"{text!r} is neither a duration nor a time; write it like 10 min or 2026-11-18 06:30"
            ) from None
        return (now or datetime.now(UTC)) + timedelta(seconds=ahead or 0)
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def _unit(unit: str) -> int:
    if not unit:
        return 1
    return UNITS.get(unit) or (UNITS.get(unit[:-1], 0) if unit.endswith("s") else 0)
