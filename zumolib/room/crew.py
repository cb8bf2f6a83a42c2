"""The workers at this moment, as a frame; who does not answer is a row, not an error."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from zumolib.conf import conf
from zumolib.errors import BrokerError
from zumolib.frames import workers
from zumolib.frames.window import Window

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.history import History

EXPECTED = timedelta(minutes=10)  # whose heartbeat is older is not waited for
KILOBYTE = 1024  # what Linux counts a process' memory in


def nodes(history: History, at: datetime | None = None) -> tuple[str, ...]:
    """Workers that should be there, by their recorded heartbeats."""
    at = at or conf().now()
    return tuple(workers.seen(history, Window(at - EXPECTED, at))["worker"])


def now(app: Celery, history: History, *, timeout: float = 1.0) -> pd.DataFrame:
    """What each worker says of itself.

    Parameters
    ----------
    timeout
        Seconds to wait for who stays silent; the answer is there as soon as all have replied.

    Returns
    -------
    pandas.DataFrame
        The columns of :attr:`zumolib.inspection.fleet.Fleet.workers`, and ``memory`` (float, bytes: the most
        that the worker's main process ever held). ``attrs["note"]`` says who replied, and when.
    """
    from zumolib.inspection import fleet

    known = nodes(history)
    try:
        said = fleet.snapshot(app, nodes=known or None, timeout=timeout)
    except BrokerError as error:
        frame = pd.DataFrame(columns=[*fleet.WORKERS, "memory"])
        frame.attrs = {"note": f"Nobody could be asked: {error}"}
        return frame
    frame = said.workers
    usage = {node: (stats or {}).get("rusage") or {} for node, stats in said.answers["stats"].items()}
    peak = frame["worker"].map(lambda node: usage.get(node, {}).get("maxrss"))
    frame["memory"] = pd.to_numeric(peak).astype("float64") * KILOBYTE
    frame.attrs = {"note": f"Source: the workers themselves, {said.note}"}
    return frame


def takers(frame: pd.DataFrame) -> dict[str, int] | None:
    """How many of these workers take from each queue; None when nobody said so."""
    said = frame["queues"].dropna()
    return dict(Counter(queue for queues in said for queue in queues)) if len(said) else None
