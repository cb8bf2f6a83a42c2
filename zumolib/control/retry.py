"""Retry failed tasks from their real arguments, or refuse with the reason.

Events and the history carry shortened representations; a call is never rebuilt from those. The result's
metadata has the real arguments where ``result_extended`` is set; a message that still lies on a readable
broker has them as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
from celery.utils import uuid

from zumolib.conf import conf
from zumolib.control import sending
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.database import orm
from zumolib.deployment.database import database_errors
from zumolib.errors import HistoryError, InputError, ZumoError
from zumolib.history import History
from zumolib.inspection import messages as peek
from zumolib.inspection.fleet import arguments_text
from zumolib.masking import mask_text
from zumolib.receipts.observation import Observation

if TYPE_CHECKING:
    from celery import Celery

PREVIEW = {
    "id": "str", "name": "str", "queue": "str", "args": "str", "error": "str", "source": "str",
    "new_id": "str",
}  # fmt: skip
REFUSED = {"id": "str", "name": "str", "reason": "str"}
HEADER = "zumo_retry_of"  # of the new message: the id of the task that failed
RECEIPTS = 500  # of retries that are looked through for tasks that were retried already
MOST = 10_000
LOOK_BACK = timedelta(days=30)  # in the history, for the queue that a task's sender told
CAVEATS = (
    "the new runs have ids of their own; the failed results stay as they are",
    "what a failed run has done already is done again, unless its task is written for that",
    "chains, groups and chords that the failed runs were part of do not go on",
)
NO_ARGUMENTS = (
    "its result keeps no arguments; set result_extended for those to come, and call it anew with `zumo call`"
)


@dataclass(frozen=True)
class Again:
    """One task to be sent again."""

    id: str
    new_id: str
    name: str
    args: tuple[Any, ...] = field(repr=False)
    kwargs: Mapping[str, Any] = field(repr=False)
    queue: str
    error: str
    source: str  # where its arguments come from


@dataclass(frozen=True, kw_only=True, eq=False)
class Retry(Plan):
    """Failed tasks to be sent again. The new ids are fixed, so that the receipt names them beforehand."""

    action = "retry"
    no_way_back = "a message that was sent cannot be called back; revoke the new tasks: `zumo revoke ID`"

    tasks: tuple[Again, ...] = field(repr=False)
    refused: pd.DataFrame = field(repr=False)  # id, name, reason

    def carry_out(self, run: Run) -> None:
        """Send each."""
        for task in self.tasks:
            run.heed()
            sending.send(
                self.app,
                task.name,
                task.args,
                task.kwargs,
                task_id=task.new_id,
                headers={HEADER: task.id},
                queue=task.queue,
            )
            run.step(task.id, f"sent as {task.new_id}")
            run.after[task.id] = task.new_id

    def verify(self, run: Run) -> Observation:
        """The broker or workers have them; unknown on a broker that shows nothing and confirms nothing."""
        ids = [task.new_id for task in self.tasks if task.id in run.after]
        return sending.observed(sending.taken(self.app, ids, {*self.preview["queue"]}), len(ids))


def plan(app: Celery, ids: Iterable[str], *, again: bool = False, to: str | None = None) -> Retry:
    """Plan to retry failed tasks.

    Parameters
    ----------
    ids
        Of tasks whose state is FAILURE; others are refused, each with its reason.
    again
        Also those that were retried before.
    to
        The queue to send them to. Without it each goes back to the queue that it came from, and one of
        which that is not known is refused.

    Returns
    -------
    Retry
        ``preview`` has what will be sent; ``refused`` (``id``, ``name``, ``reason``) what will not.

    Raises
    ------
    InputError
        For no ids, or too many at once.
    BrokerError
        The result backend or the broker does not answer.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise InputError("retry which tasks? give the ids of failed ones")
    if len(wanted) > MOST:
        raise InputError(f"{len(wanted):,} tasks at once; retry {MOST:,} at most")
    before = {} if again else _retried()
    with sending.backend_errors(app):
        metas = {task_id: app.backend.get_task_meta(task_id, cache=False) for task_id in wanted}
    lost = [task_id for task_id, meta in metas.items() if _failed(meta) and not _has_arguments(meta)]
    messages = peek.find(app, lost) if lost and peek.allowed(app) else {}
    queues = dict.fromkeys(wanted, to) if to else _recorded_queues(metas)
    tasks, refused = [], []
    for task_id, meta in metas.items():
        try:
            queue = queues.get(task_id)
            tasks.append(
                _again(app, task_id, meta, messages.get(task_id), before.get(task_id), queue, bool(to))
            )
        except ZumoError as error:
            refused.append((task_id, meta.get("name"), str(error)))
    return _made(app, wanted, tasks, refused)


