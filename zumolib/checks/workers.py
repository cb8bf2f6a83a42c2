"""Are workers there, and can they take more?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    frame = scene.fleet.workers.set_index("worker")
    running = scene.fleet.tasks
    for node, worker in frame.iterrows():
        its = running[(running["worker"] == node) & (running["state"] == "active")]
        waiting = [q for q in worker["queues"] or () if q in scene.queues and scene.ready.get(q)]
        size = worker["processes"]
        if waiting and isinstance(size, int) and (its["age"] > LONG_SECONDS).sum() >= size:
            longest = its.sort_values("age").iloc[-1]
            yield Finding(
                "workers-busy",
                str(node),
                f"all {size} processes of {node} have run for over {LONG_SECONDS:.0f} s, the longest is "
                f"{longest['name']}, while messages wait in {', '.join(waiting)}",
                "give it more processes, or end what should not run (`zumo revoke ID --terminate`)",
                facts={"worker": node},
            )


def _prefetch(scene: Scene) -> Iterator[Finding]:
    for worker in scene.fleet.workers.itertuples(index=False):
        counts = (worker.processes, worker.prefetch, worker.active, worker.reserved, worker.scheduled)
        if not all(isinstance(count, int) for count in counts) or not worker.prefetch:
            continue  # not told, or without a bound
        waiting = [q for q in worker.queues or () if q in scene.queues and scene.ready.get(q)]
        held = worker.active + worker.reserved + worker.scheduled
        if waiting and worker.scheduled and worker.active < worker.processes and held >= worker.prefetch:
            yield Finding(
                "prefetch-held",
                worker.worker,
                f"{worker.scheduled} tasks that wait for their time fill the {worker.prefetch} that "
                f"{worker.worker} may hold, while messages wait in {', '.join(waiting)}",
                "give it more processes, which lets it hold more; keep far ETAs in the database instead",
                facts={"worker": worker.worker},
            )


NONE = Check("no-worker", "no worker replies", _none, after=broker.IDS)
BUSY = Check("workers-busy", "every process is busy with a long task", _busy, after=(*broker.IDS, "no-worker"))
PREFETCH = Check(
    "prefetch-held", "tasks with an ETA fill the prefetch", _prefetch, after=(*broker.IDS, "no-worker")
)
CHECKS = (NONE, BUSY, PREFETCH)
IDS = (*broker.IDS, NONE.id)
