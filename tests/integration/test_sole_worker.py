"""A worker that may be the only one gives back what others took only after it has shown that it is."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis
from celery import Celery

from tests.integration.workers import make_app
from tests.services.valkey import Valkey
from tests.waiting import wait_until

SECONDS = 6.0  # that a task takes: longer than a second worker's start


@pytest.fixture
def place(valkey_server: Valkey) -> str:
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    return valkey_server.url.rpartition("/")[0]


@pytest.fixture
def app(place: str) -> Iterator[Celery]:
    made = make_app(f"{place}/2", place)
    yield made
    made.close()


@contextmanager
def sole_worker(place: str, name: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the platform's app that was told that it may be the only one."""
    environment = {
        **os.environ,
        "CELERY_BROKER_URL": f"{place}/2",
        "CELERY_RESULT_BACKEND": f"{place}/1",
        "REDIS_URL": f"{place}/0",
        "ZUMO_SOLE_WORKER": "true",
        "ZUMO_OWN": "true",  # in one test another app shares the broker
    }
    command = [sys.executable, "-m", "celery", "-A", "zumolib", "worker", "-n", f"{name}@here", "-c1"]
    command += ["-I", "tests.integration.sleepy", "--loglevel=info", "--without-gossip", "--without-mingle"]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink, start_new_session=True)
    try:
        yield process
    finally:
        remains = [process, *psutil.Process(process.pid).children()] if process.poll() is None else []
        for one in remains:
            one.send_signal(signal.SIGCONT)
            one.terminate()
        process.wait(30)


def ready(log: Path) -> int:
    """How many messages a worker gave back when it was ready to work."""
    wait_until(lambda: " ready." in log.read_text(), 60, f"the worker to be ready, see {log.read_text()}")
    return int(re.findall(r"Gave back (\d+) messages", log.read_text())[-1])


def ran(task: str, *logs: Path) -> int:
    """How often a task was begun and came to its end."""
    return sum(log.read_text().count(f"tests.sleepy[{task}] succeeded") for log in logs)


def test_a_second_worker_leaves_what_the_first_is_running(place: str, app: Celery, tmp_path: Path) -> None:
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    with sole_worker(place, "first", first):
        ready(first)
        running = app.send_task("tests.sleepy", (SECONDS,))
        wait_until(lambda: running.state == "STARTED", 20, "the task to run")
        with sole_worker(place, "second", second):
            assert ready(second) == 0
            assert "this is not the only worker (zumo-worker:" in second.read_text()
            wait_until(lambda: running.state == "SUCCESS", 60, "the task's end")
            # Had it been given back, the second worker would have it by now: nothing else waits.
            probe = app.send_task("tests.sleepy", (0.0,))
            wait_until(lambda: probe.state == "SUCCESS", 20, "a task sent later")
    assert ran(running.id, first, second) == 1


def test_a_stopped_worker_is_not_taken_for_a_dead_one(place: str, app: Celery, tmp_path: Path) -> None:
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    with sole_worker(place, "first", first) as process:
        ready(first)
        running = app.send_task("tests.sleepy", (SECONDS,))
        wait_until(lambda: running.state == "STARTED", 20, "the task to run")
        process.send_signal(signal.SIGSTOP)  # it answers nothing; its pool's process works on
        with sole_worker(place, "second", second):
            assert ready(second) == 0
            process.send_signal(signal.SIGCONT)
            wait_until(lambda: running.state == "SUCCESS", 60, "the task's end")
    assert ran(running.id, first, second) == 1


def test_a_worker_of_another_app_keeps_what_it_runs(place: str, app: Celery, tmp_path: Path) -> None:
    foreign_log, log = tmp_path / "foreign.log", tmp_path / "ours.log"
    command = [sys.executable, "-m", "celery", "-A", "tests.integration.tiny_sleeper", "worker", "-n",
               "foreign@there", "-c1", "-Q", "celery", "--loglevel=info"]  # fmt: skip
    with foreign_log.open("wb") as sink:
        foreign = subprocess.Popen(
            command, env={**os.environ, "BROKER": f"{place}/2"}, stdout=sink, stderr=sink
        )
    try:
        wait_until(lambda: " ready." in foreign_log.read_text(), 60, "the foreign worker")
        task = app.send_task("tests.nap", (SECONDS,), queue="celery")
        wait_until(lambda: f"[{task.id}] received" in foreign_log.read_text(), 20, "the task to be taken")
        with sole_worker(place, "ours", log):
            assert ready(log) == 0
            assert "this is not the only worker (foreign@there)" in log.read_text()
    finally:
        foreign.terminate()
        foreign.wait(30)


def test_a_worker_that_is_alone_gives_back_what_a_killed_one_ran(
    place: str, app: Celery, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    with sole_worker(place, "first", first) as process:
        ready(first)
        running = app.send_task("tests.sleepy", (SECONDS,))
        wait_until(lambda: running.state == "STARTED", 20, "the task to run")
        [child] = psutil.Process(process.pid).children()
        process.kill()
        process.wait()
    with sole_worker(place, "second", second):
        assert ready(second) == 1
        # It was at the task, and nobody would have heard of its end.
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
        wait_until(lambda: running.state == "SUCCESS", 60, "the task to have run")
    assert ran(running.id, first, second) == 1


def test_a_backlog_does_not_weigh_on_a_starting_worker(place: str, app: Celery, tmp_path: Path) -> None:
    """What the step reads at its start does not grow with what waits."""
    waiting, few, many = 3_000, tmp_path / "few.log", tmp_path / "many.log"
    with redis.Redis.from_url(f"{place}/2") as client:

        def read_by_a_start(log: Path) -> int:
            before = int(client.info("stats")["total_net_output_bytes"])
            with sole_worker(place, log.stem, log):
                ready(log)
                return int(client.info("stats")["total_net_output_bytes"]) - before

        def fill(count: int) -> None:
            with app.producer_pool.acquire() as producer:
                for _ in range(count):
                    app.send_task("tests.sleepy", (0.0,), queue="hr", producer=producer, argsrepr="x" * 900)

        idle = read_by_a_start(few)
        fill(waiting)
        size = client.memory_usage("hr")
        # What waits is kept once; the stream of events is the recorder's.
        kinds = {key: client.type(key) for key in client.scan_iter() if key != b"hr"}
        others = sum(client.memory_usage(key) or 0 for key, kind in kinds.items() if kind != b"stream")
        assert others < size / 4
        busy = read_by_a_start(many)
        assert busy - idle < size / 4, (idle, busy, size)
