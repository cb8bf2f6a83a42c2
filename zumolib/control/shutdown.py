"""Shut workers down: they finish what runs and take nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zumolib.control import command
from zumolib.control.effect import appears
from zumolib.control.plan import Plan
from zumolib.control.pool import there
from zumolib.control.run import Run
from zumolib.inspection import remote
from zumolib.inspection.fleet import Fleet
from zumolib.receipts.observation import Observation, of_nodes

if TYPE_CHECKING:
    from celery import Celery

SHUTDOWN_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Shutdown(Plan):
    """An end of workers: they finish what runs and take nothing more."""

    action = "shutdown"
    no_way_back = "a worker that ended cannot be started through the broker; start it where it ran"

    nodes: tuple[str, ...]

    def carry_out(self, run: Run) -> None:
        """Tell them. A worker that ends does not always come to answer."""
        for answer in command.give(self.app, "shutdown", {}, nodes=self.nodes, timeout=0.5):
            if answer.said is None:
                run.step(answer.node, "told to end")
            else:
                run.step(answer.node, answer.text, ok=answer.ok)

    def verify(self, run: Run) -> Observation:
        """They stay silent, or are busy finishing, which cannot be told from outside."""

        def look() -> bool:
            # One that is only busy gets a second question, with more time for its answer.
            for timeout in (0.5, 2 * remote.TIMEOUT):
                said = remote.ask(self.app, {"ping": {}}, nodes=self.nodes, timeout=timeout)["ping"]
                if said:
                    break
            run.after["still_there"] = sorted(said)
            return not said

        silent = appears(look, SHUTDOWN_SECONDS)
        left = len(run.after["still_there"])
        what = of_nodes(len(self.nodes) - left, len(self.nodes), "do not reply any more")
        return Observation.of(silent or None, what, lasting="until something starts them again")


def plan(app: Celery, workers: Sequence[str], *, seen: Fleet | None = None) -> Shutdown:
    """Plan to end workers.

    Raises
    ------
    InputError
        For a worker that does not reply.
    """
    now = there(app, workers, seen)
    frame = now.workers.set_index("worker").loc[list(workers)].reset_index()
    alone = [queue for queue, nodes in now.consumers.items() if set(nodes) <= set(workers)]
    caveats = [
        "what keeps a worker running may start it again",
        "it finishes what runs first, however long that takes",
        "what it has reserved goes back to the broker",
        "revokes, limits and pool sizes that it was told are forgotten",
    ]
    if alone:
        caveats.append(f"of the workers that replied, no other consumes from: {', '.join(alone)}")
    return Shutdown(
        app=app,
        target=", ".join(workers),
        summary=f"shut down {', '.join(workers)}",
        preview=frame[["worker", "processes", "active", "reserved", "scheduled", "queues"]],
        caveats=tuple(caveats),
        asked={"workers": list(workers)},
        before={"consumers": {queue: list(nodes) for queue, nodes in now.consumers.items()}},
        nodes=tuple(workers),
    )
