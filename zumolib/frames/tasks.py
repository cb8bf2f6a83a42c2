"""Tasks as frames: which there were, how long they waited and ran, what failed, what is under way.

Every function takes a history and a window, and keeps by ``name``, ``queue``, ``worker``, ``state`` and
``entry`` (one value or several; :class:`zumolib.frames.statements.Filters`). Times are datetime64[us] in
the window's zone, durations float64 seconds, counts int64; what is not known is missing. A record is of
a task's last attempt: a retried task counts once.

``frame.attrs`` says where the numbers are from and how complete they are, as
:meth:`zumolib.frames.window.Window.provenance` gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from zumolib.errors import InputError
from zumolib.frames.buckets import Buckets, step_of
from zumolib.frames.scheduled import Scheduled
from zumolib.frames.statements import (
    COUNT,
    FLAG,
    MOMENT,
    REAL,
    SOME,
    TEXT,
    Condition,
    Filters,
    ask,
    frame,
    grouping,
    listed,
    told,
)
from zumolib.frames.window import Window

if TYPE_CHECKING:
    from zumolib.history import History

RECORDS = {
    "task_id": TEXT, "name": TEXT, "queue": TEXT, "worker": TEXT, "state": TEXT, "sent": MOMENT,
    "eta": MOMENT, "expires": MOMENT, "received": MOMENT, "started": MOMENT, "finished": MOMENT,
    "queue_wait": REAL, "run_time": REAL, "retries": SOME, "exception": TEXT, "traceback": TEXT,
    "args": TEXT, "kwargs": TEXT, "parent_id": TEXT, "root_id": TEXT, "entry": TEXT, "entry_matched": FLAG,
}  # fmt: skip
_TO_MATCH = ("task_id", "name", "sent", "parent_id", "entry", "entry_matched")
INFLIGHT = {
    "task_id": TEXT, "name": TEXT, "queue": TEXT, "worker": TEXT, "state": TEXT, "retries": SOME,
    "sent": MOMENT, "eta": MOMENT, "received": MOMENT, "started": MOMENT, "entry": TEXT, "age": REAL,
}  # fmt: skip
FAILURES = {
    "error": TEXT, "name": TEXT, "queue": TEXT, "count": COUNT, "first": MOMENT, "last": MOMENT,
    "example": TEXT,
}  # fmt: skip
MOMENTS = ("sent", "received", "started", "finished")
DURATIONS = ("queue_wait", "run_time")
QUANTILES = ("p50", "p90", "p95", "p99", "max")
LATENCY = {
    "count": COUNT, "failures": COUNT, "failure_share": REAL,
    **{f"{duration}_{quantile}": REAL for duration in DURATIONS for quantile in QUANTILES},
}  # fmt: skip

# Without a word from a task for so long, its end was lost or its worker was.
FORGOTTEN = timedelta(days=7)

_TOUCHED = "({})".format(" OR ".join(f"({m} >= $start AND {m} < $end)" for m in MOMENTS))


def records(
    history: History,
    window: Window,
    *,
    columns: Sequence[str] = tuple(RECORDS),
    newest: int | None = None,
    **filters: Unpack[Filters],
) -> pd.DataFrame:
    """One row a task that was sent, received, started or finished in the window, in order of time.

    Parameters
    ----------
    columns
        Load these only: a file is read by column.
    newest
        At most so many rows, the last ones.

    Returns
    -------
    pandas.DataFrame
        - ``task_id``, ``name``, ``queue``, ``worker``, ``state`` (str): ``queue`` is missing for a task whose
          producer sends no task-sent event; ``state`` is one of :mod:`celery.states`, as known by now
        - ``sent``, ``eta``, ``expires``, ``received``, ``started``, ``finished`` (times)
        - ``queue_wait`` (float, seconds): started − max(sent, eta), never below 0
        - ``run_time`` (float, seconds): finished − started
        - ``retries`` (Int64): attempts before this one
        - ``exception``, ``traceback`` (str): of a FAILURE or a RETRY
        - ``args``, ``kwargs`` (str): representations, shortened by Celery
        - ``parent_id``, ``root_id``, ``entry`` (str)
        - ``entry_matched`` (bool): the sender told no entry; this one has the task's name and was due when
          it was sent. It is concluded where the history knows the schedule, as that of
          :func:`zumolib.frames.scheduled.open_history` does; anybody may have called the task just then.

    Raises
    ------
    InputError
        For an unknown column or filter.
    """
    unknown = [column for column in columns if column not in RECORDS]
    if unknown or not columns:
        raise InputError(f"columns={unknown}: a record has {', '.join(RECORDS)}")
    wanted = Condition(filters)
    matching = isinstance(history, Scheduled) and not {"entry", "entry_matched"}.isdisjoint(columns)
    needed = tuple(dict.fromkeys([*columns, *(_TO_MATCH if matching else ())]))
    loaded = ", ".join(column for column in needed if column != "entry_matched") or "task_id"
    parts = {"columns": loaded, "where": wanted.sql, "touched": _TOUCHED}
    parts["direction"] = "" if newest is None else "DESC"
    values = {**wanted.values, "rows": newest}
    table = ask(history, "records", window, parts, values, entries=wanted.entries)
    found = frame(table, {column: RECORDS[column] for column in needed}, window.zone)
    if newest is not None:
        found = found.iloc[::-1].reset_index(drop=True)
    if isinstance(history, Scheduled) and matching and not wanted.entries:
        found = history.fill(found)
    return told(found[list(columns)], history, window)


def summary(history: History, window: Window, **filters: Unpack[Filters]) -> pd.DataFrame:
    """Tasks of the window by state, most frequent first: ``state``, ``count`` and ``share`` (0 to 1)."""
    wanted = Condition(filters)
    parts = {"where": wanted.sql, "touched": _TOUCHED}
    table = ask(history, "summary", window, parts, wanted.values, entries=wanted.entries)
    return told(frame(table, {"state": TEXT, "count": COUNT, "share": REAL}, window.zone), history, window)


def headline(history: History, window: Window, **filters: Unpack[Filters]) -> pd.Series:
    """The numbers one asks for first, of the tasks that :func:`records` would give.

    Returns
    -------
    pandas.Series
        ``tasks``, ``succeeded``, ``failed``, ``retried`` (sent again at least once), ``revoked``,
        ``unfinished`` (counts); ``queue_wait_p95`` and ``queue_wait_max`` (seconds, NaN without tasks);
        ``slowest`` (name of the task that waited longest, or None) and ``slowest_queue``.
    """
    wanted = Condition(filters)
    parts = {"where": wanted.sql, "touched": _TOUCHED}
    [row] = ask(history, "headline", window, parts, wanted.values, entries=wanted.entries).to_pylist()
    for column in ("queue_wait_p95", "queue_wait_max"):
        row[column] = np.nan if row[column] is None else row[column]
    return told(pd.Series(row, dtype=object), history, window)


def latency(
    history: History,
    window: Window,
    *,
    by: str | Sequence[str] = "name",
    step: timedelta | None = None,
    **filters: Unpack[Filters],
) -> pd.DataFrame:
    """Queue wait and run time of the tasks that finished in the window, by group.

    Parameters
    ----------
    by
        One or several of name, queue, worker, state and entry; none gives the window as one group. By name
        and queue, a task that came through two queues has two rows.
    step
        By time as well: the length of one bucket.

    Returns
    -------
    pandas.DataFrame
        One row a group that has tasks, the longest p95 queue wait first; with `step` in order of time
        before that. With `step`, ``at`` (start of the bucket, by the tasks' end). The columns of `by`
        (str; missing where not known). ``count`` and ``failures`` (tasks), ``failure_share`` (0 to 1). For queue wait and run time
        the quantiles ``queue_wait_p50``, ``_p90``, ``_p95``, ``_p99``, ``_max`` and ``run_time_…`` in
        seconds, exact, linear between neighbours, NaN where no task of the group got that far.

    Raises
    ------
    InputError
        For a column that cannot be grouped by, an unknown filter, or a step of no length.
    """
    columns = grouping(by)
    wanted = Condition(filters)
    buckets = None if step is None else Buckets(window, step)
    names = [*(["bucket"] if buckets else []), *columns]
    parts = {
        "names": listed(names),
        "first": listed(names[:1] if buckets else []),
        "groups": (f"{buckets.sql('finished')} AS bucket, " if buckets else "") + listed(columns),
        "where": wanted.sql,
    }
    about = "entry" in columns or wanted.entries
    table = ask(history, "latency", window, parts, wanted.values, by="finished", entries=about)
    dtypes = {name: COUNT if name == "bucket" else TEXT for name in names}
    found = frame(table, dtypes | LATENCY, window.zone)
    if buckets:
        found.insert(0, "at", buckets.starts(found.pop("bucket")))
    return told(found, history, window)


def throughput(
    history: History,
    window: Window,
    *,
    by: str | Sequence[str] = "queue",
    step: timedelta | None = None,
    **filters: Unpack[Filters],
) -> pd.DataFrame:
    """How many tasks were sent, received, started and finished, by time and group.

    Each moment counts in its own bucket: a task that was sent in one and finished in the next counts in
    both. The first and the last bucket are only as long as the window reaches into them.

    Parameters
    ----------
    by
        One or several of name, queue, worker, state and entry; none gives all tasks together.
    step
        Length of one bucket; None chooses one that a screen shows well.

    Returns
    -------
    pandas.DataFrame
        One row a bucket and group, also where nothing happened, by group, then time: ``at`` (start of the
        bucket), the columns of `by` (str), ``sent``, ``received``, ``started``, ``finished`` (int64, tasks).

    Raises
    ------
    InputError
        For a column that cannot be grouped by, an unknown filter, or a step of no length.
    """
    columns = grouping(by)
    wanted = Condition(filters)
    buckets = Buckets(window, step or step_of(window.end - window.start))
    parts = {"names": listed(["bucket", *columns]), "where": wanted.sql}
    for moment in MOMENTS:
        parts[f"{moment}_groups"] = f"{buckets.sql(moment)} AS bucket, {listed(columns)}"
    about = "entry" in columns or wanted.entries
    table = ask(history, "throughput", window, parts, wanted.values, entries=about)
    keys = {"bucket": COUNT, **dict.fromkeys(columns, TEXT)}
    found = frame(table, {**keys, **dict.fromkeys(MOMENTS, COUNT)}, window.zone)
    every = pd.DataFrame({"bucket": pd.Series(buckets.numbers(), dtype="int64")})
    seen = found[list(columns)].drop_duplicates().sort_values(list(columns)) if columns else None
    grid = every if seen is None else seen.merge(every, how="cross")
    found = grid.merge(found, how="left", on=["bucket", *columns])
    found.insert(0, "at", buckets.starts(found.pop("bucket")))
    return told(
        found.fillna(dict.fromkeys(MOMENTS, 0)).astype(dict.fromkeys(MOMENTS, COUNT)), history, window
    )


def failures(history: History, window: Window, **filters: Unpack[Filters]) -> pd.DataFrame:
    """What failed for good in the window, most frequent first.

    Returns
    -------
    pandas.DataFrame
        One row an exception's class and task: ``error`` (class), ``name``, ``queue`` (of the last one),
        ``count``, ``first`` and ``last`` (when), ``example`` (the last exception as its worker reported it).
    """
    wanted = Condition(filters)
    parts = {"where": wanted.sql}
    table = ask(history, "failures", window, parts, wanted.values, by="finished", entries=wanted.entries)
    return told(frame(table, FAILURES, window.zone), history, window)


def inflight(
    history: History, window: Window, *, oldest: int | None = None, **filters: Unpack[Filters]
) -> pd.DataFrame:
    """Tasks that were under way at the window's end: sent and not finished, the oldest first.

    A task of which nothing was heard for seven days is left out: its end was lost, or its worker.

    Parameters
    ----------
    oldest
        At most so many rows.

    Returns
    -------
    pandas.DataFrame
        One row a task: ``task_id``, ``name``, ``queue``, ``worker``; ``state`` at the window's end: PENDING
        (sent), RECEIVED (reserved by a worker), STARTED or RETRY (between two attempts); ``retries``
        (Int64); ``sent``, ``eta``, ``received``, ``started`` (times); ``entry`` (as its sender told it); ``age`` (float, seconds from
        its first known moment to the window's end).
    """
    wanted = Condition(filters)
    reach = Window(min(window.start, window.end - FORGOTTEN), window.end, window.zone)
    values = {**wanted.values, "rows": oldest}
    table = ask(history, "inflight", reach, {"where": wanted.sql}, values, entries=wanted.entries)
    return told(frame(table, INFLIGHT, window.zone), history, window)
