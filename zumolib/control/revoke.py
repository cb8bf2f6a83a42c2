"""Revoke tasks, one or many, and end those that run."""

from __future__ import annotations

import signal as signals
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib import peek, wildcards
from zumolib.control import fleet, remote
from zumolib.control.fleet import Fleet
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import InputError

if TYPE_CHECKING:
    from celery import Celery

STATES = ("active", "reserved", "scheduled", "queued")
UNKNOWN = "unknown"  # asked for by id, and neither a worker nor a readable queue has it
MOST_QUEUED = 100_000  # messages of one queue that are looked through
TERMINATE_SECONDS = 5.0  # until a terminated process is gone
BATCH = 1_000  # ids in one command

IN_MEMORY = (
    "workers remember a revoke in memory: one that restarts without --statedb, when no other is there to "
    "tell it, runs the task"
)
NO_PROOF = "a state of REVOKED is no proof that a task did not run"
RUNNING = "a task that runs already goes on; terminate ends it"
TERMINATES = "terminate ends the process, which may by then run another task"
SILENT = "workers that stayed silent may not know of it: {}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Revoke(Plan):
    """A revoke of certain tasks, told to all workers."""

    action = "revoke"

    ids: tuple[str, ...]
    terminate: bool
    signal: str
    nodes: tuple[str, ...]  # workers whose word is waited for
    running: frozenset[str]  # ids that ran when it was planned

    def carry_out(self, run: Run) -> None:
        """Tell every worker, in batches."""
        answered: set[str] = set()
        for first in range(0, len(self.ids), BATCH):
            run.heed()
            ids = self.ids[first : first + BATCH]
            arguments = {"task_id": list(ids), "terminate": self.terminate, "signal": self.signal}
            said = remote.command(self.app, "revoke", arguments, nodes=self.nodes, to_all=True)
            agreed = [answer.node for answer in said if answer.ok]
            answered |= set(agreed)
            for task_id in ids:
                if agreed:
                    run.step(task_id, f"revoked on {len(agreed)} of {len(said)} workers")
                else:
                    run.step(task_id, f"not revoked: {said[0].text}" if said else "no worker", ok=False)
        run.after["workers"] = sorted(answered)
        if silent := sorted(set(self.nodes) - answered):
            run.notes.append(SILENT.format(", ".join(silent)))

    def verify(self, run: Run) -> bool | None:
        """Every worker that answered has the ids on its list; what was to end runs no more."""
        nodes = run.after.get("workers") or []
        wanted = set(run.succeeded)
        if not nodes:
            return None
        listed = remote.ask(self.app, {"revoked": {}}, nodes=nodes)["revoked"]
        known = all(wanted <= set(listed.get(node) or ()) for node in nodes)
        if not self.terminate or not known:
            return known

        def ended() -> bool:
            said = remote.ask(self.app, {"active": {}}, nodes=nodes)["active"]
            return not wanted & {item["id"] for items in said.values() for item in items}

        return remote.seen(ended, TERMINATE_SECONDS)


def plan(
    app: Celery,
    ids: Iterable[str] | None = None,
    *,
    name: str | None = None,
    queue: str | None = None,
    state: str | Sequence[str] | None = None,
    older: float | None = None,
    args: str | None = None,
    worker: str | None = None,
    terminate: bool = False,
    signal: str = "TERM",
    nodes: Sequence[str] | None = None,
    seen: Fleet | None = None,
) -> Revoke:
    """Plan a revoke of the tasks that match everything that is given.

    Parameters
    ----------
    ids
        Tasks by id, whether or not they are found; without them, what is found by the filters.
    name, queue, worker
        Names, ``*`` and ``?`` standing for anything.
    state
        Of ``active``, ``reserved``, ``scheduled`` and ``queued``; None for all. What is queued is seen
        on Redis and Valkey only.
    older
        Seconds that a task must have been running; only active tasks have an age.
    args
        A text that its (masked) arguments contain.
    terminate, signal
        Also end the process of a task that runs, with this signal.
    nodes
        Workers that are known, from heartbeats; None asks everybody and waits a second.
    seen
        A snapshot to use instead of taking one.

    Raises
    ------
    InputError
        One line naming the value and the remedy.
    BrokerError
        The broker does not answer.
    """
    wanted = list(dict.fromkeys(ids)) if ids is not None else None
    states = _states(state)
    filters = {"name": name, "queue": queue, "worker": worker, "older": older, "args": args, "state": state}
    if wanted is None and all(value is None for value in filters.values()):
        raise InputError("revoke which tasks? give ids, or a filter by name, queue, state, age or arguments")
    if older is not None and older < 0:
        raise InputError(f"older={older}: pass seconds, 0 or more")
    _known_signal(signal)
    now = seen or fleet.snapshot(app, nodes=nodes)
    found = candidates(app, now, states, queue=queue)
    chosen = found
    if wanted is not None:
        chosen = chosen[chosen["id"].isin(wanted)]
    for column, pattern in (("name", name), ("queue", queue), ("worker", worker)):
        if pattern is not None:
            fitting = [wildcards.fits(value, pattern) for value in chosen[column]]
            chosen = chosen[pd.Series(fitting, index=chosen.index, dtype=bool)]
    if older is not None:
        chosen = chosen[chosen["age"].ge(older).fillna(value=False)]
    if args is not None:
        chosen = chosen[chosen["args"].fillna("").str.contains(args, regex=False)]
    only_ids = wanted is not None and all(value is None for value in filters.values())
    if wanted is not None and only_ids:
        missing = [task_id for task_id in wanted if task_id not in set(chosen["id"])]
        strangers = pd.DataFrame({"id": missing, "state": UNKNOWN}).reindex(columns=list(fleet.TASKS))
        chosen = pd.concat([chosen, strangers.astype(fleet.TASKS)]) if missing else chosen
    preview = chosen.drop_duplicates("id").reset_index(drop=True)
    return Revoke(
        app=app,
        target=_target(preview, filters),
        summary=_summary(preview, terminate=terminate, signal=signal),
        preview=preview,
        caveats=_caveats(app, preview, now, states, terminate=terminate),
        asked={"ids": wanted, **filters, "terminate": terminate, "signal": signal},
        before={"states": preview["state"].value_counts().to_dict()},
        ids=tuple(preview["id"]),
        terminate=terminate,
        signal=signal,
        nodes=now.replied,
        running=frozenset(preview.loc[preview["state"] == "active", "id"]),
    )


