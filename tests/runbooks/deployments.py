"""The two deployments that the runbooks are tried on: the embedded stack, and one whose services a person runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import redis
from celery import Celery

from tests.acceptance.stack import Stack
from tests.runbooks.driver import Driver
from tests.runbooks.validation import Validator
from tests.services.postgresql import postgresql
from tests.services.processes import PROJECT
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey
from tests.waiting import wait_until
from zumolib.celery import create
from zumolib.conf import Conf

READY_SECONDS = 60
PLAIN = "zumodra.celery.debug_task"  # a task that every worker knows


@dataclass(kw_only=True)
class Deployment:
    """What both have."""

    environment: dict[str, str]  # of a kernel that works on it
    broker_url: str
    results_url: str
    node: str  # the name of the only worker
    driver: Driver = field(init=False)
    validator: Validator = field(init=False)
    patience = 0  # the runbook's parameter: does a person have to do something?

    @property
    def app(self) -> Celery:
        """The platform's app in the test's own process; without connections from before a fault."""
        made = create(Conf(CELERY_BROKER_URL=self.broker_url, CELERY_RESULT_BACKEND=self.results_url))
        made.conf.broker_pool_limit = 0  # kombu keeps its pools by URL, not by app
        return made

    @property
    def results(self) -> Any:
        """The result backend's server."""
        return redis.Redis.from_url(self.results_url)

    def inspect(self) -> Any:
        """Celery's own questions to the worker."""
        return self.app.control.inspect([self.node], timeout=1.5)

    def wait_for_worker(self) -> None:
        """Wait until the worker answers."""
        wait_until(self.inspect().ping, READY_SECONDS, "the worker's answer to Celery's ping")

    def consumed(self) -> set[str]:
        """Queues that are consumed, as Celery says."""
        told = self.inspect().active_queues() or {}
        return {queue["name"] for queues in told.values() for queue in queues}

    @contextmanager
    def person(self, act: Callable[[], None]) -> Iterator[None]:
        """Nobody is needed where the runbook does everything."""
        yield


@dataclass(kw_only=True)
class Embedded(Deployment):
    """The embedded stack: Valkey, SQLite, one worker."""

    stack: Stack

    def stop(self, service: str) -> None:
        """End a service."""
        self.stack.stop_service({"broker": "valkey"}.get(service, service))

    def running(self, service: str) -> bool:
        """Whether supervisor keeps it running."""
        return self.stack.service(service).running


@dataclass(kw_only=True)
class Full(Deployment):
    """RabbitMQ, PostgreSQL and Valkey; worker and beat are a person's processes."""

    folder: Path
    rabbit: RabbitMQ
    server: Valkey  # of results
    database: dict[str, Any]
    patience = 90
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, service: str, *words: str, app: str = "tests.runbooks.app") -> None:
        """Start the worker or beat."""
        own = {
            "worker": ("worker", "-n", self.node, "-c2", "--without-mingle", "--loglevel=info"),
            "beat": ("beat", "--loglevel=info"),
        }[service]
        with (self.folder / f"{service}.log").open("ab") as sink:
            self._running[service] = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", app, *own, *words],
                cwd=PROJECT,
                env=self.environment,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    def stop(self, service: str) -> None:
        """End a server, the worker or beat."""
        server = {"broker": self.rabbit, "results": self.server}.get(service)
        if server is not None:
            server.stop()
            return
        process = self._running.pop(service)
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)

    def restart(self, service: str, *words: str, app: str = "tests.runbooks.app") -> None:
        """End a process and start it anew, otherwise if asked to."""
        if service in self._running:
            self.stop(service)
        self.start(service, *words, app=app)

    def rabbitmqctl(self, *words: str) -> None:
        """Give RabbitMQ a command."""
        command = ["/usr/lib/rabbitmq/bin/rabbitmqctl", *words]
        subprocess.run(command, env=self.rabbit._environment, check=True, capture_output=True)

    @contextmanager
    def person(self, act: Callable[[], None]) -> Iterator[None]:
        """Somebody who does what the runbook tells, as soon as it waits for that."""
        over = threading.Event()
        done: list[bool] = []
        query = "select count(*) from receipts_receipt where action = 'by hand' and state = 'started'"

        def wait() -> None:
            with psycopg.connect(autocommit=True, **self.database) as connection:
                while not over.wait(0.3):
                    told = connection.execute(query).fetchone()
                    if told is not None and told[0]:
                        act()
                        done.append(True)
                        return

        thread = threading.Thread(target=wait)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(60)
        assert done, "the runbook never waited for a person"

    def end(self) -> None:
        """End what was started, at once."""
        for process in self._running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


@contextmanager
def embedded(folder: Path, migrated: Path | None = None) -> Iterator[Embedded]:
    """A healthy embedded stack whose worker also has the leaking task; on a copy of that database, if any."""
    stack = Stack(folder, {"CELERY_WORKER_INCLUDE": "tests.runbooks.leaky"})
    if migrated is not None:
        stack.with_database(migrated)
    try:
        done = stack.zumo("up")
        assert done.returncode == 0, done.stdout + done.stderr
        chosen = stack.plan().settings
        made = Embedded(
            environment=stack.environment | {"PYTHONPATH": _path()},
            broker_url=chosen["CELERY_BROKER_URL"],
            results_url=chosen["CELERY_RESULT_BACKEND"],
            node=f"celery@{socket.gethostname()}",
            stack=stack,
        )
        with Driver(made.environment) as made.driver, Validator(made.environment) as made.validator:
            yield made
    finally:
        while left := stack.processes():  # at once; that `zumo down` ends them in order is tested elsewhere
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, 5)


@contextmanager
def full(folder: Path) -> Iterator[Full]:
    """A healthy deployment on RabbitMQ and PostgreSQL."""
    with ExitStack() as opened:
        rabbit = RabbitMQ()
        opened.callback(rabbit.remove)
        started = opened.enter_context(ThreadPoolExecutor(1)).submit(rabbit.start)  # it takes the longest
        database = opened.enter_context(postgresql())
        results = Valkey()
        opened.callback(results.remove)
        results.start()
        server = results.url.rsplit("/", 1)[0]
        user, password = database["USER"], quote(str(database["PASSWORD"]), safe="")
        url = f"postgres://{user}:{password}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
        environment = {
            **os.environ,
            "ZUMO_HOME": str(folder),
            "ZUMO_APP": "tests.runbooks.app",
            "CELERY_BROKER_URL": rabbit.url,
            "CELERY_RESULT_BACKEND": f"{server}/1",
            "REDIS_URL": f"{server}/0",
            "DATABASE_URL": url,
            "PYTHONPATH": _path(),
        }
        made = Full(
            environment=environment,
            broker_url=rabbit.url,
            results_url=f"{server}/1",
            node="test@here",
            folder=folder,
            rabbit=rabbit,
            server=results,
            database={
                "host": database["HOST"],
                "port": database["PORT"],
                "user": user,
                "password": database["PASSWORD"],
                "dbname": database["NAME"],
            },
        )
        for words in (("migrate",), ("schedule", "install")):
            command = [sys.executable, "-m", "zumolib", *words]
            # The database is the platform's; the app of these tests only adds tasks to it.
            own = environment | {"ZUMO_APP": "zumolib"}
            subprocess.run(command, env=own, cwd=PROJECT, check=True, capture_output=True)
        started.result()
        opened.callback(made.end)
        made.start("worker")
        made.start("beat")
        with Driver(environment) as made.driver, Validator(environment) as made.validator:
            made.wait_for_worker()
            yield made


def _path() -> str:
    return os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
