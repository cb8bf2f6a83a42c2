"""Is everything up: broker, database, workers, beat and recorder, one row each; and the history if it is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.conf import conf, hide
from zumolib.database import faults
from zumolib.errors import BrokerError, HistoryError
from zumolib.frames.statements import ask
from zumolib.frames.window import Window
from zumolib.history import soundness
from zumolib.recorder import state as recorder_state
from zumolib.schedule.leases import standing
from zumolib.schedule.leases.standing import OURS

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.history import History

COLUMNS = ("component", "state", "detail", "remedy")
OK, WARNING, DOWN, UNKNOWN = "ok", "warning", "down", "unknown"
STATES = (DOWN, WARNING, UNKNOWN, OK)  # the worst first

MANY_WAITING = 10_000  # events at the broker, which one recorder takes in a second
BEAT_LATE = timedelta(minutes=2)  # beat wakes up every 5 s; a dispatch may wait for a recorder
BEAT_LOOK = timedelta(hours=6)  # entries that fire seldom tell nothing of the last minutes


@dataclass(frozen=True)
class Finding:
    """What is known of one component."""

    component: str
    state: str  # ok, warning, down or unknown
    detail: str
    remedy: str = ""  # what to do next, where it is not ok


def now(
    app: Celery,
    history: History,
    *,
    nodes: Sequence[str] | None = None,
    replied: Sequence[str] | None = None,
    at: datetime | None = None,
) -> pd.DataFrame:
    """Ask every component.

    Parameters
    ----------
    nodes
        Workers that should be there, from their heartbeats.
    replied
        Workers that answered just now; None pings `nodes` (or, without any, everybody).

    Returns
    -------
    pandas.DataFrame
        ``component`` (broker, database, workers, beat, recorder; history only where its files cannot be
        reached, or some are damaged), ``state`` (ok, warning, down, unknown),
        ``detail`` and ``remedy`` (text; the remedy is empty where all is well). Nothing that is down makes
        this raise.
    """
    at = at or conf().now()
    said = _told(broker, app)
    answered = replied
    if answered is None:
        answered = ping(app, nodes) if said.state == OK else ()
    findings = [
        said,
        _told(database),
        workers(nodes or (), answered) if said.state == OK else _unasked("workers"),
        _told(beat, history, at, app),
        _told(recorder, history, at),
    ]
    findings += [trouble for trouble in [_told(files, history)] if trouble.state != OK]
    return pd.DataFrame([asdict(finding) for finding in findings], columns=list(COLUMNS))


def broker(app: Celery) -> Finding:
    """Connect, and ask for what a queue's depth is asked with."""
    from contextlib import closing

    from zumolib.inspection.queues import Depths

    began = time.perf_counter()
    with closing(Depths(app)) as probe:
        rows = probe.sample()
    took = (time.perf_counter() - began) * 1000
    kind = "RabbitMQ" if not _is_redis(app) else "Redis or Valkey"
    return Finding("broker", OK, f"{kind} answers in {took:.0f} ms, {len(rows)} queues")


def database() -> Finding:
    """Count the enabled entries of the schedule."""
    from zumolib.database import orm

    orm.ready()
    from django.db import DatabaseError, close_old_connections, connections
    from django_celery_beat.models import PeriodicTask

    close_old_connections()
    try:
        enabled = PeriodicTask.objects.filter(enabled=True).count()
        kind = connections["default"].vendor
    except DatabaseError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        remedy = faults.remedy(error) or "start it or correct DATABASE_URL, then `zumo migrate`"
        return Finding("database", DOWN, reason, remedy)
    if not enabled:
        return Finding("database", WARNING, "no entry is enabled", "`zumo schedule install`")
    names = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
    return Finding("database", OK, f"{names.get(kind, kind)} answers, {enabled:,} entries enabled")


def workers(nodes: Sequence[str], replied: Sequence[str]) -> Finding:
    """Who answered of those that should."""
    expected = sorted({*nodes, *replied})
    silent = [node for node in expected if node not in replied]
    count = f"{len(expected) - len(silent)} of {len(expected)} replied"
    if not expected:
        return Finding("workers", DOWN, "no worker is known", "start one: `zumo up`")
    if silent:
        remedy = "silence is no proof of death: look at its log before it is started again"
        state = WARNING if replied else DOWN
        return Finding("workers", state, f"{count}; silent: {', '.join(silent)}", remedy)
    return Finding("workers", OK, count)