def candidates(
    app: Celery, now: Fleet, states: Sequence[str] = STATES, *, queue: str | None = None
) -> pd.DataFrame:
    """What could be revoked: tasks that workers have, and those in queues where these can be read.

    Returns
    -------
    pandas.DataFrame
        Columns of :attr:`.fleet.Fleet.tasks`, with the state ``queued`` for what waits in a queue.
    """
    held = now.tasks
    held = held[held["state"].isin(states)]
    if "queued" not in states or not peek.allowed(app):
        return held.reset_index(drop=True)
    names = [q for q in app.amqp.queues if queue is None or wildcards.fits(q, queue)]
    rows = [
        {
            "id": lying.id,
            "name": lying.name,
            "state": "queued",
            "queue": lying.queue,
            "args": _lying_text(app, lying),
            "eta": pd.to_datetime(lying.eta, utc=True) if lying.eta else None,
        }
        for name in names
        for lying in peek.waiting(app, name, limit=MOST_QUEUED)
    ]
    queued = pd.DataFrame(rows, columns=list(fleet.TASKS)).astype(fleet.TASKS)
    return pd.concat([held, queued], ignore_index=True) if rows else held.reset_index(drop=True)


def _lying_text(app: Celery, lying: peek.Lying) -> str:
    headers = lying.payload["headers"]
    return fleet.representation(headers.get("argsrepr"), headers.get("kwargsrepr"))


def _states(state: str | Sequence[str] | None) -> tuple[str, ...]:
    states = STATES if state is None else (state,) if isinstance(state, str) else tuple(state)
    for one in states:
        if one not in STATES:
            raise InputError(f"state={one!r}: expected one of {', '.join(STATES)}")
    return states


def _known_signal(name: str) -> None:
    if name.upper().removeprefix("SIG") not in {s.name.removeprefix("SIG") for s in signals.Signals}:
        raise InputError(f"signal={name!r}: expected a name like TERM, KILL or USR1")


def _target(preview: pd.DataFrame, filters: dict[str, Any]) -> str:
    if len(preview) == 1:
        return str(preview["id"][0])
    names = preview["name"].dropna().unique()
    return str(names[0]) if len(names) == 1 else str(filters["name"] or f"{len(preview)} tasks")


def _summary(preview: pd.DataFrame, *, terminate: bool, signal: str) -> str:
    """How many are revoked and how many ended; where nothing runs nothing is ended, whatever was asked."""
    running = int((preview["state"] == "active").sum()) if terminate else 0
    names = preview["name"].dropna().unique()
    of = f" of {names[0]}" if len(names) == 1 else ""
    if not running:
        count = "1 task" if len(preview) == 1 else f"{len(preview):,} tasks"
        return f"revoke {count}{of}{_by_state(preview)}"
    ended = f"terminate {running:,} running ({signal})"
    waiting = len(preview) - running
    others = preview[preview["state"] != "active"]
    return f"{ended}, revoke {waiting:,} waiting{of}{_by_state(others)}" if waiting else f"{ended}{of}"


def _by_state(preview: pd.DataFrame) -> str:
    counts = preview["state"].value_counts()
    return f": {', '.join(f'{n:,} {state}' for state, n in counts.items())}" if len(counts) else ""


def _caveats(
    app: Celery, preview: pd.DataFrame, now: Fleet, states: Sequence[str], *, terminate: bool
) -> tuple[str, ...]:
    found = [IN_MEMORY, NO_PROOF]
    if terminate:
        found.append(TERMINATES)
    elif (preview["state"] == "active").any():
        found.append(RUNNING)
    if "queued" in states and not peek.allowed(app):
        found.append(f"tasks that wait in queues are not in the preview: {peek.NOT_ALLOWED}")
    if now.silent:
        found.append(SILENT.format(", ".join(now.silent)))
    if (preview["state"] == UNKNOWN).any():
        found.append("an unknown id turns REVOKED although no such task may exist")
    return tuple(found)
