"""Durations and times as people write them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from zumolib.errors import InputError

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


def seconds(written: str | None, option: str) -> float | None:
    """Seconds of ``90``, ``90s``, ``5m``, ``2h`` or ``1d``.

    Raises
    ------
    InputError
        With the value and how to write it.
    """
    if written is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?", written.strip())
    if found is None:
        raise InputError(f"{option} {written!r} is no duration; write it like 90s, 5m, 2h or 1d")
    return float(found[1]) * _UNITS[found[2] or ""]


def moment(written: str | None, option: str) -> datetime | None:
    """A time, in UTC where it names no zone.

    Raises
    ------
    InputError
        With the value and how to write it.
    """
    if written is None:
        return None
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise InputError(
            f"{option} {written!r} is no time; write it like 2026-11-18T06:30:00 (UTC)"
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
