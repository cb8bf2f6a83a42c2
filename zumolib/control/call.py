"""Call a task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
from celery.utils import uuid
from kombu.exceptions import EncodeError

from zumolib.conf import conf
from zumolib.control import catalog, sending
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import InputError
from zumolib.inspection import messages
from zumolib.inspection.fleet import arguments_text
from zumolib.masking import mask_call
from zumolib.receipts.observation import Observation

if TYPE_CHECKING:
    from celery import Celery

PREVIEW: dict[str, Any] = {
    "id": "str", "task": "str", "queue": "str", "args": "str", "priority": "Int64",
    "eta": "datetime64[us, UTC]", "expires": "datetime64[us, UTC]",
}  # fmt: skip
VISIBILITY_TIMEOUT = 3_600  # seconds, the Redis transport's own default


@dataclass(frozen=True, kw_only=True, eq=False)
class Call(Plan):
    """A call of one task. Its id is known before it is sent, so that its receipt names it."""

    action = "call"
    no_way_back = "a message that was sent cannot be called back; revoke its task: `zumo revoke ID`"

    name: str
    task_id: str
    args: tuple[Any, ...] = field(repr=False)
    kwargs: Mapping[str, Any] = field(repr=False)
    queue: str
    options: Mapping[str, Any]

    def carry_out(self, run: Run) -> None:
        """Send it."""
        sending.send(self.app, self.name, self.args, self.kwargs, task_id=self.task_id, **self.options)
        run.after["id"] = self.task_id
        run.step(self.task_id, f"sent to {self.queue} as {self.task_id}")

    def verify(self, run: Run) -> Observation:
        """The broker has confirmed it; what a worker makes of it, :func:`.following.follow` tells."""
        return sending.observed(sending.confirmed(self.app), 1)


def plan(
    app: Celery,
    name: str,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    queue: str | None = None,
    priority: int | None = None,
    countdown: float | None = None,
    eta: datetime | None = None,
    expires: float | datetime | None = None,
    headers: Mapping[str, Any] | None = None,
    known: Mapping[str, catalog.Task] | None = None,
    now: datetime | None = None,
) -> Call:
    """Plan a call.

    Parameters
    ----------
    name
        Of a task that workers registered.
    queue
        One of the app's; None lets the routes decide.
    priority
        0 to 9 on Redis and Valkey, where 0 goes first; 0 to 255 on RabbitMQ, where 255 does.
    countdown, eta
        Seconds from now, or the time (with a zone) before which it does not run; not both.
    expires
        Seconds from now, or the time (with a zone), after which it is not run any more.
    known
        Tasks by name, from :func:`.catalog.tasks`; None takes those that this process knows.

    Raises
    ------
    InputError
        One line naming the value and the remedy.
    """
    now = now or datetime.now(UTC)
    kwargs = dict(kwargs or {})
    task = _known(app, name, known)
    catalog.check(task, args, kwargs)
    _serializable(name, args, kwargs)
    landing = _queue(app, name, queue)
    due = _due(now, countdown, eta)
    end = _moment(now, expires, "expires")
    if end is not None and end <= (due or now):
        raise InputError(f"expires={expires}: it would expire before it may run; pass a later time")
    options = {
        key: value
        for key, value in {
            "queue": queue,
            "priority": _priority(app, priority),
            "eta": due,
            "expires": end,
            "headers": dict(headers) if headers else None,
        }.items()
        if value is not None
    }
    task_id = uuid()
    text = arguments_text(app, name, list(args), kwargs)
    row = {
        "id": task_id, "task": name, "queue": landing, "args": text, "priority": priority, "eta": due,
        "expires": end,
    }  # fmt: skip
    shown_args, shown_kwargs = _masked(app, name, args, kwargs)
    when = f" at {due:%Y-%m-%d %H:%M:%S} UTC" if due else ""
    return Call(
        app=app,
        target=name,
        summary=f"call {name}({text}) on queue {landing}{when}",
        # Column by column: five times as fast as a conversion of the whole, and a call waits for it.
        preview=pd.DataFrame({name: pd.array([row[name]], dtype=kind) for name, kind in PREVIEW.items()}),
        caveats=_caveats(app, now, due, end),
        asked={
            "name": name, "args": shown_args, "kwargs": shown_kwargs, "queue": queue, "priority": priority,
            "eta": due, "expires": end,
        },
        name=name,
        task_id=task_id,
        args=tuple(args),
        kwargs=kwargs,
        queue=landing,
        options=options,
    )  # fmt: skip


def _known(app: Celery, name: str, known: Mapping[str, catalog.Task] | None) -> catalog.Task:
    known = catalog.here(app) if known is None else known
    task = known.get(name)
    if task is None:
        near = [other for other in known if name.lower() in other.lower()][:3]
        hint = f"did you mean {', '.join(near)}?" if near else "`zumo call` without a name lists the tasks"
        raise InputError(f"no worker has registered a task {name!r}; {hint}")
    return task


def _serializable(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    from kombu.utils.json import dumps

    try:
        dumps((list(args), kwargs))
    except (TypeError, ValueError, EncodeError) as error:
        raise InputError(f"the arguments of {name} have no JSON form ({error}); pass plain values") from None


def _queue(app: Celery, name: str, queue: str | None) -> str:
    if queue is not None and queue not in app.amqp.queues and not app.conf.task_create_missing_queues:
        raise InputError(f"there is no queue {queue!r}; there are: {', '.join(app.amqp.queues)}")
    return sending.landing(app, name, queue)


def _priority(app: Celery, priority: int | None) -> int | None:
    if priority is None:
        return None
    highest = 9 if messages.allowed(app) else 255
    if not 0 <= priority <= highest:
        raise InputError(f"priority={priority}: this broker knows 0 to {highest}")
    return priority


def _due(now: datetime, countdown: float | None, eta: datetime | None) -> datetime | None:
    if countdown is not None and eta is not None:
        raise InputError(f"countdown={countdown} and eta={eta}: pass one of them")
    if countdown is not None and not 0 <= countdown < float("inf"):
        raise InputError(f"countdown={countdown}: pass seconds from now, 0 or more")
    if eta is not None and eta.tzinfo is not None and eta <= now:
        raise InputError(f"eta={eta}: that is past; leave it out to run at once")
    return _moment(now, eta if eta is not None else countdown, "eta")


def _moment(now: datetime, value: float | datetime | None, what: str) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InputError(f"{what}={value}: it has no time zone; pass a time in UTC")
        return value.astimezone(UTC)
    if not 0 <= value < 1e9:
        raise InputError(f"{what}={value}: pass seconds from now")
    return now + timedelta(seconds=value)


def _masked(app: Celery, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    task = app.tasks.get(name)
    shown = mask_call(getattr(task, "run", None), args, kwargs, conf().ZUMO_MASKED_KEYS)
    plain = json.loads(json.dumps(shown, default=str))
    return plain[0], plain[1]


def _caveats(app: Celery, now: datetime, due: datetime | None, end: datetime | None) -> tuple[str, ...]:
    found = []
    if due is not None:
        found.append("a worker holds it until it is due, and gives it back if that worker ends")
        options = app.conf.broker_transport_options or {}
        limit = options.get("visibility_timeout", VISIBILITY_TIMEOUT)
        if messages.allowed(app) and (due - now).total_seconds() > limit:
            found.append(f"due later than the broker's visibility timeout of {limit:,} s: it may run twice")
    if end is not None:
        found.append("it expires by the workers' clocks")
    return tuple(found)
