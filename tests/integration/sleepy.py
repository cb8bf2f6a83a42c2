"""Tasks for tests: workers load them by ``--include tests.integration.sleepy``."""

from __future__ import annotations

import os
import time

from celery import shared_task
from celery.app.task import Task
from celery.exceptions import SoftTimeLimitExceeded


@shared_task(name="tests.sleepy")
def sleepy(seconds: float = 0.0) -> int:
    """Take a while; returns the process that did."""
    time.sleep(seconds)
    return os.getpid()


@shared_task(name="tests.stubborn")
def stubborn(seconds: float) -> None:
    """Take a while, whatever the soft time limit says."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            time.sleep(left)
        except SoftTimeLimitExceeded:
            continue


@shared_task(name="tests.flaky", bind=True)
def flaky(self: Task, error: str, times: int) -> int:
    """Raise `error` on the first runs; returns how often it was retried."""
    if self.request.retries < times:
        raise {"connection": ConnectionResetError, "value": ValueError}[error]("on purpose")
    return int(self.request.retries)


@shared_task(name="tests.limited", bind=True, rate_limit="5/s", cluster_rate_limit="5/s")
def limited(self: Task) -> tuple[str, float]:
    """Run at most five times a second in the whole cluster; returns where and when it ran."""
    return str(self.request.hostname), time.time()


@shared_task(name="tests.login")
def login(user: str, password: str, *, card_number: str = "", fail: bool = False) -> str:
    """Take arguments that nobody should see; returns the user, or fails."""
    if fail:
        raise PermissionError(f"no entry for {user}")
    return user
