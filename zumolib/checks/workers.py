"""Are workers there, and can they take more?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zumolib.checks import broker
from zumolib.checks.check import Check, Finding

if TYPE_CHECKING:
    from zumolib.checks.scene import Scene

LONG_SECONDS = 60.0  # a task that runs for longer keeps its process from the others
RUNNING = ("RUNNING", "STARTING")


def _none(scene: Scene) -> Iterator[Finding]:
    if scene.fleet.replied:
        return
    state = scene.service("worker")
    if state is None:
        saw = "the broker answers, and no worker replies to it"
        hint = "start the workers; one that runs and is silent names the trouble in its log"
    elif state in RUNNING:
        saw = "the worker's process runs and does not reply through the broker"
        hint = "start it anew; its log (`zumo logs worker`) says what it waited for"
    else:
        saw = f"the worker's process does not run ({state.lower()})"
        hint = "start it; if it does not stay up, `zumo logs worker` says why"
    yield Finding("no-worker", "", saw, hint)


def _busy(scene: Scene) -> Iterator[Finding]:
    running = scene.fleet.tasks
    for worker in _workers(scene):
        node, size = worker["worker"], worker["processes"]
        its = running[(running["worker"] == node) & (running["state"] == "active")]
        waiting = _waiting(scene, worker)
        taken = int(((running["worker"] == node) & (running["state"] == "reserved")).sum())
        if (waiting or taken) and isinstance(size, int) and int((its["age"] > LONG_SECONDS).sum()) >= size:
            longest = its.sort_values("age")["name"].iloc[-1]
            yield Finding(
                "workers-busy",
                node,
                f"all {size} processes of {node} have run for over {LONG_SECONDS:.0f} s, the longest is "
                f"{longest}, while {_where(waiting, taken)}",
                "give it more processes, or end what should not run (`zumo revoke ID --terminate`)",
                facts={
                    "worker": node,
                    "queues": waiting or [q for q in worker["queues"] or () if q in scene.queues],
                    "tasks": list(its["name"].value_counts().index),
                    "since": its["since"].min().to_pydatetime(),
                },
            )


def _prefetch(scene: Scene) -> Iterator[Finding]:
    for worker in _workers(scene):
        counts = [worker[key] for key in ("processes", "prefetch", "active", "reserved", "scheduled")]
        if not all(isinstance(count, int) for count in counts) or not worker["prefetch"]:
            continue  # not told, or without a bound
        processes, prefetch, active, reserved, scheduled = counts
        waiting = _waiting(scene, worker)
        if waiting and scheduled and active < processes and active + reserved + scheduled >= prefetch:
            yield Finding(
                "prefetch-held",
                worker["worker"],
                f"{scheduled} tasks that wait for their time fill the {prefetch} that {worker['worker']} may "
                f"hold, while messages wait in {', '.join(waiting)}",
                "give it more processes, which lets it hold more; keep far ETAs in the database instead",
                facts={
                    "worker": worker["worker"],
                    "queues": waiting,
                    "tasks": _named(scene, worker["worker"], "scheduled"),
                },
            )


def _workers(scene: Scene) -> list[dict[str, Any]]:
    frame = scene.fleet.workers.astype(object)
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False, name=None)]


def _where(waiting: list[str], taken: int) -> str:
    """Where messages wait: in queues, or taken by the worker and not begun."""
    parts = [f"messages wait in {', '.join(waiting)}"] if waiting else []
    if taken:
        parts.append(f"{taken:,} that it has taken {'waits' if taken == 1 else 'wait'}")
    return " and ".join(parts)


def _named(scene: Scene, node: str, state: str) -> list[str]:
    """Names of what a worker has in a state, the commonest first."""
    tasks = scene.fleet.tasks
    its = tasks[(tasks["worker"] == node) & (tasks["state"] == state)]
    return list(its["name"].value_counts().index)


def _waiting(scene: Scene, worker: dict[str, Any]) -> list[str]:
    """Queues in which messages wait for this worker."""
    return [q for q in worker["queues"] or () if q in scene.queues and scene.ready.get(q)]


NONE = Check("no-worker", "no worker replies", _none, after=broker.IDS)
BUSY = Check(
    "workers-busy", "every process is busy with a long task", _busy, after=(*broker.IDS, "no-worker")
)
PREFETCH = Check(
    "prefetch-held", "tasks with an ETA fill the prefetch", _prefetch, after=(*broker.IDS, "no-worker")
)
CHECKS = (NONE, BUSY, PREFETCH)
IDS = (*broker.IDS, NONE.id)