def _made(app: Celery, wanted: list[str], tasks: list[Again], refused: list[Any]) -> Retry:
    rows = [
        {
            "id": task.id,
            "name": task.name,
            "queue": sending.landing(app, task.name, task.queue),
            "args": arguments_text(app, task.name, list(task.args), dict(task.kwargs)),
            "error": task.error,
            "source": task.source,
            "new_id": task.new_id,
        }
        for task in tasks
    ]
    names = {task.name for task in tasks}
    of = f" of {names.pop()}" if len(names) == 1 else ""
    count = f"{len(tasks):,} of {len(wanted):,} failed tasks" if len(wanted) > 1 else "1 failed task"
    if not tasks:
        count = f"none of {len(wanted):,} tasks ({refused[0][2]})"
    left = (f"{len(refused):,} are refused, as {refused[0][0]}: {refused[0][2]}",) if refused else ()
    return Retry(
        app=app,
        target=wanted[0] if len(wanted) == 1 else of.removeprefix(" of ") or f"{len(wanted)} tasks",
        summary=f"retry {count}{of}",
        preview=pd.DataFrame(rows, columns=list(PREVIEW)).astype(PREVIEW),
        caveats=(*CAVEATS, *left),
        asked={"ids": wanted},
        tasks=tuple(tasks),
        refused=pd.DataFrame(refused, columns=list(REFUSED)).astype(REFUSED),
    )


def _again(
    app: Celery,
    task_id: str,
    meta: Mapping[str, Any],
    lying: peek.Lying | None,
    before: int | None,
    recorded: str | None,
    named: bool,
) -> Again:
    """The call, or the reason why there is none."""
    if not _failed(meta):
        raise InputError(f"its state is {meta.get('status')}, not FAILURE")
    if before is not None:
        raise InputError(f"it was retried already, see receipt {before}; --again sends it once more")
    if _has_arguments(meta):
        name, args, kwargs, source = meta["name"], meta["args"], meta["kwargs"], "result"
        key = meta.get("queue")
    elif lying is not None:
        (args, kwargs), name, source, key = lying.arguments(app), lying.name, "message", lying.queue
    else:
        raise InputError(NO_ARGUMENTS)
    queue = recorded if named and recorded else _origin(app, key, recorded)
    error = meta.get("result")
    text = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
    shown = mask_text(text, conf().ZUMO_MASKED_KEYS)[:300]
    return Again(task_id, uuid(), str(name), tuple(args), dict(kwargs), queue, shown, source)


def _failed(meta: Mapping[str, Any]) -> bool:
    return meta.get("status") == "FAILURE"


def _has_arguments(meta: Mapping[str, Any]) -> bool:
    # Anything else than a list and a dict is a representation, or missing.
    return (
        isinstance(meta.get("name"), str)
        and isinstance(meta.get("args"), list | tuple)
        and isinstance(meta.get("kwargs"), dict)
    )


def _origin(app: Celery, key: Any, recorded: str | None) -> str:
    """The queue that a task came from, by what its sender told and by the routing key that its result keeps.

    A routing key that several queues share says nothing, and neither does one that no queue has.

    Raises
    ------
    InputError
        It is not known, or the two disagree.
    """
    queues = app.amqp.queues
    sharing = sorted({name for name, q in queues.items() if q.routing_key == key} | ({key} & set(queues)))
    if recorded is not None:
        if sharing and recorded not in sharing:
            raise InputError(
                f"its sender told the queue {recorded!r}, its result the routing key {key!r} of {sharing[0]!r}; "
                "name the queue by --to"
            )
        return recorded
    if len(sharing) == 1:
        return sharing[0]
    if sharing:
        raise InputError(
            f"its result keeps the routing key {key!r}, which {_named(sharing)} share; name the queue by --to"
        )
    raise InputError(
        f"the queue it came from is not known: its result keeps the routing key {key!r}, which is none of the app's "
        "queues; name the queue by --to"
    )


def _named(queues: Sequence[str]) -> str:
    shown = ", ".join(queues[:4])
    return f"the queues {shown} and {len(queues) - 4} more" if len(queues) > 4 else f"the queues {shown}"


def _recorded_queues(metas: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Queues of these tasks as their senders told them in events, by task id; those that the history has."""
    ids = [task_id for task_id, meta in metas.items() if _failed(meta)]
    if not ids:
        return {}
    now = datetime.now(UTC)
    try:
        found = History(conf().history).select(
            "SELECT task_id, queue FROM {tasks} WHERE task_id IN (SELECT unnest($ids)) AND queue IS NOT NULL",
            (now - LOOK_BACK, now),
            ids=ids,
        )
    except HistoryError:
        return {}  # nothing is recorded here, or it cannot be read: the results have to tell
    return dict(zip(found["task_id"].to_pylist(), found["queue"].to_pylist(), strict=True))


def _retried() -> dict[str, int]:
    """Tasks that were retried, with the receipt of it."""
    orm.ready()
    from zumolib.receipts.models import Receipt as Row

    columns = ("id", "state", "after", "affected")
    with database_errors():
        rows = list(Row.objects.filter(action="retry").order_by("-id").values_list(*columns)[:RECEIPTS])
    found: dict[str, int] = {}
    for pk, state, after, affected in reversed(rows):
        # Of a retry without an end it is not known how far it came.
        sent = after if state != "started" else [row["id"] for row in affected]
        found |= dict.fromkeys(sent, pk)
    return found
