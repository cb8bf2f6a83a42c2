"""Queues at this moment: what waits, what comes and goes, since when, and until when at this rate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from zumolib.conf import conf
from zumolib.errors import BrokerError, InputError
from zumolib.frames import tasks
from zumolib.frames.queues import live
from zumolib.frames.window import Window

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.history import History

COLUMNS = {
    "queue": "str", "ready": "Int64", "unacked": "Int64", "consumers": "Int64", "rate_in": "float64",
    "rate_out": "float64", "oldest": "float64", "drain": "float64", "why": "str",
}  # fmt: skip
CONTENTS = {"name": "str", "count": "int64", "share": "float64", "first": "str"}

QUIET = 10  # messages that a working queue may hold for a moment
RECENT = timedelta(minutes=5)  # what "at the current rate" looks at
WAITS = ("PENDING", "RECEIVED", "RETRY")


def now(
    app: Celery,
    history: History,
    *,
    queue: str | None = None,
    consumers: Mapping[str, int] | None = None,
    recent: timedelta = RECENT,
    at: datetime | None = None,
) -> pd.DataFrame:
    """Every queue of the app as it is now.

    Parameters
    ----------
    queue
        Keep this one only.
    consumers
        Workers by queue, as they said themselves; used where the broker does not tell. None: unknown.
    recent
        How far back rates look.

    Returns
    -------
    pandas.DataFrame
        What :func:`judged` gives. ``attrs``: ``note`` (source and age in one line) and ``lost`` (why the
        broker did not answer, or empty).
    """
    at = at or conf().now()
    window = Window(at - recent, at)
    lost = ""
    try:
        depths = live(app)
    except BrokerError as error:
        lost = str(error)
        names = list(app.amqp.queues)
        depths = pd.DataFrame({"queue": names, "ready": pd.NA, "unacked": pd.NA, "consumers": pd.NA})
    if queue is not None:
        depths = depths[depths["queue"] == queue]
    flow = tasks.throughput(history, window, by="queue", step=recent, queue=queue)
    waits = tasks.inflight(history, window, state=WAITS, queue=queue)
    found = judged(depths, flow, waits, recent=recent, consumers=consumers)
    source = "the broker does not answer" if lost else "depth from the broker"
    found.attrs = {
        "note": f"Source: {source}, rates of the last {recent.total_seconds() / 60:g} min and ages from the "
        f"recorded history; as of {at:%Y-%m-%d %H:%M:%S} UTC",
        "lost": lost,
    }
    return found


def judged(
    depths: pd.DataFrame,
    flow: pd.DataFrame,
    waits: pd.DataFrame,
    *,
    recent: timedelta,
    consumers: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Depths, rates and ages put together, with what they mean; the most urgent queue first.

    Parameters
    ----------
    depths
        ``queue``, ``ready``, ``unacked``, ``consumers``.
    flow
        ``queue``, ``sent``, ``started``, ``finished`` of the stretch `recent`.
    waits
        ``queue`` and ``age`` (seconds) of tasks that wait.

    Returns
    -------
    pandas.DataFrame
        ``queue`` (str); ``ready``, ``unacked`` (Int64, messages), ``consumers`` (Int64), missing where not
        known; ``rate_in``, ``rate_out`` (float, tasks a minute that were sent and started); ``oldest``
        (float, seconds that the oldest waiting task waits; NaN where none is recorded); ``drain`` (float,
        seconds until the queue is empty at these rates; inf for never; NaN where unknown); ``why`` (empty,
        unknown, quiet, draining, "no worker takes from it", "nothing is started", "more comes than goes").
    """
    minutes = recent.total_seconds() / 60
    sums = flow.groupby("queue", observed=True)[["sent", "started"]].sum() / minutes
    ages = waits.groupby("queue", observed=True)["age"].max()
    rows = []
    for row in depths.to_dict("records"):
        queue = row["queue"]
        takers = row["consumers"]
        if pd.isna(takers) and consumers is not None:
            takers = consumers.get(queue, 0)
        arriving = float(sums["sent"].get(queue, 0.0))
        leaving = float(sums["started"].get(queue, 0.0))
        drain, why = _outlook(row["ready"], takers, arriving, leaving)
        waiting = not pd.isna(row["ready"]) and row["ready"] > 0
        rows.append(
            {
                "queue": queue,
                "ready": row["ready"],
                "unacked": row["unacked"],
                "consumers": takers,
                "rate_in": arriving,
                "rate_out": leaving,
                # What no message is left of was purged or expired: it does not wait any more.
                "oldest": float(ages.get(queue, np.nan)) if waiting else np.nan,
                "drain": drain,
                "why": why,
            }
        )
    found = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    urgency = found["why"].map(list(URGENCY).index)
    return (
        found.assign(urgency=urgency)
        .sort_values(["urgency", "ready"], ascending=[True, False], kind="stable", ignore_index=True)
        .drop(columns="urgency")
    )


