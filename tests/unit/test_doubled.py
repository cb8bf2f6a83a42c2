"""Two beats on one schedule, found by what they sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from celery import Celery

from tests.unit.frames.told import Told, write
from zumolib.checks import BY_ID, Scene, diagnose, doubled
from zumolib.frames import schedule
from zumolib.schedule.firings import Cron, Every

NOW = datetime(2026, 11, 18, 6, 30, tzinfo=UTC)


def sent(*seconds: float, entry: str = "hourly") -> pd.DataFrame:
    """Dispatches of an entry, so many seconds before now."""
    at = [NOW - timedelta(seconds=before) for before in seconds]
    return pd.DataFrame({"entry": entry, "sent": pd.to_datetime(at, utc=True)})


#   dispatches, seconds before now                          how many of the last firings are doubled
FIRINGS = [
    ((900, 600, 300), 0),
    ((900, 898, 600, 599, 300, 300), 3),
    ((900, 898, 600, 300, 299), 1),
    ((900, 898, 600, 599, 300), 0),  # it is over
    ((300, 299, 298, 297), 1),  # three beats, or somebody's loop
    ((900, 896, 892, 888), 1),
    ((), 0),
]  # fmt: skip


@pytest.mark.parametrize(("seconds", "firings"), FIRINGS)
def test_firings_that_were_sent_twice(seconds: tuple[float, ...], firings: int) -> None:
    found = doubled.doubled(sent(*seconds))
    assert found["firings"].sum() == firings


ENTRIES = pd.DataFrame(
    [
        ("five", "a.task", Every(300.0)),
        ("daily", "b.task", Cron("0", "3")),
        ("one", "shared.task", Cron("*/5")),
        ("other", "shared.task", Cron("*/5")),
        ("often", "c.task", Every(2.0)),
    ],
    columns=["name", "task", "when"],
).assign(enabled=True, queue="hr", problem="")


def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: list[Told]) -> list[str]:
    monkeypatch.setattr(schedule, "known", lambda app: ENTRIES)
    monkeypatch.setattr(
        "zumolib.checks.schedule.require_known", lambda _scene: None
    )  # it is this one's schedule
    scene = Scene(Celery("some", set_as_current=False), now=NOW, history=write(tmp_path, tasks))
    return [finding.saw for finding in diagnose(scene, [BY_ID["beat-doubled"]]).findings]


def told(name: str, before: float, entry: str | None = None) -> Told:
    return Told(NOW - timedelta(seconds=before), 0.1, 0.2, 0.3, name=name, entry=entry)


@pytest.mark.parametrize("entry", [None, "five"])
def test_two_beats_are_found_whether_or_not_they_tell_the_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str | None
) -> None:
    tasks = [told("a.task", before, entry) for n in range(1, 5) for before in (n * 300, n * 300 - 1.5)]
    [saw] = found(tmp_path, monkeypatch, tasks)
    assert "the last 4 firings of five were each sent more than once" in saw


def test_one_beat_two_entries_of_one_task_and_what_a_person_runs_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [told("a.task", n * 300) for n in range(1, 5)]
    tasks += [told("shared.task", before) for n in range(1, 5) for before in (n * 300, n * 300 - 1)]
    tasks += [told("c.task", n * 2) for n in range(100)]
    tasks += [told("b.task", before, "daily") for before in (500, 499, 498)]  # run by hand, thrice
    assert found(tmp_path, monkeypatch, tasks) == []
