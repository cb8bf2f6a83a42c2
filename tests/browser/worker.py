"""A worker that knows the tests' tasks, and what it tells to Celery's own inspect."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis
from kombu.exceptions import OperationalError

from tests.acceptance.stack import Stack
from tests.services.processes import process

NODE = "tests@here"
PROCESSES = 3


class Worker:
    """A worker in place of the stack's own, kept alive as that one is."""

    def __init__(self, stack: Stack, log: Path) -> None:
        self.log = log
        self._stack, self._running = stack, ExitStack()
        self._process = self._start()

    def answers(self) -> bool:
        """Whether it answers; one that has ended is started again, and the broker may be down just now."""
        if self._process.poll() is not None:
            self._process = self._start()
        try:
            return bool(self._stack.app.control.ping(destination=[NODE], timeout=0.5))
        except (redis.exceptions.ConnectionError, OperationalError):
            return False

    def end(self) -> None:
        """End it."""
        self._running.close()

    @property
    def running(self) -> set[str]:
        """Ids of the tasks that it runs."""
        return {task["id"] for task in self._ask("active")}

    @property
    def scheduled(self) -> set[str]:
        """Ids of the tasks that wait for their time with it, and are not revoked."""
        return {item["request"]["id"] for item in self._ask("scheduled")} - self.revoked

    @property
    def revoked(self) -> set[str]:
        """Ids of the tasks that it will not run."""
        return set(self._ask("revoked"))

    @property
    def queues(self) -> set[str]:
        """Queues that it takes from."""
        return {queue["name"] for queue in self._ask("active_queues")}

    @property
    def processes(self) -> int:
        """How many it has for tasks."""
        return len(self._ask("stats")["pool"]["processes"])

    def rate(self, task: str) -> str | None:
        """The rate limit of a task; None where it has none."""
        [line] = [line for line in self._ask("registered", "rate_limit") if line.split(" [")[0] == task]
        _, _, limit = line.rstrip("]").partition(" [rate_limit=")
        return limit or None

    def _ask(self, question: str, *arguments: Any) -> Any:
        inspect = self._stack.app.control.inspect(destination=[NODE], timeout=5)
        return (getattr(inspect, question)(*arguments) or {}).get(NODE, [])

    def _start(self) -> subprocess.Popen[bytes]:
        self._running.close()
        words = ["celery", "-A", "zumolib", "worker", "-n", NODE, "-c", str(PROCESSES)]
        words += ["-I", "tests.browser.tasks"]
        environment = {**self._stack.environment, "ZUMO_SOLE_WORKER": "true"}
        return self._running.enter_context(process(words, self.log, environment))
