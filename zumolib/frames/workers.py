"""Workers as frames, from the heartbeats that they sent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from zumolib.frames.buckets import Buckets, step_of
from zumolib.frames.statements import COUNT, MOMENT, REAL, SOME, TEXT, Condition, Names, ask, frame, told
from zumolib.frames.window import Window

if TYPE_CHECKING:
    from zumolib.history import History

SEEN = {
    "worker": TEXT, "first": MOMENT, "last": MOMENT, "silent": REAL, "active": SOME, "processed": COUNT,
    "load1": REAL, "clock_offset": REAL, "version": TEXT,
}  # fmt: skip

BEATS = {
    "worker": TEXT, "bucket": COUNT, "active": REAL, "load1": REAL, "processed": REAL, "restarts": REAL,
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


def load(
    history: History,
    window: Window,
    *,
    worker: Names = None,
    step: timedelta | None = None,
) -> pd.DataFrame:
    """What each worker's heartbeats said, over time.

    Parameters
    ----------
    step
        Length of one bucket; None chooses one that a screen shows well.

    Returns
    -------
    pandas.DataFrame
        One row a worker and bucket, by worker, then time: ``worker`` (str), ``at`` (start of the bucket,
        datetime64[us] in the window's zone), ``active`` (float, most tasks at once), ``load1`` (float,
        highest load of its machine), ``processed`` (float, tasks that it took up), ``restarts`` (float);
        NaN where it sent no heartbeat.
    """
    wanted = Condition({"worker": worker})
    buckets = Buckets(window, step or step_of(window.end - window.start))
    parts = {"where": wanted.sql, "bucket": buckets.sql("at")}
    found = frame(ask(history, "beats", window, parts, wanted.values), BEATS, window.zone)
    every = pd.DataFrame({"bucket": pd.Series(buckets.numbers(), dtype="int64")})
    grid = found[["worker"]].drop_duplicates().sort_values("worker").merge(every, how="cross")
    found = grid.merge(found, how="left", on=["worker", "bucket"])
    found.insert(1, "at", buckets.starts(found.pop("bucket")))
    return told(found, history, window)
