"""Workers as frames, from the heartbeats that they sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from zumolib.frames.statements import COUNT, MOMENT, REAL, SOME, TEXT, Condition, Names, ask, frame, told
from zumolib.frames.window import Window

if TYPE_CHECKING:
    from zumolib.history import History

SEEN = {
    "worker": TEXT, "first": MOMENT, "last": MOMENT, "silent": REAL, "active": SOME, "processed": COUNT,
    "load1": REAL, "clock_offset": REAL, "version": TEXT,
}  # fmt: skip


def seen(history: History, window: Window, *, worker: Names = None) -> pd.DataFrame:
    """Each worker that sent a heartbeat in the window.

    Parameters
    ----------
    worker
        Keep these node names only; one or several.

    Returns
    -------
    pandas.DataFrame
        One row a worker, by name: ``worker`` (str); ``first`` and ``last`` heartbeat (datetime64[us] in the
        window's zone); ``silent`` (float, seconds from the last heartbeat to the window's end: silence is no
        proof of death); ``active`` (Int64, most tasks at once); ``processed`` (int64, tasks it finished,
        over restarts); ``load1`` (float, highest load of its machine); ``clock_offset`` (float, seconds, the
        largest either way); ``version`` (str, last reported). ``attrs`` as with
        :mod:`zumolib.frames.tasks`.
    """
    wanted = Condition({"worker": worker})
    table = ask(history, "seen", window, {"where": wanted.sql}, wanted.values)
    return told(frame(table, SEEN, window.zone), history, window)
