"""Pauses of queues that were not taken back, as the receipts have them."""

from __future__ import annotations

from typing import Any

from zumolib.database import orm
from zumolib.deployment.database import database_errors
from zumolib.receipts import keeping


def paused() -> dict[str, list[str]]:
    """Queues whose last pause was not taken back, with the workers that stopped."""
    orm.ready()
    if not keeping.possible():
        return {}
    from zumolib.receipts.models import Receipt as Row

    queues = Row.objects.filter(action__in=("pause", "resume")).values_list("target", flat=True).distinct()
    found = {queue: of(queue)[0] for queue in queues.order_by("target")}
    return {queue: nodes for queue, nodes in found.items() if nodes}


def of(queue: str) -> tuple[list[str], dict[str, Any]]:
    """Workers that stopped and were not started again, and how the queue is bound."""
    orm.ready()
    from zumolib.receipts.models import Receipt as Row

    stopped: list[str] = []
    options: dict[str, Any] = {}
    with database_errors():
        rows = list(Row.objects.filter(action__in=("pause", "resume"), target=queue).order_by("id"))
    for row in rows:
        if row.action == "pause":
            # All that consumed when it was planned: one whose answer was lost may have stopped all the same.
            stopped += [node for node in row.before.get("consumers", ()) if node not in stopped]
            options = ((row.undo or {}).get("arguments") or {}).get("options") or options
        else:
            stopped = [node for node in stopped if node not in row.after.get("consuming", ())]
    return stopped, options
