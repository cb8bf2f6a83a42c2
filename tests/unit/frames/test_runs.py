"""Single runs: the slowest, and those that failed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.frames.told import Told, write
from zumolib.errors import InputError
from zumolib.frames import runs
from zumolib.frames.window import Window

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)
HOUR = Window(NOON, NOON + timedelta(hours=1))
BEFORE = NOON - timedelta(seconds=10)

TASKS = [
    Told(NOON, 1, 2, 5),
    Told(NOON, 1, 4, 9, queue="ats"),
    Told(BEFORE, 1, 2, 9),  # ended before the window
    Told(NOON, 1, 2, 3, state="FAILURE", exception="ValueError('first')"),
    Told(NOON, 1, 2, 4, state="FAILURE", exception="KeyError('second')"),
]


def test_the_slowest_come_first(tmp_path: Path) -> None:
    history = write(tmp_path, TASKS)
    assert runs.slowest(history, HOUR)["task_id"].tolist() == ["t1", "t0", "t4", "t3"]
    assert runs.slowest(history, HOUR, top=1)["run_time"].tolist() == [5.0]
    assert runs.slowest(history, HOUR, measure="queue_wait", top=1)["queue_wait"].tolist() == [4.0]
    assert runs.slowest(history, HOUR, queue="hr", top=1)["task_id"].tolist() == ["t0"]


def test_the_last_failure_comes_first(tmp_path: Path) -> None:
    history = write(tmp_path, TASKS)
    frame = runs.failed(history, HOUR)
    assert frame["task_id"].tolist() == ["t4", "t3"]
    assert frame["traceback"].iloc[0].startswith("Traceback")
    assert runs.failed(history, HOUR, error="ValueError")["task_id"].tolist() == ["t3"]
    assert runs.failed(history, HOUR, error="%").empty


def test_another_measure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="queue_wait or run_time"):
        runs.slowest(write(tmp_path, []), HOUR, measure="1; DROP TABLE tasks")  # type: ignore[arg-type]
