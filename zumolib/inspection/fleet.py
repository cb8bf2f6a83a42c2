"""All workers at one moment: what they are, what they hold, and who stayed silent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.conf import conf
from zumolib.inspection import remote
from zumolib.masking import hidden_positions, mask_arguments, mask_call, mask_text

if TYPE_CHECKING:
    from celery import Celery

QUESTIONS = ("stats", "active", "reserved", "scheduled", "active_queues")
STATES = ("active", "reserved", "scheduled")

WORKERS = {
    "worker": "str", "replied": "bool", "pool": "str", "processes": "Int64", "autoscale": "str",
    "prefetch": "Int64", "active": "Int64", "reserved": "Int64", "scheduled": "Int64", "processed": "Int64",
    "uptime": "float64", "queues": "object",
}  # fmt: skip
TASKS = {
    "id": "str", "name": "str", "state": "str", "queue": "str", "worker": "str", "args": "str",
    "since": "datetime64[us, UTC]", "eta": "datetime64[us, UTC]", "age": "float64", "pid": "Int64",
}  # fmt: skip


@dataclass(frozen=True)
class Fleet:
    """What the workers said."""

    at: datetime  # UTC
    expected: tuple[str, ...]  # nodes that were waited for; those that replied where none were known
    answers: dict[str, dict[str, Any]] = field(repr=False)  # by question, then by node
    app: Celery = field(repr=False)
    seconds: float = 0.0  # how long it took

    @property
    def replied(self) -> tuple[str, ...]:
        """Nodes that answered."""
        return tuple(sorted(self.answers["stats"]))

    @property
    def silent(self) -> tuple[str, ...]:
        """Nodes that were expected and did not answer."""
        return tuple(node for node in self.expected if node not in self.answers["stats"])

    @property
    def note(self) -> str:
        """How complete this is, and how old."""
        noun = "worker" if len(self.expected) == 1 else "workers"
        count = f"{len(self.expected) - len(self.silent)} of {len(self.expected)} {noun} replied"
        silent = f", silent: {', '.join(self.silent)}" if self.silent else ""
        return f"{count}{silent}; as of {self.at:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def workers(self) -> pd.DataFrame:
        """One row a worker, by name.

        Returns
        -------
        pandas.DataFrame
            ``worker``, ``replied`` (bool), ``pool`` (prefork, threads, …), ``processes``, ``autoscale``
            ("2 to 8", missing where it is off), ``prefetch``, ``active``, ``reserved``, ``scheduled``
            (tasks), ``processed`` (since its start), ``uptime`` (seconds), ``queues`` (tuple of names).
        """
        rows = [self._worker(node) for node in sorted({*self.expected, *self.replied})]
        return pd.DataFrame(rows, columns=list(WORKERS)).astype(WORKERS)

    @property
    def tasks(self) -> pd.DataFrame:
        """Every task that a worker runs or holds.

        Returns
        -------
        pandas.DataFrame
            ``id``, ``name``, ``state`` (active, reserved or scheduled), ``queue``, ``worker``, ``args``
            (text, masked), ``since`` (UTC, when it started), ``eta`` (UTC), ``age`` (seconds that it
            runs; missing while it does not), ``pid`` (of its process).
        """
        return pd.DataFrame(list(self._tasks()), columns=list(TASKS)).astype(TASKS)

    @property
    def consumers(self) -> dict[str, tuple[str, ...]]:
        """Nodes by the queue that they consume from."""
        found: dict[str, list[str]] = {}
        for node in self.replied:
            for queue in self.answers["active_queues"].get(node) or ():
                found.setdefault(queue["name"], []).append(node)
        return {queue: tuple(nodes) for queue, nodes in sorted(found.items())}

    def processes(self, node: str) -> int | None:
        """Size of a node's pool now; None where the pool does not tell."""
        stats = self.answers["stats"].get(node) or {}
        pool = stats.get("pool") or {}
        listed = pool.get("processes")
        # max-concurrency keeps its first value when a prefork pool grows.
        return len(listed) if isinstance(listed, list) else pool.get("max-concurrency")

    def _worker(self, node: str) -> dict[str, Any]:
        stats = self.answers["stats"].get(node)
        if stats is None:
            return {"worker": node, "replied": False}
        pool = stats.get("pool") or {}
        scale = stats.get("autoscaler") or {}
        held = {state: self.answers[state].get(node) for state in STATES}
        queues = self.answers["active_queues"].get(node)
        return {
            "worker": node,
            "replied": True,
            "pool": str(pool.get("implementation") or "").rpartition(":")[0].rpartition(".")[2] or None,
            "processes": self.processes(node),
            "autoscale": f"{scale['min']} to {scale['max']}" if scale else None,
            "prefetch": stats.get("prefetch_count"),
            **{state: None if tasks is None else len(tasks) for state, tasks in held.items()},
            "processed": sum((stats.get("total") or {}).values()),
            "uptime": stats.get("uptime"),
            "queues": None if queues is None else tuple(queue["name"] for queue in queues),
        }

    def _tasks(self) -> Iterator[dict[str, Any]]:
        queues = {queue.routing_key: name for name, queue in self.app.amqp.queues.items()}
        for state in STATES:
            for node, held in self.answers[state].items():
                for item in held if isinstance(held, list) else ():
                    yield self._task(node, state, item, queues)

    def _task(self, node: str, state: str, item: dict[str, Any], queues: dict[str, str]) -> dict[str, Any]:
        request = item.get("request") or item
        key = str((request.get("delivery_info") or {}).get("routing_key") or "")
        started = request.get("time_start")
        since = datetime.fromtimestamp(started, UTC) if started and state == "active" else None
        return {
            "id": request["id"],
            "name": request["name"],
            "state": state,
            "queue": queues.get(key, key) or None,
            "worker": node,
            "args": arguments_text(self.app, request["name"], request.get("args"), request.get("kwargs")),
            "since": since,
            "eta": pd.to_datetime(item["eta"], utc=True) if item.get("eta") else None,
            "age": (self.at - since).total_seconds() if since else None,
            "pid": request.get("worker_pid") if state == "active" else None,
        }


