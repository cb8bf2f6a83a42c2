"""Task records as frames: how many, how long they waited, how long they ran, what failed.

Every function takes the frame that :meth:`zumolib.history.History.tasks` gives: one row a task with
``name``, ``queue``, ``worker``, ``state``, ``queue_wait`` and ``run_time`` (seconds), ``retries``,
``exception`` and the task's times (UTC).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from zumolib.errors import InputError
from zumolib.frames.window import Window

if TYPE_CHECKING:
    from zumolib.history import History

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
DURATIONS = ("queue_wait", "run_time")
GROUPS = ("name", "queue", "worker", "state", "entry")
FINAL = ("SUCCESS", "FAILURE", "REVOKED", "REJECTED")


def records(
    history: History, window: Window, *, name: str | None = None, queue: str | None = None
) -> pd.DataFrame:
    """The task records of a window, one row a task."""
    return history.tasks(window.start, window.end, name=name, queue=queue)


def latency(tasks: pd.DataFrame, *, by: str = "name") -> pd.DataFrame:
    """Queue wait and run time of each group, the longest p95 queue wait first.

    Parameters
    ----------
    tasks
        Task records.
    by
        Column to group by: name, queue, worker, state or entry.

    Returns
    -------
    pandas.DataFrame
        One row a group: `by`; ``queue`` (the group's most frequent one), ``count`` (tasks), ``failures``,
        ``failure_share`` (0 to 1, of the tasks that ended), and for queue wait and run time the
        quantiles ``queue_wait_p50``, ``_p95``, ``_p99``, ``_max`` and ``run_time_…`` in seconds, linear
        between neighbours, NaN where no task of the group got that far.

    Raises
    ------
    InputError
        For a column that cannot be grouped by.
    """
    if by not in GROUPS:
        raise InputError(f"by={by!r}: tasks group by one of {', '.join(GROUPS)}")
    grouped = tasks.groupby(by, observed=True)
    result = pd.DataFrame({"count": grouped.size()})
    if by != "queue":
        result.insert(0, "queue", grouped["queue"].agg(_most_frequent))
    failed = tasks["state"].eq("FAILURE").astype("int64").groupby(tasks[by]).sum()
    ended = tasks["state"].isin(FINAL).astype("int64").groupby(tasks[by]).sum()
    result["failures"] = failed
    result["failure_share"] = failed.astype("float64") / ended.where(ended > 0)
    for column in DURATIONS:
        for label, quantile in QUANTILES.items():
            result[f"{column}_{label}"] = grouped[column].quantile(quantile).astype("float64")
    return result.reset_index().sort_values(
        ["queue_wait_p95", "run_time_p95", by], ascending=[False, False, True], ignore_index=True
    )


def summary(tasks: pd.DataFrame) -> pd.DataFrame:
    """Tasks by state, most frequent first: ``state``, ``count`` and ``share`` (0 to 1)."""
    count = tasks["state"].value_counts().rename_axis("state").reset_index(name="count")
    count["share"] = count["count"] / max(len(tasks), 1)
    return count.sort_values(["count", "state"], ascending=[False, True], ignore_index=True)


def headline(tasks: pd.DataFrame) -> pd.Series:
    """The numbers one asks for first.

    Returns
    -------
    pandas.Series
        ``tasks``, ``succeeded``, ``failed``, ``retried`` (sent again at least once), ``revoked``,
        ``unfinished`` (counts); ``queue_wait_p95`` and ``queue_wait_max`` (seconds, NaN without tasks);
        ``slowest`` (name of the task that waited longest, or None) and ``slowest_queue``.
    """
    state = tasks["state"]
    waits = tasks["queue_wait"].dropna()
    slowest = tasks.iloc[int(tasks["queue_wait"].argmax())] if len(waits) else None
    return pd.Series(
        {
            "tasks": len(tasks),
            "succeeded": int(state.eq("SUCCESS").sum()),
            "failed": int(state.eq("FAILURE").sum()),
            "retried": int(tasks["retries"].fillna(0).gt(0).sum()),
            "revoked": int(state.isin(["REVOKED", "REJECTED"]).sum()),
            "unfinished": int((~state.isin(FINAL)).sum()),
            "queue_wait_p95": waits.quantile(0.95) if len(waits) else np.nan,
            "queue_wait_max": waits.max() if len(waits) else np.nan,
            "slowest": None if slowest is None else slowest["name"],
            "slowest_queue": None if slowest is None else slowest["queue"],
        },
        dtype=object,
    )


def failures(tasks: pd.DataFrame) -> pd.DataFrame:
    """What failed, most frequent first.

    Returns
    -------
    pandas.DataFrame
        One row an exception's class and task: ``error`` (class), ``name``, ``queue``, ``count``, ``last``
        (when it last happened, UTC) and ``example`` (the last exception as its worker reported it).
    """
    failed = tasks[tasks["state"].eq("FAILURE")].sort_values("finished")
    text = failed["exception"].fillna("unknown").astype(str)
    failed = failed.assign(
        error=text.str.extract(r"^\s*([\w.]+)", expand=False).fillna("unknown"), example=text
    )
    rows = failed.groupby(["error", "name"], observed=True).agg(
        queue=("queue", "last"),
        count=("error", "size"),
        last=("finished", "max"),
        example=("example", "last"),
    )
    return rows.reset_index().sort_values(
        ["count", "error", "name"], ascending=[False, True, True], ignore_index=True
    )


def _most_frequent(values: pd.Series) -> object:
    modes = values.mode()
    return modes.iloc[0] if len(modes) else None
