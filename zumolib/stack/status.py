"""What the stack says of itself: its services, and whether each does its work."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import redis

from zumolib import conf as settings
from zumolib.conf import Conf
from zumolib.deployment import ownership
from zumolib.history import soundness
from zumolib.recorder import state as recorder_state
from zumolib.stack import orphans, valkey_files
from zumolib.stack.lifecycle import WATCHING
from zumolib.stack.plan import Plan
from zumolib.stack.supervisor import GONE, RUNNING, SILENT, Supervisor
from zumolib.vitals import database as vital_database
from zumolib.vitals import questions
from zumolib.vitals.answer import FAILING

SUPERVISOR_SECONDS = 2.0  # for supervisord to tell of its services
DATABASE_SECONDS = 2  # for a connection; whole seconds, as libpq counts


def status() -> dict[str, Any]:
    """State of every service, depth of every queue and what the recorder says of itself.

    Returns
    -------
    dict
        ``running`` (None while supervisord does not answer), ``supervisor`` (running, silent or gone), ``home``, ``jupyter_url``, ``services`` (a list of ``name``, ``state``, ``pid``,
        ``uptime_seconds``, ``port``, ``log``), ``beat`` (who holds its lease: ``works``, ``said``, ``host``, ``pid``,
        ``since``, ``skipped``: what it leaves out, and why; None where no beat ever took one), ``queues`` (messages ready by queue, None when the broker
        does not answer), ``recorders`` (what each says of itself, see :class:`zumolib.recorder.state.State`),
        ``history`` (whether its files can be reached and read, see :class:`zumolib.history.soundness.Soundness`),
        ``health`` (the answers of :mod:`zumolib.vitals`: ``id``, ``state``, ``evidence``, ``age``, ``remedy``,
        ``seconds``), ``watches_only`` (another app is operated on: no worker, beat or broker is ours).
    """
    conf = settings.conf()
    own = ownership.is_own_app()
    plan = Plan.load(conf.ZUMO_HOME)
    supervisor, services = (
        Supervisor(conf.ZUMO_HOME, plan, limit=SUPERVISOR_SECONDS).look() if plan else (GONE, [])
    )
    running = None if supervisor == SILENT else supervisor == RUNNING
    health = questions.all_questions(own=own)
    # Who does not answer one question is not waited for with the next.
    broker_answers = all(answer.state != FAILING for answer in health if answer.id == "broker")
    left_behind = len(orphans.processes(conf.ZUMO_HOME)) if supervisor == GONE else 0
    return {
        "running": running,
        "supervisor": supervisor,
        "home": str(conf.ZUMO_HOME),
        "jupyter_url": plan.jupyter_url if plan and running else None,
        "left_behind": left_behind,
        "services": [
            {
                "name": service.name,
                "state": service.state.lower(),
                "pid": service.pid,
                "uptime_seconds": service.uptime,
                "port": plan.ports.get(service.name) if plan else None,
                "log": service.log,
                "problem": service.problem
                or (valkey_files.damage(conf.ZUMO_HOME) if service.name == "valkey" else ""),
            }
            for service in services
            if own or service.name in WATCHING
        ],
        "watches_only": not own,
        "health": [asdict(answer) for answer in health],
        "beat": _beat() if own else None,
        "queues": _ready(conf) if running and broker_answers else None,
        "recorders": [asdict(state) for state in recorder_state.read(conf.history_folder, datetime.now(UTC))],
        "history": asdict(soundness.look(conf.history)),
    }


def _beat() -> dict[str, Any] | None:
    """What the lease in the database says of beat."""
    from zumolib.schedule.leases import standing

    settings.use_django()
    from django.db import DatabaseError

    connection = vital_database.connection(DATABASE_SECONDS)
    try:
        lease = standing.of("beat", connection)
    except DatabaseError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return {"works": None, "said": f"the database does not answer: {reason}", "skipped": {}}
    finally:
        connection.close()
    if lease is None:
        return None
    return {
        "works": lease.state == standing.HELD and not lease.restarts,
        "said": "; ".join(filter(None, (str(lease), lease.restarts))),
        "host": lease.host,
        "pid": lease.pid,
        "since": lease.since,
        "skipped": lease.skipped if lease.state == standing.HELD else {},
    }


def _ready(conf: Conf) -> dict[str, int] | None:
    """Messages ready by queue, read without Celery, whose import alone would take most of the time."""
    if not conf.broker_is_redis:
        return None
    names = ("default", "emails", "payments", "analytics", "notifications", "hr", "ats", "celery")
    client = redis.Redis.from_url(
        conf.CELERY_BROKER_URL, socket_timeout=1, socket_connect_timeout=1, retry=None
    )
    try:
        pipe = client.pipeline(transaction=False)
        for name in names:
            pipe.llen(name)
        return dict(zip(names, pipe.execute(), strict=True))
    except redis.exceptions.RedisError:
        return None
    finally:
        client.close()
