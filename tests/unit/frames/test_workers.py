"""Frames of workers."""

from __future__ import annotations

import pandas as pd

from tests import recorded
from zumolib.frames import workers
from zumolib.frames.window import Window
from zumolib.history import History


def test_every_worker_with_its_last_heartbeat(history: History) -> None:
    frame = workers.seen(history, Window(recorded.START, recorded.END))
    assert list(frame["worker"]) == ["critical@zumodra-1", "general@zumodra-2"]
    assert frame["silent"].between(0, 60).all()
    assert (frame["processed"] > 100).all()
    assert set(frame["version"]) == {"5.7.0"}


# readings     | counted
# 5, 8, 9      | 4
# 5, 8, 0, 2   | 5: 3, then a restart, then 2
def test_a_counter_that_restarts() -> None:
    assert workers._counted(pd.Series([5, 8, 9])) == 4
    assert workers._counted(pd.Series([5, 8, 0, 2])) == 5
    assert workers._counted(pd.Series([], dtype="Int64")) == 0
