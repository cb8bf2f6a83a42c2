"""Real worker processes of the platform's app against a given broker, and what they tell in events."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from celery import Celery

from tests.waiting import wait_until
from zumolib.celery import create
from zumolib.conf import Conf


def make_app(broker: str, valkey: str) -> Celery:
    """The platform's app with the test tasks, on this broker; results and cache on Valkey."""
    app = create(Conf(CELERY_BROKER_URL=broker, CELERY_RESULT_BACKEND=f"{valkey}/1", REDIS_URL=f"{valkey}/0"))
    app.conf.include = ("tests.integration.sleepy",)
    return app


@contextmanager
def worker(
    broker: str,
    valkey: str,
    log: Path,
    *,
    queues: tuple[str, ...] = (),
    name: str = "test",
    options: tuple[str, ...] = (),
    redis_url: str | None = None,
) -> Iterator[str]:
    """A running worker; yields its node name once it answers. Its cluster-wide limits are in `redis_url`."""
    node = f"{name}@here"
    environment = {
        **os.environ,
        "CELERY_BROKER_URL": broker,
        "CELERY_RESULT_BACKEND": f"{valkey}/1",
        "REDIS_URL": redis_url or f"{valkey}/0",
        "ZUMO_OWN": "true",  # its queues may hold what other tests left
    }
    command = [sys.executable, "-m", "celery", "-A", "zumolib", "worker", "-n", node, "-c2"]
    command += ["-I", "tests.integration.sleepy", "--loglevel=info"]
    command += ["-Q", ",".join(queues)] if queues else []
    command += options
    with log.open("ab") as sink:
        process = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink)
    app = make_app(broker, valkey)
    try:
        wait_until(
            lambda: app.control.ping(destination=[node], timeout=0.5), 60, f"{node} to answer, see {log}"
        )
        yield node
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        app.close()


@contextmanager
def events(app: Celery) -> Iterator[list[dict[str, Any]]]:
    """All events from now on, in the order in which they arrive."""
    found: list[dict[str, Any]] = []
    ready, stop = threading.Event(), threading.Event()

    def listen() -> None:
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": found.append})
            with receiver.consumer_context(wakeup=False) as (drained, _channel, _consumers):
                ready.set()
                while not stop.is_set():
                    with suppress(TimeoutError):
                        drained.drain_events(timeout=0.2)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert ready.wait(30), "no consumer of events"
    yield found
    stop.set()
    thread.join(10)
