"""Frames of queue depth."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from tests import recorded
from zumolib.frames import queues
from zumolib.frames.window import Window
from zumolib.history import History

WINDOW = Window(recorded.START, recorded.END)


# window     | bins of
# an hour    | 30 s (15 s would be enough, the next step is 30)
# a day      | 5 min
# a month    | 3 h, next step 6 h
@pytest.mark.parametrize(("hours", "seconds"), [(1, 30), (24, 300), (720, 21_600), (1 / 60, 10)])
def test_bins_grow_with_the_window(hours: float, seconds: int) -> None:
    assert queues.step_of(timedelta(hours=hours)) == timedelta(seconds=seconds)


def test_a_bin_keeps_its_highest_depth(history: History) -> None:
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
    top = queues.peaks(queues.depth(history, WINDOW)).iloc[0]
    assert top["queue"] == "notifications"
    assert recorded.SLOW[0] <= top["peak_at"] <= recorded.SLOW[1] + timedelta(hours=1)
    assert top["last"] < top["peak"]
    assert 0 < top["busy_share"] < 1


def test_no_samples_give_an_empty_frame(tmp_path) -> None:  # type: ignore[no-untyped-def]
    frame = queues.depth(History(tmp_path / "none"), WINDOW)
    assert frame.empty
    assert queues.peaks(frame).empty
