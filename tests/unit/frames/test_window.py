"""Windows of time, and what a history says about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests import recorded
from zumolib.errors import InputError
from zumolib.frames.scheduled import open_history
from zumolib.frames.window import Window
from zumolib.history import Coverage, History

NOW = datetime(2026, 11, 18, 6, 30, tzinfo=UTC)


def test_a_window_ends_now_unless_told() -> None:
    assert Window.until(hours=2, now=NOW) == Window(NOW - timedelta(hours=2), NOW)
    assert Window.until("2026-11-17T12:00:00", hours=1, now=NOW).end == datetime(2026, 11, 17, 12, tzinfo=UTC)
    assert Window.until("2026-11-17T12:00:00+02:00", hours=1, now=NOW).end.hour == 10


def test_a_frozen_clock_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    from zumolib import conf

    monkeypatch.setenv("ZUMO_NOW", "2026-11-18T06:30:00")
    conf.conf.cache_clear()
    try:
        assert Window.until(hours=1).end == NOW
    finally:
        monkeypatch.undo()
        conf.conf.cache_clear()


def test_a_past_day_is_whole_and_today_ends_now() -> None:
    assert Window.day("2026-11-17", now=NOW).hours == 24
    today = Window.day(now=NOW)
    assert (today.start, today.end) == (datetime(2026, 11, 18, tzinfo=UTC), NOW)


def test_whole_days_follow_the_wall_clock_of_their_zone() -> None:
    spring = Window.days("2026-03-29", days=1, zone="Europe/Paris", now=NOW)
    assert spring.hours == 23
    assert spring.start == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert Window.days(days=7, now=NOW).start == datetime(2026, 11, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Window.until("soon", hours=1, now=NOW), "'soon' is no time; write it like"),
        (lambda: Window.until(hours=0, now=NOW), "hours=0"),
        (lambda: Window.until(hours=1, zone="Mars/Base", now=NOW), "'Mars/Base' is no time zone"),
        (lambda: Window.day("18.11.2026", now=NOW), "'18.11.2026' is no date; write it like"),
        (lambda: Window.day("2026-02-30", now=NOW), "'2026-02-30' is no date"),
        (lambda: Window.day("2026-11-19", now=NOW), "2026-11-19 has not begun"),
        (lambda: Window.days(days=0, now=NOW), "days=0"),
    ],
)
def test_what_is_no_window_says_so(make, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=said):
        make()


def test_a_note_tells_source_completeness_and_age(history: History) -> None:
    coverage = history.coverage()
    whole = Window(recorded.START, recorded.END)
    assert whole.note(coverage) == (
        "Source: recorded history, covers the whole window; as of 2026-11-18 00:00 UTC"
    )
    longer = Window(recorded.START - timedelta(hours=3), recorded.END + timedelta(hours=5))
    assert "ends 5 h before the window does and begins 3 h after the window does" in longer.note(coverage)


def test_a_note_tells_what_is_missing() -> None:
    window = Window(recorded.START, recorded.END)
    lossy = Coverage(recorded.START, recorded.END, 1, 1, 1, "pubsub", ("a.parquet",))
    assert "events sent while no recorder ran are missing and 1 damaged file" in window.note(lossy)
    assert "nothing recorded yet" in window.note(Coverage(None, None, 0, 0, 0, None))


def test_a_folder_parameter_opens_that_history(history: History) -> None:
    assert open_history(str(history.root)).coverage() == history.coverage()
