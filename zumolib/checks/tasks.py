"""Do workers know the tasks, and may they run them?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from celery import Celery

from zumolib.checks import schedule, workers
from zumolib.checks.check import Check, Finding
from zumolib.errors import BrokerError, CannotTell
from zumolib.inspection import messages

if TYPE_CHECKING:
    from zumolib.checks.scene import Scene

HELD_SECONDS = 60.0  # a task that its rate holds for longer is missed by somebody
MOST_READ = 1_000  # messages of a queue in which revoked tasks are looked for


@cache
def built_in() -> frozenset[str]:
    """Tasks that Celery adds to every app. Workers run them and do not list them."""
    # A bare app also has what this process declared by `shared_task`.
    return frozenset(n for n in Celery("bare", set_as_current=False).tasks if n.startswith("celery."))


def _unregistered(scene: Scene) -> Iterator[Finding]:
    unknown = ""
    try:
        entries = schedule.entries_by_task(scene)
    except CannotTell as reason:
        entries, unknown = {}, str(reason)
    found = list(_not_known(scene, entries))
    if unknown and not found and not scene.task:
        raise CannotTell(
            f"workers know the tasks of this code; those of entries were not looked at: {unknown}"
        )
    yield from found


def _not_known(scene: Scene, entries: dict[str, list[str]]) -> Iterator[Finding]:
    scene.app.loader.import_default_modules()
    here = set(scene.app.tasks)
    silent: set[str] = set()
    found = False
    for name in sorted({*entries, *here, *([scene.task] if scene.task else ())} - built_in()):
        if not scene.concerns(name):
            continue
        queue = str(scene.app.amqp.router.route({}, name)["queue"].name)
        # A queue without a consumer has a finding of its own.
        consumers = scene.fleet.consumers.get(queue, ())
        answered = [n for n in consumers if isinstance(scene.fleet.answers["registered"].get(n), list)]
        silent |= {*consumers} - {*answered}
        without = [n for n in answered if name not in scene.limits[n]]
        if not without:
            continue
        who = f"{', '.join(without)} would take it from {queue} and {'does' if len(without) == 1 else 'do'} not know it"
        if name in here:
            saw, hint = (
                f"this code has {name}; {who}",
                "workers run older code: start them anew with this one",
            )
        else:
            asks = f"entry {', '.join(entries[name])} asks for it" if name in entries else "it was asked for"
            saw = f"{asks}; {who}, and neither does this code"
            hint = "correct the name, or add its module to the app; until then disable the entry"
        found = True
        yield Finding(
            "task-unregistered",
            name,
            saw,
            hint,
            facts={
                "entries": list(entries.get(name, ())),
                "here": name in here,
                "workers": without,
                "everywhere": len(without) == len(consumers),
            },
        )
    if silent and not found:
        raise CannotTell(f"{', '.join(sorted(silent))} did not say which tasks they know")


def _rate(scene: Scene) -> Iterator[Finding]:
    held, told = _held_by_rate(scene)
    for name, nodes in sorted(held.items()):
        longest = max(facts["seconds"] for facts in nodes.values())
        if longest < HELD_SECONDS or not scene.concerns(name):
            continue
        limits = {node: scene.limits[node].get(name) for node in nodes}
        task = scene.app.tasks.get(name)
        code = (str(task.rate_limit) if task.rate_limit else "no limit") if task is not None else "unknown"
        count = sum(len(facts["ids"]) for facts in nodes.values())
        now = " / ".join(sorted({limit or "no limit" for limit in limits.values()}))
        changed = (
            f"set while it ran, the code says {code}" if code not in ("unknown", now) else "as in the code"
        )
        yield Finding(
            "rate-limited",
            name,
            f"{count} calls of {name} are held by its rate of {now} ({changed})",
            "start the worker anew: that brings back the code's rate and frees what is held"
            if code not in ("unknown", now)
            else "raise it in the code and start the worker anew; `zumo limit rate` helps what comes, not what is held",
            facts={
                "nodes": list(nodes),
                "limits": limits,
                "code": task.rate_limit if task is not None else None,
                "changed": code not in ("unknown", now),
            },
        )
    if not told and any(limit for tasks in scene.limits.values() for limit in tasks.values()):
        raise CannotTell("these workers do not tell what their rate limits hold, nor does this broker")


def _held_by_rate(scene: Scene) -> tuple[dict[str, dict[str, Any]], bool]:
    """By task, then by worker: ids and seconds until the last of them may run; and whether that is told."""
    held: dict[str, dict[str, Any]] = {}
    told = False
    for node, answer in scene.fleet.answers["rate_limited"].items():
        if not isinstance(answer, dict) or "error" in answer:
            continue
        told = True
        for name, facts in answer.items():
            last = facts["seconds"] + (len(facts["ids"]) - 1) * facts["every"]
            held.setdefault(name, {})[node] = {"ids": facts["ids"], "seconds": last}
    return held, told


def _revoked(scene: Scene) -> Iterator[Finding]:
    listed = {
        id_
        for ids in scene.fleet.answers["revoked"].values()
        for id_ in (ids if isinstance(ids, list) else ())
    }
    if not listed:
        return
    if not messages.allowed(scene.app):
        raise CannotTell(
            f"workers list {len(listed)} revoked tasks; which of them wait, this broker does not tell"
        )
    try:
        waiting = [
            lying
            for queue in scene.queues
            for lying in messages.waiting(scene.app, queue, limit=MOST_READ)
            if lying.id in listed and scene.concerns(lying.name)
        ]
    except BrokerError as error:
        raise CannotTell(str(error)) from error
    for name in sorted({lying.name for lying in waiting}):
        ids = [lying.id for lying in waiting if lying.name == name]
        yield Finding(
            "task-revoked",
            name,
            f"{len(ids)} calls of {name} that wait were revoked, and will be dropped when a worker takes them",
            "`zumo actions` says who revoked them and why; call them anew if they are wanted",
            facts={"ids": ids},
        )


UNREGISTERED = Check("task-unregistered", "a worker does not know a task", _unregistered, after=workers.IDS)
RATE = Check("rate-limited", "a rate limit holds a task", _rate, after=workers.IDS)
REVOKED = Check("task-revoked", "tasks that wait were revoked", _revoked, after=workers.IDS)
CHECKS = (UNREGISTERED, RATE, REVOKED)
