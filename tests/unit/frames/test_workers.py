"""Frames of workers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests import recorded
from zumolib.frames import workers
from zumolib.frames.window import Window
from zumolib.history import History, events

WINDOW = Window(recorded.START, recorded.END)


def test_every_worker_with_its_last_heartbeat(history: History) -> None:
    frame = workers.seen(history, WINDOW)
    assert list(frame["worker"]) == ["critical@zumodra-1", "general@zumodra-2"]
    assert frame["silent"].between(0, 60).all()
    assert (frame["processed"] > 100).all()
    assert set(frame["version"]) == {"5.7.0"}


# readings     | counted
# 5, 8, 9      | 4
# 5, 8, 0, 2   | 5: 3, then a restart, then 2
# 5, –, 9      | 4: a heartbeat that does not tell changes nothing
# 5            | 0
@pytest.mark.parametrize(
    ("readings", "counted"), [([5, 8, 9], 4), ([5, 8, 0, 2], 5), ([5, None, 9], 4), ([5], 0), ([None], 0)]
)
def test_a_counter_that_restarts(tmp_path: Path, readings: list[int | None], counted: int) -> None:
    history = History(tmp_path)
    for number, processed in enumerate(readings):
        at = recorded.START.timestamp() + number
        beat = {"type": "worker-heartbeat", "hostname": "w@one", "timestamp": at, "processed": processed}
        history.append_events([events.row(beat, at - number)])
    [row] = workers.seen(history, WINDOW).to_dict("records")
    assert row["processed"] == counted
    assert row["clock_offset"] == len(readings) - 1, "the largest, either way"


def test_one_worker_and_none(history: History, tmp_path: Path) -> None:
    frame = workers.seen(history, WINDOW, worker="general@zumodra-2")
    assert list(frame["worker"]) == ["general@zumodra-2"]
    nothing = workers.seen(History(tmp_path), WINDOW)
    assert nothing.empty
    pd.testing.assert_series_equal(nothing.dtypes, frame.dtypes)
    assert frame.attrs["note"] == WINDOW.note(history.coverage())


def test_load_over_time_shows_a_restart_and_loses_no_task(tmp_path: Path) -> None:
    history = recorded.make(tmp_path, with_past=True)
    day = Window(recorded.START + timedelta(days=1), recorded.END)
    frame = workers.load(history, day, step=timedelta(hours=1))
    restarts = frame.groupby("worker")["restarts"].sum()
    assert restarts.to_dict() == {"critical@zumodra-1": 0, "general@zumodra-2": 1}
    [row] = frame[frame["restarts"] > 0].to_dict("records")
    assert row["at"] == pd.Timestamp("2026-11-17 05:00", tz="UTC")
    seen = workers.seen(history, day).set_index("worker")["processed"]
    assert frame.groupby("worker")["processed"].sum().to_dict() == seen.to_dict()
    assert len(frame) == 2 * 24
