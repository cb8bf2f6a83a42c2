"""Rate and time limits of a task, as the workers hold them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from celery.utils.time import rate as per_second

from zumolib.control import command
from zumolib.control.effect import appears
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import InputError
from zumolib.inspection import remote
from zumolib.receipts.observation import UNTIL_RESTART, VERIFIED, Observation, of_nodes

if TYPE_CHECKING:
    from celery import Celery

COLUMNS = ("worker", "task", "before", "after")
# The last one is our app's own; workers of others do not have it and leave it out.
ITEMS = ("rate_limit", "soft_time_limit", "time_limit", "cluster_rate_limit")
_KEPT = "a worker that restarts has the limit of its code again"
RATE_CAVEATS = (
    "Celery counts the rate in each worker by itself: n workers run n times as often",
    _KEPT,
    "a task held back by its rate takes up a prefetch slot of its worker",
)
TIME_CAVEATS = (
    _KEPT,
    "a run that has begun keeps the limits that it began with",
    "a message with limits of its own keeps them; Celery 5.7 adds them for senders that know the task, our app "
    "does not",
    "a task without a limit of its own has the one that its worker was started with",
)
# Celery copies a task's time limits when a worker connects; only workers of our app do so on demand.
LATER = "known, but not in force before they next connect to the broker, on"
SEEN_SECONDS = 3.0

Settings = dict[str, Any]  # rate_limit, or soft and hard


@dataclass(frozen=True, kw_only=True, eq=False)
class Limit(Plan):
    """New limits of one task on certain workers."""

    task: str
    settings: Mapping[str, Settings]  # by worker

    def carry_out(self, run: Run) -> None:
        """Tell each worker its own settings; those with the same in one go."""
        for settings, nodes in _grouped(self.settings):
            run.heed()
            arguments = {"task_name": self.task, **settings}
            for answer in command.give(self.app, self.command, arguments, nodes=nodes):
                run.step(answer.node, answer.text, ok=answer.ok)
        run.after |= {node: self.settings[node] for node in run.succeeded}

    def verify(self, run: Run) -> Observation:
        """The workers tell these limits."""

        agreed: set[str] = set()

        def look() -> bool:
            there = read(self.app, self.task, run.succeeded)
            agreed.clear()
            agreed.update(
                node
                for node in run.succeeded
                if node in there and self.of(there[node]) == _comparable(self.settings[node])
            )
            return agreed == set(run.succeeded)

        effect = appears(look, SEEN_SECONDS)
        what = of_nodes(len(agreed), len(run.succeeded), f"tell the new {self.action}")
        return Observation.of(effect, what, lasting=UNTIL_RESTART)

    def way_back(self, run: Run) -> dict[str, Any] | None:
        """Each worker's old limits."""
        settings = {node: self.before[node] for node in run.succeeded}
        return {"action": self.action, "arguments": {"task": self.task, "settings": settings}}

    @property
    def command(self) -> str:
        """Celery's remote control command."""
        return "rate_limit" if self.action == "rate limit" else "time_limit"

    def of(self, items: Mapping[str, str]) -> Settings:
        """What a worker tells, in the form of the settings."""
        return _rate(items) if self.action == "rate limit" else _times(items)


@dataclass(frozen=True, kw_only=True, eq=False)
class RateLimit(Limit):
    """A rate."""

    action = "rate limit"


@dataclass(frozen=True, kw_only=True, eq=False)
class TimeLimit(Limit):
    """A soft and a hard time limit."""

    action = "time limit"

    def carry_out(self, run: Run) -> None:
        """Tell each worker, and let it make use of it, which Celery's own command does not."""
        super().carry_out(run)
        said = command.give(self.app, "renew_strategies", {}, nodes=run.succeeded)
        run.after["waiting"] = [answer.node for answer in said if not answer.ok]
        if run.after["waiting"]:
            run.notes.append(f"{LATER}: {', '.join(run.after['waiting'])}")

    def verify(self, run: Run) -> Observation:
        """The workers tell these limits and make use of them."""
        found = super().verify(run)
        waiting = run.after["waiting"]
        if found.verdict != VERIFIED or not waiting:
            return found
        what = f"{found.observed}; {of_nodes(len(waiting), len(run.succeeded), 'do not use it yet')}"
        return Observation.of(False, what, lasting=found.lasting)


def rate(
    app: Celery,
    task: str,
    limit: str | None = None,
    *,
    nodes: Sequence[str] | None = None,
    settings: Mapping[str, Settings] | None = None,
    undoes: int | None = None,
) -> RateLimit:
    """Plan another rate limit.

    Parameters
    ----------
    limit
        ``10/s``, ``10/m`` or ``10/h``; None (or ``0``) lifts it.
    nodes
        Workers to tell, and those that are known, from heartbeats; None asks everybody.
    settings
        Instead of `limit`: each worker's own.

    Raises
    ------
    InputError
        For a text that is no rate, and when no worker knows the task.
    """
    wanted: str | None = str(limit).strip() if limit is not None else None
    if wanted is not None and not re.fullmatch(r"\d+(\.\d+)?(/[smh])?", wanted):
        raise InputError(f"{limit!r} is no rate; write it like 10/s, 100/m or 5/h, or 0 for none")
    if wanted is not None and per_second(wanted) == 0:
        wanted = None
    there = read(app, task, nodes)
    chosen = settings or {node: {"rate_limit": wanted} for node in there}
    across = sorted(
        {items["cluster_rate_limit"] for items in there.values() if "cluster_rate_limit" in items}
    )
    caveats = tuple(
        f"across all workers it runs at most {most}, as its code says; this does not change it"
        for most in across
    )
    return _plan(RateLimit, app, task, chosen, there, _rate, _rate_text, (*caveats, *RATE_CAVEATS), undoes)


