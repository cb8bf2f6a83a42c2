"""Queue depth as frames: recorded over time, and live."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from zumolib.conf import conf
from zumolib.frames.window import Window

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.history import History

# The shortest is twice as long as the time between two samples, so that no bin stays empty by chance.
STEPS = tuple(
    timedelta(seconds=s) for s in (10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400)
)
POINTS = 300  # about as many as a screen tells apart


def step_of(span: timedelta, points: int = POINTS) -> timedelta:
    """Length of one bin, so that a span has at most about `points` of them."""
    wanted = span / points
    return next((step for step in STEPS if step >= wanted), STEPS[-1])


def depth(
    history: History, window: Window, *, queue: str | None = None, points: int = POINTS
) -> pd.DataFrame:
    """Queue depth over time, the extreme of each bin, so that a short peak stays visible.

    Returns
    -------
    pandas.DataFrame
        One row a queue and bin, by queue, then time: ``queue``; ``at`` (start of the bin, UTC); ``ready``
        and ``unacked`` (most messages in the bin), ``consumers`` (fewest), NaN where nothing was sampled,
        as when the recorder was down; ``samples`` (int64).
    """
    sampled = history.depths(window.start, window.end, queue=queue)
    start = sampled["at"].min() if len(sampled) else pd.Timestamp(window.start)
    # Of what was recorded, not of the window: the first minutes of a history are not one bin of a day.
    step = step_of(window.end - start, points)
    bins = sampled.assign(at=sampled["at"].dt.floor(step)).groupby(["queue", "at"], observed=True)
    binned = bins.agg(
        ready=("ready", "max"),
        unacked=("unacked", "max"),
        consumers=("consumers", "min"),
        samples=("ready", "size"),
    )
    every = pd.date_range(start.floor(step), window.end, freq=step, inclusive="left", unit="us")
    names = sorted(sampled["queue"].unique())
    result = binned.reindex(pd.MultiIndex.from_product([names, every], names=["queue", "at"])).reset_index()
    numbers = ["ready", "unacked", "consumers"]
    result[numbers] = result[numbers].astype("float64")
    result["samples"] = result["samples"].fillna(0).astype("int64")
    return result


def peaks(depths: pd.DataFrame) -> pd.DataFrame:
    """Each queue's highest and last depth, the highest first.

    Parameters
    ----------
    depths
        As :func:`depth` gives it.

    Returns
    -------
    pandas.DataFrame
        ``queue``, ``peak`` (messages ready), ``peak_at`` (start of its bin, UTC), ``last`` (messages ready
        in the last bin that has a sample), ``busy_share`` (share of sampled bins with any message, 0 to 1).
    """
    rows = []
    for queue, its in depths.dropna(subset="ready").groupby("queue", observed=True):
        top = its.iloc[int(its["ready"].argmax())]
        rows.append(
            (queue, int(top["ready"]), top["at"], int(its["ready"].iloc[-1]), its["ready"].gt(0).mean())
        )
    frame = pd.DataFrame(rows, columns=["queue", "peak", "peak_at", "last", "busy_share"])
    return frame.sort_values(["peak", "queue"], ascending=[False, True], ignore_index=True)


def live(app: Celery) -> pd.DataFrame:
    """Depth of the app's queues at this moment, asked from the broker itself.

    Returns
    -------
    pandas.DataFrame
        One row a queue, with the columns of :func:`zumolib.inspection.depths`.
    """
    from zumolib import inspection

    return inspection.depths(app, management_url=conf().RABBITMQ_MANAGEMENT_URL)
