"""Take an action back, by another action that its receipt describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zumolib.control import limits, pause, pool, reschedule, resume, switch
from zumolib.control.applying import apply
from zumolib.control.plan import Plan
from zumolib.errors import InputError
from zumolib.receipts import book
from zumolib.receipts.book import Receipt

if TYPE_CHECKING:
    from celery import Celery


def _enable(app: Celery, **arguments: Any) -> Plan:
    return switch.plan(app, on=True, **arguments)


def _disable(app: Celery, **arguments: Any) -> Plan:
    return switch.plan(app, on=False, **arguments)


# The action that takes another one back, by its name in the receipt.
WAYS: Mapping[str, Callable[..., Plan]] = {
    "reschedule": reschedule.back,
    "enable": _enable,
    "disable": _disable,
    "pause": pause.plan,
    "resume": resume.plan,
    "rate limit": limits.rate,
    "time limit": limits.times,
    "grow": pool.grow,
    "shrink": pool.shrink,
    "autoscale": pool.autoscale,
}


def plan(app: Celery, pk: int) -> Plan:
    """Plan to take back what a receipt records.

    Raises
    ------
    InputError
        When there is no such receipt, no way back, or it was taken already.
    """
    made = book.read(pk)
    if made.undone_by is not None:
        raise InputError(f"receipt {pk} was undone already, by receipt {made.undone_by}")
    if made.undo is None:
        raise InputError(f"receipt {pk} ({made.action}, {made.state}) cannot be undone; {_why(made)}")
    return WAYS[made.undo["action"]](app, undoes=pk, **made.undo["arguments"])


def undo(app: Celery, pk: int, *, reason: str = "", actor: str = "", allow: bool | None = None) -> Receipt:
    """Take back what a receipt records; see :func:`plan` and :func:`.applying.apply`."""
    return apply(plan(app, pk), reason=reason or f"undo of receipt {pk}", actor=actor, allow=allow)


def _why(made: Receipt) -> str:
    """The reason that the action gave for itself, and what was done."""
    if made.state == "started":
        return f"it has no end on record: {made.outcome}"
    reason = made.no_way_back or "its receipt gives no reason"
    return f"{reason} (what was done: {made.outcome})"