def times(
    app: Celery,
    task: str,
    *,
    soft: float | None = None,
    hard: float | None = None,
    nodes: Sequence[str] | None = None,
    settings: Mapping[str, Settings] | None = None,
    undoes: int | None = None,
) -> TimeLimit:
    """Plan other time limits.

    Parameters
    ----------
    soft, hard
        Seconds; a soft limit raises in the task, a hard one ends its process. None lifts one.
    nodes
        Workers to tell, and those that are known, from heartbeats; None asks everybody.
    settings
        Instead of `soft` and `hard`: each worker's own.

    Raises
    ------
    InputError
        For a time that is none, a soft limit not below the hard one, and an unknown task.
    """
    for name, value in (("soft", soft), ("hard", hard)):
        if value is not None and not 0 < value < 1e8:
            raise InputError(f"{name}={value}: pass seconds above 0, or nothing for no limit")
    if soft is not None and hard is not None and soft >= hard:
        raise InputError(f"soft={soft} and hard={hard}: the soft limit must be below the hard one")
    there = read(app, task, nodes)
    chosen = settings or {node: {"soft": soft, "hard": hard} for node in there}
    if soft is None and hard is not None and settings is None:
        _check_default(app, hard, list(there))
    return _plan(TimeLimit, app, task, chosen, there, _times, _times_text, TIME_CAVEATS, undoes)


def _check_default(app: Celery, hard: float, nodes: Sequence[str]) -> None:
    """Refuse a hard limit that would never be looked at.

    A pool waits for the soft limit first, which is then the one that its worker was started with.
    """
    for node, stats in remote.ask(app, {"stats": {}}, nodes=nodes)["stats"].items():
        default = ((stats.get("pool") or {}).get("timeouts") or (0, 0))[0]
        if default and default >= hard:
            raise InputError(
                f"hard={hard:g} alone has no effect: {node} was started with a soft limit of {default:g} s, "
                f"which comes first; pass a soft limit below {hard:g} as well"
            )


def read(app: Celery, task: str, nodes: Sequence[str] | None = None) -> dict[str, dict[str, str]]:
    """Limits of a task by worker, as text: those of :data:`ITEMS` that it has.

    Raises
    ------
    BrokerError
        The broker does not answer.
    """
    arguments = {"taskinfoitems": list(ITEMS), "builtins": True}
    said = remote.ask(app, {"registered": arguments}, nodes=nodes)["registered"]
    found = {}
    for node, lines in sorted(said.items()):
        for line in lines if isinstance(lines, list) else ():
            name, _, told = str(line).partition(" [")
            if name == task:
                found[node] = dict(pair.split("=", 1) for pair in told.rstrip("]").split(" ") if "=" in pair)
    return found


def _plan(
    kind: type[Any],
    app: Celery,
    task: str,
    settings: Mapping[str, Settings],
    there: Mapping[str, Mapping[str, str]],
    of: Callable[[Mapping[str, str]], Settings],
    text: Callable[[Settings], str],
    caveats: tuple[str, ...],
    undoes: int | None,
) -> Any:
    if not there:
        raise InputError(f"no worker that replies knows a task {task!r}; `zumo call` lists the tasks")
    before = {node: of(items) for node, items in there.items()}
    changing = {
        node: dict(wanted)
        for node, wanted in settings.items()
        if node in there and _comparable(wanted) != before[node]
    }
    rows = [(node, task, text(before[node]), text(wanted)) for node, wanted in changing.items()]
    after = " / ".join(dict.fromkeys(text(wanted) for wanted in settings.values()))
    gone = sorted(set(settings) - set(there))
    who = "1 worker" if len(rows) == 1 else f"{len(rows)} workers"
    return kind(
        app=app,
        target=task,
        summary=f"{kind.action} of {task}: {after} on {who}",
        preview=pd.DataFrame(rows, columns=list(COLUMNS)),
        caveats=(*caveats, f"not there any more: {', '.join(gone)}") if gone else caveats,
        asked={"task": task, "settings": dict(settings)},
        before={node: before[node] for node in changing},
        undoes=undoes,
        task=task,
        settings=changing,
    )


def _grouped(settings: Mapping[str, Settings]) -> list[tuple[Settings, list[str]]]:
    groups: list[tuple[Settings, list[str]]] = []
    for node, wanted in settings.items():
        for same, nodes in groups:
            if same == wanted:
                nodes.append(node)
                break
        else:
            groups.append((wanted, [node]))
    return groups


def _rate(items: Mapping[str, str]) -> Settings:
    limit = items.get("rate_limit")
    return {"rate_limit": None if limit is None or per_second(limit) == 0 else limit}


def _rate_text(settings: Settings) -> str:
    return str(settings["rate_limit"] or "no limit")


def _times(items: Mapping[str, str]) -> Settings:
    def seconds(name: str) -> float | None:
        return float(items[name]) if name in items else None

    return {"soft": seconds("soft_time_limit"), "hard": seconds("time_limit")}


def _times_text(settings: Settings) -> str:
    def said(value: float | None) -> str:
        return "none" if value is None else f"{value:g} s"

    return f"soft {said(settings['soft'])}, hard {said(settings['hard'])}"


def _comparable(settings: Settings) -> Settings:
    return {key: float(v) if isinstance(v, int | float) else v for key, v in settings.items()}
