"""Workers as frames, from the heartbeats that they sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from zumolib.frames.window import Window

if TYPE_CHECKING:
    from zumolib.history import History


def seen(history: History, window: Window) -> pd.DataFrame:
    """Each worker that sent a heartbeat in the window.

    Returns
    -------
    pandas.DataFrame
        One row a worker, by name: ``worker``; ``first`` and ``last`` heartbeat (UTC); ``silent`` (seconds
        from the last heartbeat to the window's end: silence is no proof of death); ``active`` (most tasks
        at once); ``processed`` (tasks it finished, over restarts); ``load1`` (highest load of its machine);
        ``clock_offset`` (seconds, largest either way); ``version`` (last reported).
    """
    beats = history.workers(window.start, window.end).sort_values("at")
    grouped = beats.groupby("worker", observed=True)
    frame = grouped.agg(
        first=("at", "min"),
        last=("at", "max"),
        active=("active", "max"),
        processed=("processed", _counted),
        load1=("load1", "max"),
        clock_offset=("clock_offset", lambda offset: offset.abs().max()),
        version=("sw_ver", "last"),
    ).reset_index()
    silent = (pd.Timestamp(window.end) - frame["last"]).dt.total_seconds()
    frame.insert(3, "silent", silent.astype("float64"))
    return frame


def _counted(totals: pd.Series) -> int:
    """What a counter that restarts at 0 with its process counted between its first and last reading."""
    totals = totals.dropna()
    steps = totals.diff().dropna()
    # After a restart the counter has fallen, and all it shows is new.
    return int(steps.where(steps >= 0, totals.loc[steps.index]).sum())
