"""The deployments whose processes are killed: the embedded stack, and RabbitMQ with two workers and recorders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from celery import Celery

from tests.acceptance.stack import Stack
from tests.endurance import logbook
from tests.services.processes import PROJECT, end
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey
from tests.waiting import wait_until
from zumolib.celery import create
from zumolib.conf import Conf
from zumolib.errors import BrokerError
from zumolib.inspection import remote
from zumolib.stack import probes


class Site(ABC):
    """A running deployment whose processes can be killed by name."""

    kind: str
    names: list[str]
    broker: str  # which of them is the broker
    app: Celery
    logbook: Path
    history: Path

    @abstractmethod
    def pid(self, name: str) -> int | None:
        """Process id by name; None while it does not run."""

    @abstractmethod
    def restart(self, name: str) -> None:
        """Start a killed process, where nothing else does."""

    @abstractmethod
    def works(self, name: str) -> bool:
        """Whether it does its work."""

    def recorded_all(self, since: datetime) -> bool:
        """Whether no event waits for a recorder or is held by one, as all of them say after `since`."""
        states = [json.loads(path.read_text()) for path in self.history.glob("recorder-*.json")]
        return bool(states) and all(
            datetime.fromisoformat(said["updated"]) > since
            and (said["state"], said["held"]) == ("recording", 0)
            and said["waiting"] in (0, None)
            for said in states
        )

    def child(self, parent: int | None) -> int | None:
        """A pool process of a worker."""
        try:
            children = psutil.Process(parent).children() if parent else []
        except psutil.NoSuchProcess:
            return None
        return children[0].pid if children else None


class Embedded(Site):
    """The embedded stack, which supervisor keeps alive."""

    kind, broker = "embedded", "valkey"
    names = ["valkey", "worker", "a process of worker", "beat", "recorder", "mail", "provider", "jupyter"]

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.logbook = folder / "logbook"
        self._stack = Stack(folder / "home", logbook.inject(self.logbook))
        stack.callback(lambda: self._stack.zumo("down"))
        self._stack.up()
        self.history = self._stack.home / "history"
        self.app = self._stack.app

    def pid(self, name: str) -> int | None:
        if name == "a process of worker":
            return self.child(self._stack.service("worker").pid)
        return self._stack.service(name).pid

    def restart(self, name: str) -> None:
        """Supervisor does."""

    def works(self, name: str) -> bool:
        plan = self._stack.plan()
        if name == "valkey":
            return probes.valkey(plan)
        if "worker" in name:
            return probes.worker(self.app)
        return self._stack.service(name).running


class Distributed(Site):
    """RabbitMQ, results on Valkey, two workers, two recorders; restarted here when they were killed."""

    kind = broker = "rabbitmq"
    names = [
        "rabbitmq",
        "valkey",
        "worker-1",
        "worker-2",
        "a process of worker-1",
        "recorder-1",
        "recorder-2",
    ]

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.logbook, self.history = folder / "logbook", folder / "history"
        self._folder = folder
        self._broker, self._results = RabbitMQ(), Valkey()
        for server in (self._broker, self._results):
            server.start()
            stack.callback(server.remove)
        results = self._results.url.rpartition("/")[0]
        urls = {
            "CELERY_BROKER_URL": self._broker.url,
            "CELERY_RESULT_BACKEND": f"{results}/1",
            "REDIS_URL": f"{results}/0",
        }
        self._environment = {
            **os.environ, **urls, **logbook.inject(self.logbook), "ZUMO_HOME": str(folder / "home"),
            "ZUMO_HISTORY": str(self.history),
        }  # fmt: skip
        self.app = create(Conf(**urls))
        worker = ["celery", "-A", "zumolib", "worker", "-c", "2", "-l", "info", "-n"]
        self._commands = {f"worker-{n}": [*worker, f"worker-{n}@here"] for n in (1, 2)}
        self._commands |= {f"recorder-{n}": ["zumolib", "record", "--name", f"recorder-{n}"] for n in (1, 2)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for name in sorted(self._commands):  # recorders first, so that they miss no event
            self.restart(name)
            stack.callback(lambda name=name: end(self._running[name]))
        for name in self._commands:
            wait_until(lambda: self.works(name), 120, f"{name} to work")  # noqa: B023

    def pid(self, name: str) -> int | None:
        if name == "rabbitmq":
            return self._broker.pid
        if name == "valkey":
            return self._results.pid
        if name.startswith("a process of "):
            return self.child(self.pid(name.removeprefix("a process of ")))
        process = self._running[name]
        return process.pid if process.poll() is None else None

    def restart(self, name: str) -> None:
        if name == "rabbitmq":
            self._broker.stop()
            self._broker.start()
        elif name == "valkey":
            self._results.stop()
            self._results.start()
        elif name in self._commands:
            with (self._folder / f"{name}.log").open("ab") as sink:
                self._running[name] = subprocess.Popen(
                    [sys.executable, "-m", *self._commands[name]], cwd=PROJECT, env=self._environment,
                    stdout=sink, stderr=sink, start_new_session=True,
                )  # fmt: skip

    def works(self, name: str) -> bool:
        if "worker" in name:
            node = f"{name.removeprefix('a process of ')}@here"
            try:
                return node in remote.ask(self.app, {"ping": {}}, nodes=[node])["ping"]
            except BrokerError:
                return False
        if name.startswith("recorder"):
            path = self.history / f"{name}.json"
            path = path if path.exists() else self.history / f"recorder-{name}.json"
            said: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
            return said.get("pid") == self.pid(name) and said.get("state") == "recording"
        return self.pid(name) is not None


KINDS: dict[str, Callable[[ExitStack, Path], Site]] = {"embedded": Embedded, "rabbitmq": Distributed}
