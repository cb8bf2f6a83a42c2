"""What got slower since the same time before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.frames.told import Told, write
from zumolib.errors import InputError
from zumolib.frames import changes
from zumolib.frames.window import Window

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)
HOUR = Window(NOON, NOON + timedelta(hours=1))


def runs(name: str, begin: datetime, seconds: float, count: int = 5) -> list[Told]:
    return [
        Told(begin + timedelta(minutes=n), 0.1, 0.2, 0.2 + seconds * (1 + n / 100), name=name)
        for n in range(count)
    ]


def test_what_grew_most_comes_first_and_rare_tasks_are_left_out(tmp_path: Path) -> None:
    week = timedelta(days=7)
    history = write(
        tmp_path,
        [
            *runs("a.same", NOON, 2.0), *runs("a.same", NOON - week, 2.0),
            *runs("a.slower", NOON, 6.0), *runs("a.slower", NOON - week, 2.0),
            *runs("a.quicker", NOON, 1.0), *runs("a.quicker", NOON - week, 2.0),
            *runs("a.rare", NOON, 9.0, 4), *runs("a.rare", NOON - week, 1.0),
            *runs("a.new", NOON, 9.0),
        ],
    )  # fmt: skip
    frame = changes.slower(history, HOUR)
    assert frame["name"].tolist() == ["a.slower", "a.same", "a.quicker"]
    assert frame["times"].tolist() == pytest.approx([3.0, 1.0, 0.5], rel=0.001)
    assert frame["added"].iloc[0] == pytest.approx(4.08, abs=0.01)
    assert frame["queue"].unique().tolist() == ["hr"]
    assert changes.slower(history, HOUR, name="a.same")["name"].tolist() == ["a.same"]


def test_a_queue_is_compared_as_a_whole(tmp_path: Path) -> None:
    day = timedelta(days=1)
    history = write(tmp_path, [*runs("a.one", NOON, 3.0), *runs("a.two", NOON - day, 1.0)])
    frame = changes.slower(history, HOUR, by="queue", ago=day)
    assert frame[["queue", "count", "count_before"]].to_dict("records") == [
        {"queue": "hr", "count": 5, "count_before": 5}
    ]


def test_windows_that_overlap_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="part of itself"):
        changes.slower(write(tmp_path, []), HOUR, ago=timedelta(minutes=30))


def test_nothing_to_compare_is_an_empty_frame(tmp_path: Path) -> None:
    assert changes.slower(write(tmp_path, []), HOUR).empty
