"""What the control room shows, read piece by piece, each as often as it is worth.

Depth is one round trip and read at every refresh. Workers, the history and the database cost more and
change more slowly, so each has a pace of its own and every piece tells how old it is. What does not
answer becomes a state; the other pieces go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.conf import conf, hide
from zumolib.deployment.objectives import OBJECTIVES
from zumolib.errors import ZumoError
from zumolib.frames import backlog, health, queues, tasks, workers
from zumolib.frames.window import Window
from zumolib.inspection.queues import Depths

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.history import History
    from zumolib.inspection.fleet import Fleet

LOOK = timedelta(minutes=30)  # what sparklines show
FAILED = timedelta(hours=1)
SHOWN = 6  # rows of a list
PACE = {  # seconds between two readings of a piece
    "depths": 0.0,
    "workers": 6.0,
    "history": 10.0,
    "health": 10.0,
    "actions": 10.0,
}


@dataclass(frozen=True)
class Reading:
    """One look at everything; a frame that could not be read is empty, and `lost` says why."""

    at: datetime  # UTC
    health: pd.DataFrame
    queues: pd.DataFrame
    past: pd.DataFrame  # depth of the last half hour
    running: pd.DataFrame
    failing: pd.DataFrame
    late: pd.DataFrame
    actions: pd.DataFrame
    expected: int  # workers
    replied: int
    numbers: dict[str, int | None]  # waiting, running, failed, late; None: unknown
    lost: dict[str, str] = field(default_factory=dict)  # reason by piece


class Reader:
    """Reads again and again; keeps a connection to the broker. For one thread only.

    Parameters
    ----------
    app
        Any Celery app.
    history
        Its recorded history.
    """

    def __init__(self, app: Celery, history: History) -> None:
        self.app = app
        self.history = history
        self._probe = Depths(app, management_url=conf().RABBITMQ_MANAGEMENT_URL)
        self._due: dict[str, float] = {}
        self._kept: dict[str, Any] = {}
        self.lost: dict[str, str] = {}

    def close(self) -> None:
        """Drop the connection."""
        self._probe.close()

    def read(self, at: datetime | None = None) -> Reading:
        """Read what is due, keep the rest. Never raises for what does not answer."""
        at = at or conf().now()
        depths = self._piece("depths", self._depths)
        seen = self._piece("history", lambda: self._history(at)) or {}
        fleet = None if depths is None else self._piece("workers", lambda: self._fleet(at))
        replied = fleet.replied if fleet is not None else ()
        nodes = self._nodes(at)
        found = self._piece("health", lambda: self._health(at, nodes, replied, depths is not None))
        actions = self._piece("actions", self._actions)
        running = _running(fleet)
        late = seen.get("late", _EMPTY)
        return Reading(
            at=at,
            health=_EMPTY if found is None else found,
            queues=self._queues(depths, seen, fleet),
            past=seen.get("past", _EMPTY),
            running=running,
            failing=seen.get("failing", _EMPTY),
            late=late,
            actions=_EMPTY if actions is None else actions,
            expected=len({*nodes, *replied}),
            replied=len(replied),
            numbers={
                "waiting": None if depths is None else int(depths["ready"].fillna(0).sum()),
                "running": None if fleet is None else len(running),
                "failed": int(seen["failing"]["count"].sum()) if seen else None,
                "late": len(late) if seen else None,
            },
            lost=dict(self.lost),
        )

    def _piece(self, name: str, ask: Callable[[], Any]) -> Any:
        """What was read, at most as old as its pace; None when it could not be."""
        if time.monotonic() < self._due.get(name, 0.0):
            return self._kept.get(name)
        try:
            self._kept[name] = ask()
            self.lost.pop(name, None)
        except ZumoError as error:
            self._kept[name] = None
            self.lost[name] = hide(error)
        except Exception as error:  # noqa: BLE001 - a view goes on whatever a driver raises
            self._kept[name] = None
            self.lost[name] = hide(f"{type(error).__name__}: {error}")
        self._due[name] = time.monotonic() + PACE[name]
        return self._kept[name]

    def _depths(self) -> pd.DataFrame:
        try:
            rows = self._probe.sample()
        except ZumoError:
            # Who waits for a lost broker at every refresh is slow exactly when it matters.
            self._due.update(workers=0.0, health=0.0)
            raise
        frame = pd.DataFrame(rows, columns=["queue", "ready", "unacked", "consumers"])
        return frame.astype({"ready": "Int64", "unacked": "Int64", "consumers": "Int64"})

    def _nodes(self, at: datetime) -> tuple[str, ...]:
        """Workers that should be there: those whose heartbeat was recorded lately."""
        seen = self._kept.get("history") or {}
        return tuple(seen.get("nodes", ()))

    def _fleet(self, at: datetime) -> Fleet:
        from zumolib.inspection import fleet

        return fleet.snapshot(self.app, nodes=self._nodes(at) or None, timeout=1.0)

    def _history(self, at: datetime) -> dict[str, Any]:
        recent = Window(at - backlog.RECENT, at)
        waits = tasks.inflight(self.history, recent, oldest=10_000, state=backlog.WAITS)
        failing = tasks.failures(self.history, Window(at - FAILED, at))
        return {
            "flow": tasks.throughput(self.history, recent, by="queue", step=backlog.RECENT),
            "waits": waits,
            "late": overdue(waits, at),
            "failing": failing,
            "past": queues.depth(self.history, Window(at - LOOK, at), points=90),
            "nodes": workers.seen(self.history, Window(at - timedelta(minutes=10), at))["worker"].tolist(),
        }

    def _health(
        self, at: datetime, nodes: tuple[str, ...], replied: tuple[str, ...], broker: bool
    ) -> pd.DataFrame:
        return health.now(self.app, self.history, nodes=nodes, replied=replied if broker else (), at=at)

    def _actions(self) -> pd.DataFrame:
        from zumolib.receipts import book

        return book.latest(limit=SHOWN)

    def _queues(self, depths: pd.DataFrame | None, seen: dict[str, Any], fleet: Fleet | None) -> pd.DataFrame:
        if depths is None:
            names = list(self.app.amqp.queues)
            depths = pd.DataFrame({"queue": names, "ready": pd.NA, "unacked": pd.NA, "consumers": pd.NA})
        flow = seen.get("flow", pd.DataFrame(columns=["queue", "sent", "started", "finished"]))
        waits = seen.get("waits", pd.DataFrame(columns=["queue", "age"]))
        takers = None if fleet is None else {queue: len(nodes) for queue, nodes in fleet.consumers.items()}
        return backlog.judged(depths, flow, waits, recent=backlog.RECENT, consumers=takers)


def overdue(waits: pd.DataFrame, at: datetime) -> pd.DataFrame:
    """Waiting tasks whose queue's objective is missed already, the latest first.

    Returns
    -------
    pandas.DataFrame
        The columns of `waits`, ``wait`` (float, seconds since sent or due) and ``within`` (float, seconds,
        the objective).
    """
    limits = {objective.queue: objective.within for objective in OBJECTIVES}
    due = waits[["sent", "eta"]].max(axis=1)
    wait = (pd.Timestamp(at) - due).dt.total_seconds()
    within = waits["queue"].map(limits).astype("float64")
    late = waits.assign(wait=wait, within=within)
    late = late[(late["wait"] > late["within"]) & (late["state"] != "RETRY")]
    return late.sort_values("wait", ascending=False, ignore_index=True)


def _running(fleet: Fleet | None) -> pd.DataFrame:
    if fleet is None:
        return _EMPTY
    active = fleet.tasks
    active = active[active["state"] == "active"]
    return active.sort_values("age", ascending=False, ignore_index=True)


_EMPTY = pd.DataFrame()
