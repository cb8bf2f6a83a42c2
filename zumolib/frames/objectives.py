"""Objectives as a frame: what share of each queue's tasks started in time, and what may still be late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from zumolib.deployment.objectives import OBJECTIVES, Objective
from zumolib.errors import InputError
from zumolib.frames.statements import COUNT, TEXT, Condition, Names, ask, frame, told
from zumolib.frames.window import Window

if TYPE_CHECKING:
    from zumolib.history import History


def kept(
    history: History,
    window: Window,
    *,
    objectives: Sequence[Objective] = OBJECTIVES,
    queue: Names = None,
) -> pd.DataFrame:
    """How well each queue's objective was kept, the least budget first.

    A task counts where it started; one that waits longer than its objective allows, and has not started
    by the window's end, counts as late.

    Parameters
    ----------
    objectives
        At most one a queue.
    queue
        Keep these only; one or several.

    Returns
    -------
    pandas.DataFrame
        One row an objective: ``queue`` (str), ``within`` (float, seconds), ``target`` (float, 0 to 1),
        ``count`` and ``met`` (int64, tasks), ``share`` (float, met of count; NaN without tasks), ``late``
        (int64, tasks), ``allowed`` (float, tasks that may be late), ``budget`` (float, share of the allowed
        that is left: 1 untouched, 0 used up, below 0 overspent; NaN without tasks).

    Raises
    ------
    InputError
        For a queue with two objectives, or one that is none.
    """
    names = [objective.queue for objective in objectives]
    for objective in objectives:
        if names.count(objective.queue) > 1:
            raise InputError(f"{objective.queue} has several objectives; keep one a queue")
        if not (objective.within >= 0 and 0 < objective.share < 1):
            raise InputError(f"{objective}: give seconds of 0 or more and a share between 0 and 1")
    chosen = {queue} if isinstance(queue, str) else set(names if queue is None else queue)
    asked = [objective for objective in objectives if objective.queue in chosen]
    found = _counted(history, window, asked)
    rows = pd.DataFrame(
        {
            "queue": pd.Series([o.queue for o in asked], dtype="str"),
            "within": pd.Series([o.within for o in asked], dtype="float64"),
            "target": pd.Series([o.share for o in asked], dtype="float64"),
        }
    )
    rows = rows.merge(found, how="left", on="queue").fillna({"count": 0, "met": 0})
    rows = rows.astype({"count": "int64", "met": "int64"})
    count = rows["count"].astype("float64").replace(0.0, np.nan)
    rows["share"] = rows["met"] / count
    rows["late"] = rows["count"] - rows["met"]
    rows["allowed"] = rows["count"] * (1 - rows["target"])
    rows["budget"] = 1 - rows["late"] / (count * (1 - rows["target"]))
    return told(rows.sort_values(["budget", "queue"], ignore_index=True), history, window)


def _counted(history: History, window: Window, objectives: Sequence[Objective]) -> pd.DataFrame:
    wanted = Condition({"queue": [o.queue for o in objectives]})
    # The names are parameters of the condition already, in this order; the limits join them.
    limits = {f"limit_{number}": o.within for number, o in enumerate(objectives)}
    cases = [f"WHEN $queue_{number} THEN $limit_{number}" for number in range(len(objectives))]
    limit = f"CASE queue {' '.join(cases)} END" if cases else "NULL"
    table = ask(
        history, "objectives", window, {"where": wanted.sql, "limit": limit}, {**wanted.values, **limits}
    )
    return frame(table, {"queue": TEXT, "count": COUNT, "met": COUNT}, window.zone)
