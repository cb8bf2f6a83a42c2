"""Grow a pool to let waiting messages through, and look whether they come through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from zumolib.control import pool
from zumolib.control.effect import appears
from zumolib.control.run import Run
from zumolib.inspection import fleet
from zumolib.inspection.queues import depths
from zumolib.receipts.observation import UNTIL_RESTART, VERIFIED, Observation

if TYPE_CHECKING:
    import pandas as pd
    from celery import Celery

WATCH_SECONDS = 20.0
HOLD_SECONDS = 5.0  # a process that the same task has for so long is held by it


@dataclass(frozen=True, kw_only=True, eq=False)
class Relief(pool.Grow):
    """More processes for one worker, until its queues drain."""

    node: str
    queues: tuple[str, ...]  # in which messages wait for it
    tasks: tuple[str, ...]  # names of what held its processes

    def verify(self, run: Run) -> Observation:
        """The pool has its size, and messages go; or the same tasks hold the new processes too."""
        grown = super().verify(run)
        if grown.verdict != VERIFIED:
            return grown
        tasks = fleet.snapshot(self.app, nodes=[self.node]).tasks
        before = now = self._waiting(tasks)
        held: Counter[str] = Counter()

        def told() -> bool:
            nonlocal now
            tasks = fleet.snapshot(self.app, nodes=[self.node]).tasks
            held.clear()
            held.update(self._holding(tasks))
            now = self._waiting(tasks)
            return now == 0 or held.total() >= self.sizes[self.node]

        appears(told, WATCH_SECONDS)
        run.after |= {"waiting": now, "held": dict(held)}
        where = f"{', '.join(self.queues)} and with the worker"
        if held.total() >= self.sizes[self.node]:
            names = ", ".join(held)
            what = f"all {held.total()} processes are held by {names}, and {_count(now)} wait in {where}"
            return Observation.of(False, what)
        if now is None or before is None:
            return Observation.of(None, f"{grown.observed}; the broker does not tell what waits in {where}")
        if now and now >= before:
            return Observation.of(False, f"{grown.observed}, and {_count(now)} still wait in {where}")
        drained = f"{_count(before)} waited in {where}, {now:,} do now"
        return Observation.of(True, f"{grown.observed}; {drained}", lasting=UNTIL_RESTART)

    def _waiting(self, tasks: pd.DataFrame) -> int | None:
        """Messages in the queues, and those that the worker has taken and not begun."""
        frame = depths(self.app)
        ready = frame.loc[frame["queue"].isin(self.queues), "ready"]
        reserved = int((tasks["state"] == "reserved").sum())
        return None if ready.empty or ready.isna().any() else int(ready.sum()) + reserved

    def _holding(self, tasks: pd.DataFrame) -> list[str]:
        """Names of the tasks that hold a process, one a process."""
        held = tasks[(tasks["state"] == "active") & tasks["name"].isin(self.tasks)]
        return [str(name) for name in held.loc[held["age"] > HOLD_SECONDS, "name"]]


def plan(app: Celery, node: str, count: int, *, queues: Sequence[str], tasks: Sequence[str]) -> Relief:
    """Plan `count` more processes for a worker whose processes these tasks hold.

    Parameters
    ----------
    queues
        In which messages wait for it.
    tasks
        Names of the tasks that hold its processes.

    Raises
    ------
    InputError
        For a worker that does not reply or whose pool cannot be resized.
    """
    made = pool.grow(app, [node], count)
    values = {f.name: getattr(made, f.name) for f in fields(made)}
    held = f"held now by {', '.join(tasks)}; what is like it may hold the new ones too"
    return Relief(
        **values | {"caveats": (*made.caveats, held), "asked": {**made.asked, "tasks": list(tasks)}},
        node=node,
        queues=tuple(queues),
        tasks=tuple(tasks),
    )


def _count(messages: int | None) -> str:
    if messages is None:
        return "an unknown number of messages"
    return "1 message" if messages == 1 else f"{messages:,} messages"
