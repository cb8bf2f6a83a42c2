"""An embedded stack in a folder of its own, driven as a person drives it: by the `zumo` command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import redis
from celery import Celery

from zumolib.celery import create
from zumolib.conf import Conf
from zumolib.history import History
from zumolib.stack.plan import Plan, prepare
from zumolib.stack.supervisor import Service, Supervisor


@dataclass
class Stack:
    """One home and the commands that are run on it."""

    home: Path
    extra: dict[str, str] = field(default_factory=dict)

    def with_database(self, migrated: Path) -> Stack:
        """The same home with a copy of this database, so that `up` need not make one."""
        self.home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(migrated, self.home / "zumodra.sqlite3")
        return self

    def prepare(self) -> Plan:
        """Choose the ports, as the first step of `up` does."""
        return prepare(self.home, min_free_mb=0)

    def up(self) -> None:
        """Start what does not run."""
        done = self.zumo("up")
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ZUMO_HOME": str(self.home),
            "ZUMO_REPORTS": str(self.home / "reports"),
            **self.extra,
        }

    def run(self, *command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def zumo(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "zumolib", *arguments, timeout=timeout)

    def celery(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "celery", "-A", "zumolib", *arguments)

    def python(self, code: str) -> Any:
        """Run code that prints JSON in a process that has the stack's settings."""
        done = self.run(sys.executable, "-c", code)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def status(self) -> dict[str, Any]:
        return json.loads(self.zumo("status", "--json").stdout)  # type: ignore[no-any-return]

    def plan(self) -> Plan:
        plan = Plan.load(self.home)
        assert plan is not None
        return plan

    def service(self, name: str) -> Service:
        services = Supervisor(self.home, self.plan()).services()
        return next(service for service in services if service.name == name)

    def stop_service(self, name: str) -> None:
        """Stop one service, and wait until it has ended."""
        if self.service(name).running:
            Supervisor(self.home, self.plan())._rpc.stopProcess(name, True)

    def stop_services(self, *names: str) -> None:
        """Stop several services at once, and wait until all have ended."""
        supervisor = Supervisor(self.home, self.plan())
        supervisor.stop_services([s.name for s in supervisor.services() if s.name in names and s.pid])

    def start_service(self, name: str) -> None:
        """Start one service, without waiting until it does its work."""
        Supervisor(self.home, self.plan()).start_service(name)

    @cached_property
    def app(self) -> Celery:
        """The platform's app on this stack's broker and results, in the test's own process."""
        return create(Conf(**self.plan().settings))

    def send(self, count: int) -> list[str]:
        """Send so many quick tasks; returns their ids."""
        return [self.app.send_task("zumodra.celery.debug_task").id for _ in range(count)]

    def states(self, ids: list[str]) -> set[str]:
        """States of these tasks, as the result backend has them; it may be down just now."""
        try:
            return {self.app.AsyncResult(task_id).state for task_id in ids}
        except redis.exceptions.ConnectionError:
            return {"UNREACHABLE"}

    def recorded(self, ids: list[str]) -> set[str | None]:
        """States of these tasks, as the history has them; None for one that it does not have."""
        now = datetime.now(UTC)
        tasks = History(self.home / "history").tasks(now - timedelta(hours=1), now + timedelta(minutes=1))
        known = dict(zip(tasks.task_id, tasks.state, strict=True))
        return {known.get(task_id) for task_id in ids}

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("ZUMO_STACK") == str(self.home):
                    found.append(process)
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
        return found

    def log(self, name: str) -> str:
        path = self.home / "log" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""
