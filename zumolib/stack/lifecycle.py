"""Up and down of the embedded stack."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from zumolib import conf as settings
from zumolib.conf import PROJECT, Conf
from zumolib.deployment import ownership
from zumolib.errors import StackError, ZumoError
from zumolib.recorder import state as recorder_state
from zumolib.stack import orphans, probes, valkey_files
from zumolib.stack.plan import Plan, check_ports, prepare, supervisor_socket
from zumolib.stack.supervisor import Supervisor

Say = Callable[[str, str], None]  # step, what became of it
START_SECONDS = 60.0
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
    from zumolib.celery import app
    from zumolib.database import orm
    from zumolib.deployment import ownership
    from zumolib.platform import installation

    ownership.require_app()
    ownership.require_database()
    orm.migrate()
    made = installation.install(app)
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


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let one `up` at a time work on a home."""
    with (home / "run" / "up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ZumoError(f"another `zumo up` works on {home} just now; wait until it is done") from None
        yield