# What a queue's state is called, the most urgent first.
URGENCY = (
    "no worker takes from it",
    "nothing is started",
    "more comes than goes",
    "draining",
    "unknown",
    "quiet",
    "empty",
)


def _outlook(ready: Any, takers: Any, arriving: float, leaving: float) -> tuple[float, str]:
    """Seconds until empty, and what to call it."""
    if pd.isna(ready):
        return np.nan, "unknown"
    if ready == 0:
        return 0.0, "empty"
    if not pd.isna(takers) and takers == 0:
        return np.inf, "no worker takes from it"
    shrinking = leaving - arriving  # a minute
    if shrinking > 0:
        return float(ready) / shrinking * 60, "quiet" if ready <= QUIET else "draining"
    if ready <= QUIET:
        return np.nan, "quiet"
    return np.inf, "nothing is started" if leaving == 0 else "more comes than goes"


def contents(
    app: Celery, history: History, queue: str, *, limit: int = 200, at: datetime | None = None
) -> pd.DataFrame:
    """What waits in a queue, by task; nothing is taken out of it.

    Redis and Valkey show the messages themselves, the next to be taken first. RabbitMQ shows a message
    only to who takes it, and the management API's way of putting it back disturbs their order; there it
    is what was recorded as sent and not yet received.

    Parameters
    ----------
    limit
        Read so many messages at most.

    Returns
    -------
    pandas.DataFrame
        ``name`` (str), ``count`` (int64, messages), ``share`` (float, of those that were read), ``first``
        (id of the first of them). ``attrs["note"]`` says what was read, and how.
    """
    from zumolib.inspection import messages

    at = at or conf().now()
    if queue not in app.amqp.queues:
        known = ", ".join(app.amqp.queues)
        raise InputError(f"queue={queue!r}: the app has no such queue; it has {known}")
    try:
        if messages.allowed(app):
            read = [(one.name, one.id) for one in messages.waiting(app, queue, limit=limit)]
            note = f"Source: the queue itself, its first {limit:,} messages, read and left where they are"
        else:
            waits = tasks.inflight(
                history, Window(at - RECENT, at), oldest=limit, queue=queue, state=("PENDING", "RETRY")
            )
            read = list(zip(waits["name"], waits["task_id"], strict=True))
            note = (
                "Source: recorded history, sent and not yet received. RabbitMQ shows a message only to who "
                "takes it, and putting it back changes their order"
            )
    except BrokerError as error:
        read, note = [], f"Nothing could be read: {error}"
    frame = pd.DataFrame(read, columns=["name", "first"])
    found = frame.groupby("name", dropna=False)["first"].agg(["size", "first"]).reset_index()
    found = found.set_axis(["name", "count", "first"], axis=1)
    found["share"] = found["count"] / max(len(read), 1)
    found = found[list(CONTENTS)].astype(CONTENTS)
    found = found.sort_values(["count", "name"], ascending=[False, True], ignore_index=True)
    found.attrs = {"note": f"{note}; as of {at:%Y-%m-%d %H:%M:%S} UTC"}
    return found
