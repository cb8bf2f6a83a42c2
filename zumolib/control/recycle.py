"""Replace the processes of a pool: new ones are added, then the old ones end when they are idle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.control import command
from zumolib.control.effect import appears
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import InputError
from zumolib.inspection import fleet
from zumolib.receipts.observation import Observation

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control.command import Answer
    from zumolib.inspection.fleet import Fleet

COLUMNS = ("worker", "processes", "busy")
TRIES = 3  # a process is idle at least between two short tasks
RESIZE_SECONDS = 15.0
END_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Recycle(Plan):
    """New processes for old ones; no task is interrupted."""

    action = "recycle"
    no_way_back = "a process that ended does not come back, and the new ones do the same work"

    old: Mapping[str, tuple[int, ...]]  # process ids by worker

    def carry_out(self, run: Run) -> None:
        """Replace the processes of one worker after the other."""
        for node, pids in self.old.items():
            run.heed()
            last = self._replace(node, pids)
            run.step(node, f"{len(pids)} processes replaced" if last.ok else last.text, ok=last.ok)

    def _replace(self, node: str, pids: tuple[int, ...]) -> Answer:
        """Grow the pool by its size, then shrink it by as much: it ends its oldest idle processes.

        One that was busy just then has outlived a new one, so the rest is tried again.
        """
        left = set(pids)
        for _ in range(TRIES):
            [answer] = command.give(self.app, "pool_grow", {"n": len(left)}, nodes=[node])
            if answer.ok:
                appears(partial(self._has, node, len(pids) + len(left)), RESIZE_SECONDS)
                answer = self._end(node, len(left))
            if not answer.ok:
                return answer
            appears(partial(self._has, node, len(pids)), RESIZE_SECONDS)
            left &= set(_pids(fleet.snapshot(self.app, nodes=[node]), node))
            if not left:
                break
        return answer

    def _end(self, node: str, count: int) -> Answer:
        """End so many processes, one after the other: a worker whose processes are all busy refuses."""
        answers: list[Answer] = []

        def ended() -> bool:
            answers[:] = command.give(self.app, "pool_shrink", {"n": 1}, nodes=[node])
            return answers[0].ok

        for _ in range(count):
            appears(ended, END_SECONDS)
            if not answers[0].ok:
                break
        return answers[0]

    def verify(self, run: Run) -> Observation:
        """The workers list none of the old processes."""

        def look() -> bool:
            now = fleet.snapshot(self.app, nodes=run.succeeded)
            left = {node: sorted(set(_pids(now, node)) & set(self.old[node])) for node in run.succeeded}
            run.after["old_processes_left"] = left
            return not any(left.values())

        effect = appears(look, END_SECONDS)
        left = sum(map(len, run.after["old_processes_left"].values()))
        old = sum(len(self.old[node]) for node in run.succeeded)
        return Observation.of(effect, f"{old - left:,} of {old:,} old processes are gone")

    def _has(self, node: str, processes: int) -> bool:
        return len(_pids(fleet.snapshot(self.app, nodes=[node]), node)) == processes


def plan(app: Celery, workers: Sequence[str], *, seen: Fleet | None = None) -> Recycle:
    """Plan to replace all processes of these workers.

    Raises
    ------
    InputError
        For a worker that does not reply, or whose pool has no processes of its own.
    """
    now = seen or fleet.snapshot(app, nodes=list(workers))
    old = {node: tuple(_pids(now, node)) for node in workers}
    for node, pids in old.items():
        if not pids:
            raise InputError(
                f"{node} does not reply, or its pool has no processes; only prefork pools can be recycled"
            )
    busy = now.tasks[now.tasks["state"] == "active"].groupby("worker").size()
    rows = [(node, len(pids), int(busy.get(node, 0))) for node, pids in old.items()]
    return Recycle(
        app=app,
        target=", ".join(workers),
        summary=f"replace the {sum(map(len, old.values()))} processes of {', '.join(workers)}",
        preview=pd.DataFrame(rows, columns=list(COLUMNS)),
        caveats=(
            "for a moment there are twice as many processes",
            "a busy process is not ended; apply again when it is done",
        ),
        asked={"workers": list(workers)},
        before={"processes": {node: list(pids) for node, pids in old.items()}},
        old=old,
    )


def _pids(now: Fleet, node: str) -> list[Any]:
    pids = ((now.answers["stats"].get(node) or {}).get("pool") or {}).get("processes")
    return list(pids) if isinstance(pids, list) else []
