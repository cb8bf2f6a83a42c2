"""What a runbook draws, as frames, from what its checks looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from zumolib.checks import CannotTell, memory, schedule
from zumolib.checks import results as backend
from zumolib.inspection import results

if TYPE_CHECKING:
    from zumolib.checks import Scene

MB = 2**20


def consumers(scene: Scene) -> pd.DataFrame:
    """Each queue that is looked at: ``queue``, ``ready`` (messages), ``workers`` that consume from it.

    Empty where the broker does not answer.
    """
    columns = {"queue": "str", "ready": "Int64", "workers": "int64"}
    rows = []
    if scene.broker.state == "ok":
        taken = scene.fleet.consumers
        rows = [(queue, scene.ready.get(queue), len(taken.get(queue, ()))) for queue in scene.queues]
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def lateness(scene: Scene) -> pd.DataFrame:
    """Each overdue entry: ``entry``, ``late`` (seconds since it was due).

    Empty where the schedule is not known; ``attrs["unknown"]`` says why then.
    """
    unknown = ""
    try:
        late = schedule.overdue(scene)
    except CannotTell as reason:
        late, unknown = [], str(reason)
    rows = [(row.name, (scene.now - due).total_seconds()) for row, due in late]
    frame = pd.DataFrame(rows, columns=["entry", "late"]).astype({"entry": "str", "late": "float64"})
    if unknown:
        frame.attrs["unknown"] = unknown
    return frame


def processes(scene: Scene) -> pd.DataFrame:
    """Size of each pool process while it was watched; see :func:`zumolib.checks.memory.watch`."""
    if not scene.watch or scene.broker.state != "ok":
        return pd.DataFrame(columns=list(memory.COLUMNS)).astype(memory.COLUMNS)
    return memory.watch(scene)


def stored(scene: Scene) -> pd.DataFrame:
    """What uses the result backend's memory: ``what``, ``mb``. ``attrs``: `limit` in MB, 0 for none."""
    try:
        told = backend.memory(scene)
    except CannotTell:
        frame = pd.DataFrame({"what": [], "mb": []}).astype({"what": "str", "mb": "float64"})
        frame.attrs["limit"] = 0.0
        return frame
    forever = expiring = 0
    for one in results.all_of(scene.app):
        if one.expires is None:
            forever += one.size
        else:
            expiring += one.size
    other = max(told["used_memory"] - forever - expiring, 0)
    rows = [("results without expiry", forever), ("results that expire", expiring), ("all else", other)]
    frame = pd.DataFrame(rows, columns=["what", "mb"]).astype({"what": "str", "mb": "float64"})
    frame["mb"] /= MB
    frame.attrs["limit"] = told["maxmemory"] / MB
    return frame
