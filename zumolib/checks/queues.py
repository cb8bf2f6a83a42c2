"""Does somebody consume from each queue?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zumolib.checks import workers
from zumolib.checks.check import Check, Finding

if TYPE_CHECKING:
    from zumolib.checks.scene import Scene


def _paused(scene: Scene) -> Iterator[Finding]:
    for queue, nodes in scene.paused.items():
        still = [
            n for n in nodes if n in scene.fleet.replied and n not in scene.fleet.consumers.get(queue, ())
        ]
        if queue in scene.queues and still:
            yield Finding(
                "queue-paused",
                queue,
                f"{queue} was paused {_by_whom(queue)}{_waiting(scene, queue)}",
                f"resume it by `zumo resume {queue}`, unless that reason still holds",
                facts={"queue": queue, "nodes": still},
            )


def _unconsumed(scene: Scene) -> Iterator[Finding]:
    paused = {finding.subject for finding in _paused(scene)}
    for queue in scene.queues:
        if queue not in scene.fleet.consumers and queue not in paused:
            yield Finding(
                "queue-unconsumed",
                queue,
                f"no worker that replies consumes from {queue}{_waiting(scene, queue)}",
                "start the worker that is meant for it, or let one that runs consume from it; "
                "look at the -Q of its start command",
                facts={"queue": queue},
            )


def _by_whom(queue: str) -> str:
    from zumolib.receipts.models import Receipt

    made = Receipt.objects.filter(action="pause", target=queue).first()
    if made is None:
        return "by somebody"
    return f"by {made.actor} at {made.started_at:%Y-%m-%d %H:%M} UTC ({made.reason or 'no reason given'})"


def _waiting(scene: Scene, queue: str) -> str:
    ready = scene.ready.get(queue)
    return f"; {ready:,} messages wait in it" if ready else ""


PAUSED = Check("queue-paused", "a queue is paused", _paused, after=workers.IDS)
UNCONSUMED = Check("queue-unconsumed", "no worker consumes from a queue", _unconsumed, after=workers.IDS)
CHECKS = (PAUSED, UNCONSUMED)
