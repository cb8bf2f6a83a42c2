"""What is known of task ids that no worker names: by the broker, the result backend and the history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from celery.states import PENDING, READY_STATES, REVOKED

from zumolib.conf import conf
from zumolib.control import sending
from zumolib.errors import HistoryError, InputError
from zumolib.history import History
from zumolib.inspection import messages

if TYPE_CHECKING:
    from celery import Celery

LONGEST = 255  # characters of an id: what Celery's result tables hold
BACK = timedelta(days=30)  # of the history that is looked through
STATEMENT = "SELECT DISTINCT task_id, name, state FROM {tasks} WHERE list_contains($ids, task_id)"


@dataclass(frozen=True)
class Trace:
    """Where an id is known from."""

    state: str  # queued, held, or Celery's
    source: str  # broker, result backend or history
    name: str | None = None
    queue: str | None = None

    @property
    def ended(self) -> bool:
        """Whether its task has ended by itself; a revoke may have been told without a task to it."""
        return self.state in READY_STATES and self.state != REVOKED


def check(ids: Iterable[str]) -> None:
    """Refuse what cannot be an id.

    Raises
    ------
    InputError
        Naming the value.
    """
    for task_id in ids:
        if not task_id.strip() or len(task_id) > LONGEST or not task_id.isprintable():
            raise InputError(
                f"{task_id[:60]!r} cannot be a task's id: 1 to {LONGEST} printable characters; "
                "copy it from `zumo call` or the history"
            )


def traces(app: Celery, ids: Sequence[str]) -> tuple[dict[str, Trace], str]:
    """What is known of these ids, and in words who was asked and knows nothing of the others.

    Raises
    ------
    BrokerError
        The broker or the result backend does not answer.
    """
    found: dict[str, Trace] = {}
    asked = ["every worker"]
    if messages.allowed(app):
        asked.append("the broker")
        for task_id, lying in messages.find(app, ids).items():
            found[task_id] = Trace("held" if lying.held else "queued", "broker", lying.name, lying.queue)
    left = [task_id for task_id in ids if task_id not in found]
    if hasattr(app.backend, "get_task_meta"):  # a disabled result backend has none
        asked.append("the result backend")
        with sending.backend_errors(app):
            metas = {task_id: app.backend.get_task_meta(task_id, cache=False) for task_id in left}
        for task_id, meta in metas.items():
            if meta.get("status") not in (None, PENDING):
                found[task_id] = Trace(str(meta["status"]), "result backend", meta.get("name"))
    left = [task_id for task_id in left if task_id not in found]
    if left:
        try:
            found |= _recorded(left)
        except HistoryError as error:
            return found, f"{_listed(asked)}; the history cannot be read ({error})"
        asked.append("history")
    hidden = "" if messages.allowed(app) else "; this broker does not show what waits in its queues"
    return found, _listed(asked) + hidden


def _recorded(ids: Sequence[str]) -> dict[str, Trace]:
    now = datetime.now(UTC)
    rows = History(conf().history).select(STATEMENT, (now - BACK, now + BACK), ids=list(ids)).to_pylist()
    return {row["task_id"]: Trace(str(row["state"]), "history", row["name"]) for row in rows}


def _listed(asked: Sequence[str]) -> str:
    """``unknown to every worker, to the broker and to history``."""
    parts = [f"to {one}" for one in asked]
    return "unknown " + (f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0])
