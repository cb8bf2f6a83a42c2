"""Up, down and status of the embedded stack."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis

from zumolib import conf as settings
from zumolib import ownership, recorder_state
from zumolib.conf import PROJECT, Conf
from zumolib.errors import StackError, ZumoError
from zumolib.history import soundness
from zumolib.stack import orphans, probes, valkey_files
from zumolib.stack.plan import Plan, check_ports, prepare, supervisor_socket
from zumolib.stack.supervisor import Supervisor
from zumolib.vitals import database as vital_database
from zumolib.vitals import questions
from zumolib.vitals.answer import FAILING

Say = Callable[[str, str], None]  # step, what became of it
START_SECONDS = 60.0
DATABASE_SECONDS = 2  # for a connection; whole seconds, as libpq counts
WATCHING = ("jupyter", "recorder")  # what is started beside another app
ATTEMPTS = 4  # ends of a service that is being started, after which it will not stay up


def up(say: Say) -> Plan:
    """Start what does not run yet, wait until every service does its work.

    Raises
    ------
    StackError
        When the folder, the disk, a port or a service is the trouble; names the log to read. What was
        started by this call is ended again.
    """
    conf = settings.conf()
    plan = prepare(conf.ZUMO_HOME, min_free_mb=conf.ZUMO_MIN_FREE_MB)
    settings.conf.cache_clear()  # the plan's addresses are settings too
    conf = settings.conf()
    if conf.ZUMO_READ_ONLY and ownership.is_own_app():
        prepare_database()  # before anything starts: what it would have to write is refused
    with _alone(conf.ZUMO_HOME):
        supervisor = Supervisor(conf.ZUMO_HOME, plan)
        fresh = supervisor.pid() is None
        if fresh and orphans.within(conf.ZUMO_HOME):
            raise StackError(
                "this terminal belongs to the JupyterLab of a stack whose supervisord was killed, and would end "
                "with it; run `zumo up` in a terminal of your own"
            )
        try:
            if fresh:
                _start_supervisor(supervisor, plan, conf, say)
            _start_services(supervisor, plan, conf, say)
        except BaseException:
            if fresh:
                orphans.end(conf.ZUMO_HOME)
            raise
    return plan


def _start_supervisor(supervisor: Supervisor, plan: Plan, conf: Conf, say: Say) -> None:
    home = conf.ZUMO_HOME
    left_behind = orphans.end(home)
    if left_behind:
        say("clean up", f"ended {left_behind} processes that an earlier stack left behind")
    check_ports(plan, home, ours=set())
    supervisor_socket(home).unlink(missing_ok=True)
    metrics = home / "run" / "metrics"
    metrics.mkdir(exist_ok=True)
    for old in metrics.glob("*.db"):
        old.unlink()
    from zumolib.stack.programs import write_configuration

    configuration = write_configuration(plan, conf)
    environment = settings.child_environment(
        {
            "ZUMO_HOME": str(home),
            orphans.MARK: str(home),
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            "PYTHONPATH": os.pathsep.join([str(PROJECT), *_python_path()]),
            "PYTHONUNBUFFERED": "1",
        }
    )
    supervisor.start(configuration, environment)
    say("supervisor", f"process {supervisor.pid()}")


def _python_path() -> list[str]:
    inherited = settings.child_environment().get("PYTHONPATH", "")
    return [inherited] if inherited else []


def _start_services(supervisor: Supervisor, plan: Plan, conf: Conf, say: Say) -> None:
    home = conf.ZUMO_HOME
    if not ownership.is_own_app():
        _watch_only(supervisor, plan, conf, say)
        return
    for service in ("valkey", "mail", "provider", "jupyter"):
        supervisor.start_service(service)
    _await(supervisor, "valkey", lambda: probes.valkey(plan), say)
    say("database", prepare_database())
    from zumolib.celery import app

    if plan.settings.get("CELERY_BROKER_URL") != conf.CELERY_BROKER_URL:
        ownership.require_broker(app)  # the worker would refuse too, but only in its log
    began = time.time()
    for service in ("worker", "beat", "recorder"):
        supervisor.start_service(service)
    _await(supervisor, "mail", lambda: probes.mail(plan), say)
    _await(supervisor, "provider", lambda: probes.provider(plan), say)
    _await(supervisor, "beat", lambda: probes.beat(home), say)
    _await(supervisor, "recorder", lambda: _recorder_is_fresh(conf, supervisor, began), say)
    _await(supervisor, "worker", lambda: probes.worker(app), say)
    _await(supervisor, "jupyter", lambda: probes.jupyter(plan), say)


def _watch_only(supervisor: Supervisor, plan: Plan, conf: Conf, say: Say) -> None:
    """Start what looks at another app and takes no part in it."""
    say(
        "app",
        f"{conf.ZUMO_APP} is not the platform's: only the recorder and JupyterLab are started beside it",
    )
    began = time.time()
    for service in WATCHING:
        supervisor.start_service(service)
    _await(supervisor, "recorder", lambda: _recorder_is_fresh(conf, supervisor, began), say)
    _await(supervisor, "jupyter", lambda: probes.jupyter(plan), say)


def _recorder_is_fresh(conf: Conf, supervisor: Supervisor, began: float) -> bool:
    pids = {service.pid for service in supervisor.services() if service.name == "recorder"}
    return any(state.pid in pids for state in recorder_state.read(conf.history_folder, datetime.now(UTC)))


def _await(supervisor: Supervisor, name: str, condition: Callable[[], bool], say: Say) -> None:
    ends: set[float] = set()

    def settled() -> bool:
        if condition():
            return True
        service = next(service for service in supervisor.services() if service.name == name)
        if service.state == "BACKOFF":
            ends.add(service.ended)
        if service.state == "FATAL" or len(ends) >= ATTEMPTS:
            why = valkey_files.damage(supervisor.home) if name == "valkey" else ""
            raise StackError(why or f"{name} does not stay up; read {service.log}")
        return False

    took = probes.wait(settled, START_SECONDS)
    service = next(service for service in supervisor.services() if service.name == name)
    if took is None:
        raise StackError(f"{name} did not answer within {START_SECONDS:.0f} s; read {service.log}")
    say(name, f"process {service.pid}")


def prepare_database() -> str:
    """Migrate the database and install the entries that are missing; returns what was done in words.

    Raises
    ------
    ReadOnly
        When there is something to write and actions are not wanted.
    Foreign
        When the app or the database is another project's.
    """
    from zumolib import beat, orm, ownership
    from zumolib.celery import app

    ownership.require_app()
    ownership.require_database()
    orm.migrate()
    made = beat.install(app)
    text = f"{len(made.installed)} entries installed, {len(made.kept)} kept"
    return f"{text}, {len(made.refused)} refused (no such task)" if made.refused else text


def down(say: Say) -> bool:
    """End the stack; returns whether anything ran.

    Raises
    ------
    StackError
        When something does not end.
    """
    home = settings.conf().ZUMO_HOME
    if orphans.within(home):
        log = home / "log" / "down.log"
        if _goes_on_alone(log):
            say("background", f"this terminal ends with the stack; the rest is in {log}")
            return True
    plan = Plan.load(home)
    if plan is None:
        return bool(orphans.end(home))
    supervisor = Supervisor(home, plan)
    ran = supervisor.pid() is not None
    if ran:
        supervisor.stop()
        say("supervisor", "ended with its services")
    left = orphans.end(home)
    if left:
        say("clean up", f"ended {left} more processes")
    supervisor_socket(home).unlink(missing_ok=True)
    return ran or bool(left)


def _goes_on_alone(log: Path) -> bool:
    """Split: False in a process of its own, without a terminal, that writes into `log`; True in this one."""
    if os.fork():
        return True
    os.setsid()
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(target, stream)
    return False


def status() -> dict[str, Any]:
    """State of every service, depth of every queue and what the recorder says of itself.

    Returns
    -------
    dict
        ``running``, ``home``, ``jupyter_url``, ``services`` (a list of ``name``, ``state``, ``pid``,
        ``uptime_seconds``, ``port``, ``log``), ``beat`` (who holds its lease: ``works``, ``said``, ``host``, ``pid``,
        ``since``, ``skipped``: what it leaves out, and why; None where no beat ever took one), ``queues`` (messages ready by queue, None when the broker
        does not answer), ``recorders`` (what each says of itself, see :class:`zumolib.recorder_state.State`),
        ``history`` (whether its files can be reached and read, see :class:`zumolib.history.soundness.Soundness`),
        ``health`` (the answers of :mod:`zumolib.vitals`: ``id``, ``state``, ``evidence``, ``age``, ``remedy``,
        ``seconds``), ``watches_only`` (another app is operated on: no worker, beat or broker is ours).
    """
    conf = settings.conf()
    own = ownership.is_own_app()
    plan = Plan.load(conf.ZUMO_HOME)
    supervisor = Supervisor(conf.ZUMO_HOME, plan) if plan else None
    running = supervisor is not None and supervisor.pid() is not None
    services = supervisor.services() if supervisor and running else []
    health = questions.all_questions(own=own)
    # Who does not answer one question is not waited for with the next.
    broker_answers = all(answer.state != FAILING for answer in health if answer.id == "broker")
    left_behind = 0 if running else len(orphans.processes(conf.ZUMO_HOME))
    return {
        "running": running,
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
    from zumolib.leases import standing

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


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let one `up` at a time work on a home."""
    with (home / "run" / "up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ZumoError(f"another `zumo up` works on {home} just now; wait until it is done") from None
        yield
