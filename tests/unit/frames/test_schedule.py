"""Firings of the schedule as frames; the entries here are made by hand, without a database."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from zumolib.frames import schedule
from zumolib.frames.window import Window
from zumolib.schedule.firings import Cron, Every

DAY = Window.days("2026-11-18", days=1)


@pytest.fixture
def entries() -> pd.DataFrame:
    rows = [
        ("hourly", "default", True, Cron("0"), None, None),
        ("quarter", "emails", True, Every(900, datetime(2026, 11, 18, tzinfo=UTC)), None, None),
        ("off", "hr", False, Cron(), None, None),
        ("afternoon", "hr", True, Cron("30"), "2026-11-18 12:00", "2026-11-18 15:30"),
        ("sunrise", "hr", True, None, None, None),
    ]
    frame = pd.DataFrame(rows, columns=["name", "queue", "enabled", "when", "start_time", "expires"])
    frame["task"] = frame["name"]
    for column in ("start_time", "expires"):
        frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
    return frame


def test_only_enabled_entries_fire_and_only_while_they_may(entries: pd.DataFrame) -> None:
    found = schedule.firings(entries, DAY)
    assert found["name"].value_counts().to_dict() == {"quarter": 96, "hourly": 24, "afternoon": 3}
    afternoon = found.loc[found["name"].eq("afternoon"), "at"]
    assert [f"{at:%H:%M}" for at in afternoon] == ["12:30", "13:30", "14:30"]
    assert found["at"].is_monotonic_increasing


def test_density_counts_every_firing_in_the_hour_of_its_zone(entries: pd.DataFrame) -> None:
    found = schedule.firings(entries, DAY)
    density = schedule.density(found, zone="Asia/Kathmandu")  # 5 h 45 min ahead
    assert len(density) == 168
    assert density["count"].sum() == len(found)
    first = found["at"].iloc[0].tz_convert("Asia/Kathmandu")
    cell = density[(density["weekday"] == first.weekday()) & (density["hour"] == first.hour)]
    assert cell["count"].iloc[0] > 0


def test_by_hour_and_crowded_minutes(entries: pd.DataFrame) -> None:
    found = schedule.firings(entries, DAY)
    hours = schedule.by_hour(found)
    assert hours["count"].sum() == len(found)
    assert hours[(hours["hour"] == 12) & (hours["queue"] == "hr")]["count"].iloc[0] == 1
    crowded = schedule.crowded(found)
    assert crowded["count"].sum() == len(found)
    assert crowded["count"].iloc[0] == 2
    assert crowded["queue_counts"].iloc[0] == "default 1, emails 1"


def test_load_counts_entries_and_what_is_disabled(entries: pd.DataFrame) -> None:
    load = schedule.load(entries, schedule.firings(entries, DAY)).set_index("queue")
    assert load.loc["hr"].to_dict() == {"entries": 3, "disabled": 1, "firings": 3}
    assert load.index[0] == "emails"


def test_the_note_tells_what_is_left_out(entries: pd.DataFrame) -> None:
    note = schedule.note(entries, DAY)
    assert "4 of 5 entries enabled, 1 that follow the sun left out" in note
    assert "2026-11-18 00:00 to 2026-11-19 00:00 UTC" in note


def test_no_entries_give_empty_frames(entries: pd.DataFrame) -> None:
    found = schedule.firings(entries.iloc[0:0], DAY)
    assert found.empty
    assert schedule.density(found)["count"].sum() == 0
    assert schedule.by_hour(found).empty
    assert schedule.crowded(found).empty
