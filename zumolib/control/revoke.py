"""Revoke tasks, one or many, and end those that run."""

from __future__ import annotations

import signal as signals
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib import parsing
from zumolib.control import command, identity
from zumolib.control.effect import appears
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import InputError
from zumolib.inspection import fleet, messages, remote
from zumolib.inspection.fleet import Fleet
from zumolib.receipts.observation import Observation, of_nodes

if TYPE_CHECKING:
    from celery import Celery

STATES = ("active", "reserved", "scheduled", "queued")
UNKNOWN = "unknown"  # asked for by id, and nobody knows it
ANYWAY = "if it may be on its way, revoke it all the same by --anyway"
AGAIN = "if this id was sent again, revoke it all the same by --anyway"
REFUSED = {"id": "str", "name": "str", "reason": "str"}
MOST_QUEUED = 100_000  # messages of one queue that are looked through
TERMINATE_SECONDS = 5.0  # until a terminated process is gone
BATCH = 1_000  # ids in one command

IN_MEMORY = (
    "a worker without --statedb remembers a revoke in memory: one that restarts, when no other is there to "
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
    no_way_back = "workers do not forget a revoke; call the task again, under a new id: `zumo call`"

    ids: tuple[str, ...]
    terminate: bool
    signal: str
    nodes: tuple[str, ...]  # workers whose word is waited for
    running: frozenset[str]  # ids that ran when it was planned
    strangers: frozenset[str]  # ids that nobody knows
    refused: pd.DataFrame = field(repr=False)  # id, name, reason

    def carry_out(self, run: Run) -> None:
        """Tell every worker, in batches."""
        answered: set[str] = set()
        for first in range(0, len(self.ids), BATCH):
            run.heed()
            ids = self.ids[first : first + BATCH]
            arguments = {"task_id": list(ids), "terminate": self.terminate, "signal": self.signal}
            said = command.give(self.app, "revoke", arguments, nodes=self.nodes, to_all=True)
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

    def verify(self, run: Run) -> Observation:
        """How many workers have the ids on their list, and whether what was to end still runs."""
        nodes = run.after.get("workers") or []
        wanted = set(run.succeeded)
        if not nodes:
            return Observation.of(None, "no worker answered")
        said = remote.ask(self.app, {"revoked": {}, "stats": {}}, nodes=nodes, timeout=command.PATIENCE)
        holding = [node for node in nodes if wanted <= set(said["revoked"].get(node) or ())]
        told = {*self.nodes, *nodes}
        what = of_nodes(len(holding), len(told), "hold the revoke")
        lasting = _lasting({node: said["stats"].get(node) or {} for node in nodes})
        if silent := [node for node in nodes if node not in said["revoked"]]:
            return Observation.of(None, f"{what}; no reply from {', '.join(silent)}", lasting=lasting)
        if len(holding) < len(nodes):
            return Observation.of(False, what, lasting=lasting)
        if self.terminate:
            left, silent = self._still_run(nodes, wanted)
            if left:
                return Observation.of(False, f"{what}; {left:,} of these tasks still run", lasting=lasting)
            if silent:
                what += f"; whether these tasks still run is not known: no reply from {', '.join(silent)}"
                return Observation.of(None, what, lasting=lasting)
            what += ", and none of these tasks runs"
        if self.strangers >= wanted:
            these = "this id" if len(wanted) == 1 else "these ids"
            return Observation.of(None, f"{what}, and nobody knows {these}", lasting=lasting)
        return Observation.of(True if len(holding) == len(told) else None, what, lasting=lasting)

    def _still_run(self, nodes: Sequence[str], wanted: set[str]) -> tuple[int, list[str]]:
        """How many of the tasks still run after a while, and which workers did not say at the last look."""
        left: set[str] = set()
        silent: list[str] = []

        def ended() -> bool:
            said = remote.ask(self.app, {"active": {}}, nodes=nodes)["active"]
            silent[:] = [node for node in nodes if node not in said]
            left.clear()
            left.update(wanted & {item["id"] for items in said.values() for item in items})
            return not left and not silent

        appears(ended, TERMINATE_SECONDS)
        return len(left), silent


def _lasting(stats: Mapping[str, Mapping[str, Any]]) -> str:
    """How long workers remember a revoke, as they say."""
    forgetful = sorted(node for node, said in stats.items() if not said.get("revokes_kept"))
    if not forgetful:
        return "kept on disk, so it outlasts a restart"
    return f"until each restarts; {', '.join(forgetful)} may not keep it on disk"


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
    anyway: bool = False,
) -> Revoke:
    """Plan a revoke of the tasks that match everything that is given.

    Parameters
    ----------
    ids
        Tasks by id; without them, what is found by the filters.
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
    anyway
        Also ids that nobody knows, as a task on its way may have, and those whose task has ended.

    Raises
    ------
    InputError
        One line naming the value and the remedy.
    BrokerError
        The broker does not answer.
    """
    wanted = list(dict.fromkeys(ids)) if ids is not None else None
    identity.check(wanted or ())
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
            fitting = [parsing.fits(value, pattern) for value in chosen[column]]
            chosen = chosen[pd.Series(fitting, index=chosen.index, dtype=bool)]
    if older is not None:
        chosen = chosen[chosen["age"].ge(older).fillna(value=False)]
    if args is not None:
        chosen = chosen[chosen["args"].fillna("").str.contains(args, regex=False)]
    only_ids = wanted is not None and all(value is None for value in filters.values())
    refused: list[tuple[str, str | None, str]] = []
    if wanted is not None and only_ids:
        missing = [task_id for task_id in wanted if task_id not in set(chosen["id"])]
        rows, refused = _missing(app, missing, anyway=anyway) if missing else ([], [])
        others = pd.DataFrame(rows, columns=list(fleet.TASKS)).astype(fleet.TASKS)
        chosen = pd.concat([chosen, others]) if rows else chosen
    preview = chosen.drop_duplicates("id").reset_index(drop=True)
    return Revoke(
        app=app,
        target=_target(preview, filters),
        summary=_summary(preview, refused, terminate=terminate, signal=signal),
        preview=preview,
        caveats=_caveats(app, preview, now, states, refused, terminate=terminate),
        asked={"ids": wanted, **filters, "terminate": terminate, "signal": signal, "anyway": anyway},
        before={"states": preview["state"].value_counts().to_dict()},
        ids=tuple(preview["id"]),
        terminate=terminate,
        signal=signal,
        nodes=now.replied,
        running=frozenset(preview.loc[preview["state"] == "active", "id"]),
        strangers=frozenset(preview.loc[preview["state"] == UNKNOWN, "id"]),
        refused=pd.DataFrame(refused, columns=list(REFUSED)).astype(REFUSED),
    )


