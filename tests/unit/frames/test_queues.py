"""Frames of queue depth."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests import recorded
from zumolib.frames import queues
from zumolib.frames.window import Window
from zumolib.history import History

WINDOW = Window(recorded.START, recorded.END)


def test_a_bucket_keeps_its_highest_depth(history: History) -> None:
    sampled = history.depths(WINDOW.start, WINDOW.end)
    frame = queues.depth(history, WINDOW)
    assert (
        frame.groupby("queue")["ready"].max().to_dict() == sampled.groupby("queue")["ready"].max().to_dict()
    )
    assert frame["samples"].sum() == len(sampled)
    assert set(frame["queue"]) == set(recorded.QUEUES)


def test_what_was_not_sampled_is_missing_and_not_empty(history: History) -> None:
    later = Window(recorded.END - timedelta(hours=1), recorded.END + timedelta(hours=1))
    frame = queues.depth(history, later)
    after = frame[frame["at"] >= pd.Timestamp(recorded.END)]
    assert len(after)
    assert after["ready"].isna().all()
    assert after["samples"].eq(0).all()


def test_one_queue(history: History) -> None:
    assert set(queues.depth(history, WINDOW, queue="hr")["queue"]) == {"hr"}


def test_peaks_find_the_slow_hour_of_notifications(history: History) -> None:
    top = queues.peaks(history, WINDOW).iloc[0]
    assert top["queue"] == "notifications"
    assert recorded.SLOW[0] <= top["peak_at"] <= recorded.SLOW[1] + timedelta(hours=2)
    assert top["last"] < top["peak"]
    assert 0 < top["busy_share"] < 1


def test_peaks_are_what_pandas_says(history: History) -> None:
    sampled = history.depths(WINDOW.start, WINDOW.end)
    for row in queues.peaks(history, WINDOW).itertuples():
        its = sampled[sampled["queue"] == row.queue].reset_index(drop=True)
        assert row.peak == its["ready"].max()
        assert row.peak_at == its["at"][its["ready"].argmax()]
        assert row.last == its["ready"].iloc[-1]
        assert row.busy_share == pytest.approx(its["ready"].gt(0).mean())


def test_unknown_is_not_none(tmp_path: Path) -> None:
    history = History(tmp_path)
    at = WINDOW.start
    rows = [{"at": at, "queue": "hr", "ready": 3, "unacked": None, "consumers": None}]
    rows.append({"at": at + timedelta(hours=1), "queue": "hr", "ready": 5, "unacked": None, "consumers": 2})
    history.append_depths(rows)
    frame = queues.depth(history, WINDOW, step=timedelta(hours=1))
    assert len(frame) == 48
    assert frame["ready"].iloc[:2].tolist() == [3.0, 5.0]
    assert frame["unacked"].isna().all()
    assert frame["consumers"].iloc[1] == 2.0
    assert frame["samples"].sum() == 2


def test_depth_is_shown_in_the_zone_of_the_window(history: History) -> None:
    paris = queues.depth(history, Window(WINDOW.start, WINDOW.end, "Europe/Paris"), step=timedelta(days=1))
    assert [f"{at:%d %H:%M}" for at in paris["at"].unique()] == ["16 00:00", "17 00:00", "18 00:00"]


def test_no_samples_give_an_empty_frame(history: History, tmp_path: Path) -> None:
    for ask in (queues.depth, queues.peaks):
        nothing = ask(History(tmp_path / "none"), WINDOW)
        assert nothing.empty
        pd.testing.assert_series_equal(nothing.dtypes, ask(history, WINDOW).dtypes)
        assert nothing.attrs["note"] == "Source: recorded history, nothing recorded yet"
