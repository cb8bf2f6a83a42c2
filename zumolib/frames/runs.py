"""Single runs as frames: the slowest ones, and those that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Unpack

import pandas as pd

from zumolib.errors import InputError
from zumolib.frames.statements import MOMENT, REAL, SOME, TEXT, Condition, Filters, ask, frame, told
from zumolib.frames.window import Window

if TYPE_CHECKING:
    from zumolib.history import History

SLOWEST = {
    "task_id": TEXT, "name": TEXT, "queue": TEXT, "worker": TEXT, "state": TEXT, "started": MOMENT,
    "finished": MOMENT, "queue_wait": REAL, "run_time": REAL, "retries": SOME, "args": TEXT, "kwargs": TEXT,
}  # fmt: skip
FAILED = {
    "task_id": TEXT, "name": TEXT, "queue": TEXT, "worker": TEXT, "finished": MOMENT, "run_time": REAL,
    "retries": SOME, "exception": TEXT, "traceback": TEXT, "args": TEXT, "kwargs": TEXT,
}  # fmt: skip

Measure = Literal["queue_wait", "run_time"]


def slowest(
    history: History,
    window: Window,
    *,
    measure: Measure = "run_time",
    top: int = 15,
    **filters: Unpack[Filters],
) -> pd.DataFrame:
    """The runs that finished in the window and took longest, the slowest first.

    Parameters
    ----------
    measure
        What counts: the run time, or the wait before it.
    top
        At most so many rows.

    Returns
    -------
    pandas.DataFrame
        ``task_id``, ``name``, ``queue``, ``worker``, ``state`` (str); ``started``, ``finished`` (times);
        ``queue_wait``, ``run_time`` (float, seconds); ``retries`` (Int64); ``args``, ``kwargs`` (str,
        representations). ``attrs`` as with :mod:`zumolib.frames.tasks`.

    Raises
    ------
    InputError
        For another measure or an unknown filter.
    """
    if measure not in ("queue_wait", "run_time"):
        raise InputError(f"measure={measure!r}: runs are measured by queue_wait or run_time")
    wanted = Condition(filters)
    parts = {"where": wanted.sql, "measure": measure}
    table = ask(
        history,
        "slowest",
        window,
        parts,
        {**wanted.values, "rows": top},
        by="finished",
        entries=wanted.entries,
    )
    return told(frame(table, SLOWEST, window.zone), history, window)


def failed(
    history: History,
    window: Window,
    *,
    error: str = "",
    top: int = 15,
    **filters: Unpack[Filters],
) -> pd.DataFrame:
    """The runs that failed for good in the window, the last one first.

    Parameters
    ----------
    error
        Only those whose exception begins like this, for example with its class.
    top
        At most so many rows.

    Returns
    -------
    pandas.DataFrame
        ``task_id``, ``name``, ``queue``, ``worker`` (str); ``finished`` (time); ``run_time`` (float,
        seconds); ``retries`` (Int64); ``exception``, ``traceback``, ``args``, ``kwargs`` (str).
    """
    wanted = Condition(filters)
    values = {**wanted.values, "rows": top, "error": error}
    table = ask(
        history, "failed", window, {"where": wanted.sql}, values, by="finished", entries=wanted.entries
    )
    return told(frame(table, FAILED, window.zone), history, window)
