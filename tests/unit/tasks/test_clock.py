"""Moments as they come: text, naive, aware, none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tasks.base.clock import moment, span, stamp

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


# given | read as noon UTC
@pytest.mark.parametrize(
    "given",
    [
        "2026-03-29T12:00:00+00:00",
        "2026-03-29T12:00:00Z",
        "2026-03-29T12:00:00",
        "2026-03-29T14:00:00+02:00",
        datetime(2026, 3, 29, 12),
        NOON,
        NOON.astimezone(timezone(timedelta(hours=-5))),
    ],
)
def test_moments_are_utc(given: str | datetime) -> None:
    found = moment(given)
    assert found == NOON
    assert found.tzinfo is UTC
    assert stamp(found) == "20260329T120000Z"


def test_none_is_the_present() -> None:
    before = datetime.now(UTC)
    assert before <= moment(None) < before + timedelta(seconds=5)


@pytest.mark.parametrize("given", ["", "tomorrow", "2026-13-01", "1764000000"])
def test_what_is_no_time_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="use 2026-01-31"):
        moment(given)


@pytest.mark.parametrize("days", [0, -1])
def test_spans_are_above_zero(days: int) -> None:
    with pytest.raises(ValueError, match=f"days={days} must be above 0"):
        span(days=days)
