"""Pause a queue: every worker that consumes from it stops doing so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.control import command
from zumolib.control.effect import appears
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import InputError
from zumolib.inspection import fleet, remote
from zumolib.inspection.fleet import Fleet
from zumolib.receipts.observation import UNTIL_RESTART, Observation, of_nodes

if TYPE_CHECKING:
    from celery import Celery

SEEN_SECONDS = 5.0
COLUMNS = {"worker": "str", "queue": "str", "consumes": "object", "will_consume": "object"}
CAVEATS = (
    "what workers have taken from it already still runs",
    "a worker that restarts consumes from it again, as its own settings say",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pause(Plan):
    """A stop of consuming, remembering who did and how."""

    action = "pause"

    queue: str
    nodes: tuple[str, ...]
    options: Mapping[str, Any] = field(repr=False)  # exchange, exchange_type, routing_key: the way back

    def carry_out(self, run: Run) -> None:
        """Tell each worker that consumes from it."""
        for answer in command.give(self.app, "cancel_consumer", {"queue": self.queue}, nodes=self.nodes):
            run.step(answer.node, answer.text, ok=answer.ok)
        run.after["stopped"] = run.succeeded

    def verify(self, run: Run) -> Observation:
        """None of them lists the queue any more."""
        return consuming(self.app, self.queue, run.succeeded, expected=False)

    def way_back(self, run: Run) -> dict[str, Any] | None:
        """Resume on the workers that stopped."""
        return {
            "action": "resume",
            "arguments": {"queue": self.queue, "only": run.succeeded, "options": dict(self.options)},
        }


def plan(
    app: Celery,
    queue: str,
    *,
    nodes: Sequence[str] | None = None,
    seen: Fleet | None = None,
    only: Sequence[str] | None = None,
    undoes: int | None = None,
) -> Pause:
    """Plan to pause a queue on every worker that consumes from it.

    Parameters
    ----------
    nodes
        Workers that are known, from heartbeats; None asks everybody and waits a second.
    seen
        A snapshot to use instead of taking one.
    only
        Pause it on these workers alone.

    Raises
    ------
    InputError
        When nobody consumes from it.
    BrokerError
        The broker does not answer.
    """
    now = seen or fleet.snapshot(app, nodes=nodes if nodes is not None else only)
    consumers = now.consumers
    if queue not in consumers:
        known = ", ".join(consumers) or "none"
        raise InputError(f"no worker consumes from {queue!r} ({now.note}); consumed are: {known}")
    chosen = [node for node in consumers[queue] if only is None or node in only]
    preview = queues_frame(now, chosen, queue, joins=False)
    who = "1 worker" if len(chosen) == 1 else f"{len(chosen)} workers"
    silent = (f"workers that stayed silent go on consuming: {', '.join(now.silent)}",) if now.silent else ()
    return Pause(
        app=app,
        target=queue,
        summary=f"pause queue {queue} on {who}",
        preview=preview,
        caveats=(*CAVEATS, *silent),
        asked={"queue": queue, "only": list(only) if only else None},
        before={"consumers": chosen},
        undoes=undoes,
        queue=queue,
        nodes=tuple(chosen),
        options=_options(now, chosen, queue),
    )


def queues_frame(now: Fleet, nodes: Sequence[str], queue: str, *, joins: bool) -> pd.DataFrame:
    """What workers consume from, before and after: ``worker``, ``queue``, ``consumes``, ``will_consume``."""
    rows = []
    for node in nodes:
        names = [found["name"] for found in now.answers["active_queues"].get(node) or ()]
        others = [name for name in names if name != queue]
        rows.append(
            {
                "worker": node,
                "queue": queue,
                "consumes": tuple(names),
                "will_consume": tuple((*others, queue) if joins else others),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def consuming(app: Celery, queue: str, nodes: Sequence[str], *, expected: bool) -> Observation:
    """Whether all these workers come to list the queue, or to list it no more."""

    agreed: list[str] = []
    silent: list[str] = []

    def look() -> bool:
        said = remote.ask(app, {"active_queues": {}}, nodes=nodes)["active_queues"]
        silent[:] = [node for node in nodes if node not in said]
        agreed[:] = [
            node
            for node, queues in said.items()
            if (queue in {found["name"] for found in queues or ()}) is expected
        ]
        return len(agreed) == len(nodes)

    effect = appears(look, SEEN_SECONDS)
    what = "consume from it" if expected else "do not consume from it any more"
    seen = of_nodes(len(agreed), len(nodes), what)
    if not effect and silent:
        return Observation.of(None, f"{seen}; no reply from {', '.join(silent)}", lasting=UNTIL_RESTART)
    return Observation.of(effect, seen, lasting=UNTIL_RESTART)


def _options(now: Fleet, nodes: Sequence[str], queue: str) -> dict[str, Any]:
    """How the queue is bound, as its workers say."""
    for node in nodes:
        for found in now.answers["active_queues"].get(node) or ():
            if found["name"] == queue:
                exchange = found.get("exchange") or {}
                return {
                    "exchange": exchange.get("name"),
                    "exchange_type": exchange.get("type") or "direct",
                    "routing_key": found.get("routing_key"),
                }
    return {}