def beat(history: History, at: datetime, app: Celery | None = None) -> Finding:
    """Compare the last recorded dispatch with the last firing that was due; and does ours hold its lease?"""
    from zumolib.frames import schedule

    lease = standing.of("beat") if app is not None and app.conf.beat_scheduler == OURS else None
    if lease is not None and (lease.state != standing.HELD or lease.restarts):
        return Finding("beat", DOWN, lease.restarts or str(lease), "look at beat's log: `zumo logs beat`")
    window = Window(at - BEAT_LOOK, at)
    entries = schedule.entries()
    due = schedule.firings(entries, Window(window.start, at - BEAT_LATE))
    if due.empty:
        return Finding(
            "beat", UNKNOWN, f"no entry was due in the last {BEAT_LOOK.total_seconds() / 3600:g} h"
        )
    should = due["at"].iloc[-1].to_pydatetime()
    [row] = ask(history, "dispatches", window, {}, {}).to_pylist()
    how = ""
    if row["last"] is None:
        # A foreign app's events do not name the entry.
        [row] = ask(history, "dispatches", window, {}, {}, entries=True).to_pylist()
        how = ", by name and time"
    last = row["last"]
    remedy = "look at beat's log and at the recorder's; `zumo up` starts what is missing"
    if last is None:
        return Finding("beat", DOWN, "no dispatch was recorded in hours, and entries were due", remedy)
    age = _ago((at - last).total_seconds())
    bad = schedule.bad(entries)
    bad = bad[bad["enabled"].astype(bool)]
    if last < should - BEAT_LATE:
        missed = int((due["at"] > last).sum())
        return Finding("beat", DOWN, f"last dispatch {age} ago; {missed:,} firings were due since", remedy)
    if len(bad):
        count = "1 entry cannot be sent" if len(bad) == 1 else f"{len(bad):,} entries cannot be sent"
        first = f"{bad['name'].iloc[0]}: {bad['problem'].iloc[0]}"
        return Finding(
            "beat",
            WARNING,
            f"last dispatch {age} ago{how}; {count}, {first}",
            "`zumo schedule list` names them",
        )
    return Finding("beat", OK, f"last dispatch {age} ago{how}")


def recorder(history: History, at: datetime) -> Finding:
    """Read what the recorders last said of themselves; one that died is no trouble where another records."""
    running = [said for said in recorder_state.read(history.root, at) if said.state != "stopped"]
    recording = [said for said in running if said.state == "recording"]
    troubled = [said for said in running if said not in recording]
    if not running:
        return Finding("recorder", DOWN, "none runs", "`zumo up`, or `zumo record` beside your own workers")
    if not recording:
        newest = max(troubled, key=lambda said: datetime.fromisoformat(said.updated))
        return Finding("recorder", DOWN, *_trouble(newest))
    waiting = max(said.waiting or 0 for said in recording)
    lags = [said.lag_seconds for said in recording if said.lag_seconds is not None]
    detail = f"records {sum(said.events_per_second for said in recording):g} events/s"
    if lags:
        detail += f", {_ago(max(lags))} behind"
    if waiting > MANY_WAITING:
        detail += f", {waiting:,} events wait"
        return Finding("recorder", WARNING, detail, "start a second recorder")
    for said in troubled:
        if said.state != "silent":
            what, remedy = _trouble(said)
            return Finding("recorder", WARNING, f"{detail}; {said.name}: {what}", remedy)
    return Finding("recorder", OK, detail)


def _trouble(said: recorder_state.State) -> tuple[str, str]:
    """What a recorder complains of, and what to do."""
    what, _, remedy = said.reason.rpartition("; ")
    return f"{said.state}: {what or remedy}", remedy if what else "look at its log"


def files(history: History) -> Finding:
    """Look at the lists of what the history holds."""
    found = soundness.look(history.address)
    if found.problem:
        state = DOWN if found.state == "unreachable" else WARNING
        return Finding("history", state, found.problem, found.remedy)
    return Finding("history", OK, f"{found.files:,} files")


def ping(app: Celery, nodes: Sequence[str] | None = None, timeout: float = 1.0) -> tuple[str, ...]:
    """Workers that answer; with known `nodes` at once, else after the whole timeout (seconds)."""
    transport = app.connection_for_read().get_transport_cls()
    try:
        answers = app.control.ping(
            destination=list(nodes) if nodes else None, timeout=timeout, limit=len(nodes) if nodes else None
        )
    except (*transport.connection_errors, *transport.channel_errors, OSError):
        return ()
    return tuple(sorted(name for answer in answers or () for name in answer))


def _told(probe: Callable[..., Finding], *args: Any) -> Finding:
    """The probe's finding; what it raises becomes one."""
    name = probe.__name__
    try:
        return probe(*args)
    except (BrokerError, HistoryError) as error:
        what, _, remedy = str(error).partition("; ")
        return Finding(name, DOWN, what, remedy)
    except Exception as error:  # noqa: BLE001 - a state is shown whatever a driver raises
        return Finding(name, UNKNOWN, hide(f"{type(error).__name__}: {error}")[:200], f"see {name}'s log")


def _unasked(component: str) -> Finding:
    return Finding(component, UNKNOWN, "cannot be asked without the broker", "see broker")


def _is_redis(app: Celery) -> bool:
    return str(app.connection_for_read().get_transport_cls().driver_type) == "redis"


def _ago(seconds: float) -> str:
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
