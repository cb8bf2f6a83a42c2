from __future__ import annotations

from datetime import UTC, datetime

import pytest

from zumolib.errors import InputError
from zumolib.widgets import times

#   written          seconds
DURATIONS = [
    ("90", 90), ("90 s", 90), ("10 min", 600), ("10m", 600), ("1 h 30 min", 5_400), ("2 hours", 7_200),
    ("1d", 86_400), ("0.5 h", 1_800), ("", None), ("  ", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_durations(text: str, seconds: float | None) -> None:
    assert times.seconds(text) == seconds


@pytest.mark.parametrize("text", ["soon", "10 parsecs", "-5", "1,5 h", "min", "10 min later"])
def test_what_is_no_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(InputError, match=r"write it like 90 s, 10 min or 1 h 30 min"):
        times.seconds(text)


NOW = datetime(2026, 11, 18, 6, 0, tzinfo=UTC)

#   written                       in UTC
MOMENTS = [
    ("10 min", datetime(2026, 11, 18, 6, 10, tzinfo=UTC)),
    ("in 2 h", datetime(2026, 11, 18, 8, 0, tzinfo=UTC)),
    ("2026-11-18 08:00", datetime(2026, 11, 18, 7, 0, tzinfo=UTC)),
    ("2026-11-18T08:00+05:00", datetime(2026, 11, 18, 3, 0, tzinfo=UTC)),
    ("", None),
]


@pytest.mark.parametrize(("text", "at"), MOMENTS)
def test_moments_are_of_the_shown_zone(text: str, at: datetime | None) -> None:
    assert times.moment(text, zone="Europe/Paris", now=NOW) == at


def test_what_is_no_moment_says_how_to_write_one() -> None:
    with pytest.raises(InputError, match="'tomorrow' is neither a duration nor a time; write it like 10 min"):
        times.moment("tomorrow", zone="UTC", now=NOW)