def _missing(
    app: Celery, ids: Sequence[str], *, anyway: bool
) -> tuple[list[dict[str, Any]], list[tuple[str, str | None, str]]]:
    """Rows of ids that no worker names and that are revoked all the same, and those that are refused."""
    found, nobody = identity.traces(app, ids)
    rows: list[dict[str, Any]] = []
    refused: list[tuple[str, str | None, str]] = []
    for task_id in ids:
        trace = found.get(task_id)
        if trace is None and not anyway:
            refused.append((task_id, None, f"{nobody}; {ANYWAY}"))
        elif trace is not None and trace.ended and not anyway:
            why = f"it has ended ({trace.state}, says the {trace.source}); {AGAIN}"
            refused.append((task_id, trace.name, why))
        elif trace is None:
            rows.append({"id": task_id, "state": UNKNOWN})
        else:
            rows.append({"id": task_id, "state": trace.state, "name": trace.name, "queue": trace.queue})
    return rows, refused


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
    if "queued" not in states or not messages.allowed(app):
        return held.reset_index(drop=True)
    names = [q for q in app.amqp.queues if queue is None or parsing.fits(q, queue)]
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
        for lying in messages.waiting(app, name, limit=MOST_QUEUED)
    ]
    queued = pd.DataFrame(rows, columns=list(fleet.TASKS)).astype(fleet.TASKS)
    return pd.concat([held, queued], ignore_index=True) if rows else held.reset_index(drop=True)


def _lying_text(app: Celery, lying: messages.Lying) -> str:
    headers = lying.payload["headers"]
    return fleet.representation(app, lying.name, headers.get("argsrepr"), headers.get("kwargsrepr"))


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


def _summary(
    preview: pd.DataFrame, refused: Sequence[tuple[str, str | None, str]], *, terminate: bool, signal: str
) -> str:
    """How many are revoked and how many ended; where nothing runs nothing is ended, whatever was asked."""
    if refused and preview.empty:
        return f"revoke none of {len(refused):,} tasks, as {refused[0][0]}: {refused[0][2]}"
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
    app: Celery,
    preview: pd.DataFrame,
    now: Fleet,
    states: Sequence[str],
    refused: Sequence[tuple[str, str | None, str]],
    *,
    terminate: bool,
) -> tuple[str, ...]:
    found = [IN_MEMORY, NO_PROOF]
    if terminate:
        found.append(TERMINATES)
    elif (preview["state"] == "active").any():
        found.append(RUNNING)
    if "queued" in states and not messages.allowed(app):
        found.append(f"tasks that wait in queues are not in the preview: {messages.NOT_ALLOWED}")
    if now.silent:
        found.append(SILENT.format(", ".join(now.silent)))
    if (preview["state"] == UNKNOWN).any():
        found.append("an unknown id turns REVOKED although no such task may exist")
    if refused:
        found.append(f"{len(refused):,} are refused, as {refused[0][0]}: {refused[0][2]}")
    return tuple(found)