def snapshot(
    app: Celery,
    *,
    nodes: Sequence[str] | None = None,
    everybody: bool = False,
    timeout: float = remote.TIMEOUT,
) -> Fleet:
    """Ask workers everything, in one round trip.

    Parameters
    ----------
    app
        Any Celery app.
    nodes
        Workers that are known, from heartbeats: the answer is there as soon as the last of them has
        replied, and others are not asked. None asks everybody and waits the whole `timeout` (seconds).
    everybody
        Ask everybody and wait the whole `timeout`, and tell which of `nodes` stayed silent: for an
        action, which must not miss a worker that has only just started.

    Raises
    ------
    BrokerError
        The broker does not answer.
    """
    at, began = datetime.now(UTC), time.perf_counter()
    questions: dict[str, dict[str, Any]] = {question: {} for question in QUESTIONS}
    answers = remote.ask(app, questions, nodes=nodes, timeout=timeout, to_all=everybody, patient=everybody)
    expected = {*(nodes or ()), *answers["stats"]}
    return Fleet(at, tuple(sorted(expected)), answers, app, time.perf_counter() - began)


def arguments_text(app: Celery, name: str, args: Any, kwargs: Any, limit: int = 1_000) -> str:
    """Arguments of a task as one masked text, as in a call."""
    keys = conf().ZUMO_MASKED_KEYS
    if isinstance(args, str):
        return representation(app, name, args, kwargs)
    task = app.tasks.get(name)
    positional = args if isinstance(args, list | tuple) else [args] if args else []
    named = kwargs if isinstance(kwargs, dict) else {"": kwargs} if kwargs else {}
    shown, shown_named = mask_call(getattr(task, "run", None), positional, named, keys)
    parts = [repr(value) for value in shown] + [
        f"{key}={value!r}" if key else repr(value) for key, value in shown_named.items()
    ]
    text = mask_text(", ".join(parts), keys)  # what is no plain data may show a secret in its representation
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def representation(app: Celery, name: str, args: Any, kwargs: Any) -> str:
    """Arguments that are known as representations only, as one masked text."""
    keys = conf().ZUMO_MASKED_KEYS
    hidden = hidden_positions(getattr(app.tasks.get(name), "run", None), keys)
    if hidden and args:
        args = mask_arguments(str(args), hidden, keys)
    texts = [str(text) for text in (args, kwargs) if text not in (None, "", "()", "{}", "[]")]
    return mask_text(" ".join(texts), keys)
