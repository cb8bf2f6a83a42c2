"""Resume a queue: the workers that stopped consuming from it consume again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zumolib.control import command
from zumolib.control.pause import consuming, queues_frame
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import InputError
from zumolib.inspection import fleet
from zumolib.inspection.fleet import Fleet
from zumolib.receipts import pauses
from zumolib.receipts.observation import Observation

if TYPE_CHECKING:
    from celery import Celery


@dataclass(frozen=True, kw_only=True, eq=False)
class Resume(Plan):
    """A start of consuming."""

    action = "resume"

    queue: str
    nodes: tuple[str, ...]
    options: Mapping[str, Any] = field(repr=False)

    def carry_out(self, run: Run) -> None:
        """Tell each worker."""
        arguments = {"queue": self.queue, **self.options}
        for answer in command.give(self.app, "add_consumer", arguments, nodes=self.nodes):
            run.step(answer.node, answer.text, ok=answer.ok)
        run.after["consuming"] = run.succeeded

    def verify(self, run: Run) -> Observation:
        """All of them list the queue."""
        return consuming(self.app, self.queue, run.succeeded, expected=True)

    def way_back(self, run: Run) -> dict[str, Any] | None:
        """Pause it again on these workers."""
        return {"action": "pause", "arguments": {"queue": self.queue, "only": run.succeeded}}


def plan(
    app: Celery,
    queue: str,
    *,
    nodes: Sequence[str] | None = None,
    seen: Fleet | None = None,
    only: Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    undoes: int | None = None,
) -> Resume:
    """Plan to resume a queue.

    Parameters
    ----------
    nodes
        Workers that are known, from heartbeats; None asks everybody and waits a second.
    seen
        A snapshot to use instead of taking one.
    only
        The workers that shall consume from it; None takes those that the receipts of its pauses name.
    options
        How the queue is bound (``exchange``, ``exchange_type``, ``routing_key``) where the workers do
        not know it; None takes what the receipt of its pause says.

    Raises
    ------
    InputError
        When it is not known who shall consume.
    BrokerError
        The broker does not answer.
    """
    now = seen or fleet.snapshot(app, nodes=nodes if nodes is not None else only)
    remembered, bound = pauses.of(queue)
    chosen = list(only) if only is not None else remembered
    if not chosen:
        raise InputError(f"no pause of {queue!r} is on record; name the workers that shall consume from it")
    there = [node for node in chosen if node in now.replied]
    gone = [node for node in chosen if node not in now.replied]
    idle = [node for node in there if node not in now.consumers.get(queue, ())]
    if not there:
        raise InputError(f"none of {', '.join(chosen)} replies ({now.note}); name others, or start them")
    who = "1 worker" if len(idle) == 1 else f"{len(idle)} workers"
    done = "" if idle else ": all of them consume from it already"
    return Resume(
        app=app,
        target=queue,
        summary=f"resume queue {queue} on {who}{done}",
        preview=queues_frame(now, idle, queue, joins=True),
        caveats=(f"not there any more: {', '.join(gone)}",) if gone else (),
        asked={"queue": queue, "only": list(only) if only else None},
        before={"consumers": list(now.consumers.get(queue, ()))},
        undoes=undoes,
        queue=queue,
        nodes=tuple(idle),
        options=dict(options) if options is not None else bound,
    )
