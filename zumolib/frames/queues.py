"""Queue depth as frames: recorded over time, and live."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from zumolib.conf import conf
from zumolib.frames.buckets import POINTS, Buckets, step_of
from zumolib.frames.statements import COUNT, MOMENT, REAL, TEXT, Condition, Names, ask, frame, told
from zumolib.frames.window import Window

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.history import History

DEPTHS = {
    "queue": TEXT, "bucket": COUNT, "ready": REAL, "unacked": REAL, "consumers": REAL, "rate_in": REAL,
    "rate_out": REAL, "samples": COUNT,
}  # fmt: skip
PEAKS = {"queue": TEXT, "peak": COUNT, "peak_at": MOMENT, "last": COUNT, "busy_share": REAL}


def depth(
    history: History,
    window: Window,
    *,
    queue: Names = None,
    step: timedelta | None = None,
    points: int = POINTS,
) -> pd.DataFrame:
    """Queue depth over time, the extreme of each bucket, so that a short peak stays visible.

    Parameters
    ----------
    queue
        Keep these only; one or several.
    step
        Length of one bucket; None chooses one that makes at most about `points` of what was recorded.

    Returns
    -------
    pandas.DataFrame
        One row a queue and bucket, by queue, then time: ``queue`` (str); ``at`` (datetime64[us] in the
        window's zone, start of the bucket); ``ready`` and ``unacked`` (float, most messages in the bucket),
        ``consumers`` (float, fewest), ``rate_in`` and ``rate_out`` (float, messages a second that came and
        were delivered, averages): NaN where nothing was sampled, as when the recorder was down, or where
        the broker does not tell; ``samples`` (int64). ``attrs`` as with :mod:`zumolib.frames.tasks`.

    Raises
    ------
    InputError
        For a step of no length.
    """
    wanted = Condition({"queue": queue})
    where = {"where": wanted.sql}
    [first] = ask(history, "first_depth", window, where, wanted.values)["first"].to_pylist()
    # Of what was recorded, not of the window: the first minutes of a history are not one bucket of a day.
    recorded = Window(first or window.start, window.end, window.zone)
    buckets = Buckets(recorded, step or step_of(recorded.end - recorded.start, points))
    table = ask(history, "depth", recorded, {**where, "bucket": buckets.sql("at")}, wanted.values)
    found = frame(table, DEPTHS, window.zone)
    every = pd.DataFrame({"bucket": pd.Series(buckets.numbers(), dtype="int64")})
    grid = found[["queue"]].drop_duplicates().sort_values("queue").merge(every, how="cross")
    found = grid.merge(found, how="left", on=["queue", "bucket"])
    found.insert(1, "at", buckets.starts(found.pop("bucket")))
    found["samples"] = found["samples"].fillna(0).astype("int64")
    return told(found, history, window)


def peaks(history: History, window: Window, *, queue: Names = None) -> pd.DataFrame:
    """Each queue's highest and last depth, the highest first.

    Returns
    -------
    pandas.DataFrame
        ``queue`` (str), ``peak`` (int64, messages ready), ``peak_at`` (datetime64[us] in the window's zone,
        the first sample that shows it), ``last`` (int64, messages ready in the last sample), ``busy_share``
        (float, share of the samples with any message, 0 to 1).
    """
    wanted = Condition({"queue": queue})
    return told(
        frame(ask(history, "peaks", window, {"where": wanted.sql}, wanted.values), PEAKS, window.zone),
        history,
        window,
    )


def live(app: Celery) -> pd.DataFrame:
    """Depth of the app's queues at this moment, asked from the broker itself.

    Returns
    -------
    pandas.DataFrame
        One row a queue, with the columns of :func:`zumolib.inspection.queues.depths`.
    """
    from zumolib.inspection.queues import depths

    return depths(app, management_url=conf().RABBITMQ_MANAGEMENT_URL)
