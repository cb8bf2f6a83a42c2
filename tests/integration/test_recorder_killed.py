"""Twenty recorders are killed under load and the broker is restarted, and no task's record is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.integration import tiny
from tests.services.processes import PROJECT, end, process
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey
from tests.waiting import wait_until
from zumolib.history import History

Server = Valkey | RabbitMQ

KILLS = 20
TASKS = 20_000  # that another process tells of, as workers would
PACE = 800.0  # of them a second
REAL = 300  # tasks that a worker runs
RECORDERS = ("one", "two")  # while one starts anew, the other is under load


@pytest.fixture(params=["valkey", "rabbitmq"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = Valkey() if request.param == "valkey" else RabbitMQ()
    try:
        found.start()
        yield found
    finally:
        found.remove()


def tasks(folder: Path) -> pd.DataFrame:
    now = datetime.now(UTC)
    return History(folder).tasks(now - timedelta(hours=1), now + timedelta(hours=1))


def records(folder: Path, name: str, child: subprocess.Popen[bytes]) -> bool:
    """Whether this very process says that it records."""
    try:
        said = json.loads((folder / f"recorder-{name}.json").read_text())
    except (FileNotFoundError, ValueError):
        return False
    return said["pid"] == child.pid and said["state"] == "recording"


@pytest.mark.timeout(240)
def test_every_task_has_one_complete_record(server: Server, tmp_path: Path) -> None:
    folder, chance, pause = tmp_path / "history", random.Random(20), threading.Event()
    app = tiny.make(server.url)
    worker = ["celery", "-A", "tests.integration.tiny", "worker", "-c", "1", "-E", "-l", "warning"]
    with ExitStack() as stack:

        def start(name: str) -> subprocess.Popen[bytes]:
            words = ["tests.integration.record", server.url, str(folder), name]
            return stack.enter_context(process(words, tmp_path / "recorder.log"))

        running = {name: start(name) for name in RECORDERS}
        for name, child in running.items():
            # RabbitMQ keeps events for recorders from the first recorder's first connection on.
            wait_until(lambda: records(folder, name, child), 60, f"{name} records")  # noqa: B023
        stack.enter_context(process(worker, tmp_path / "worker.log", {"TINY_BROKER": server.url}))
        telling = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.eventful", server.url, str(TASKS), str(PACE)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(lambda: telling.poll() is None and telling.kill())
        sent = []
        for number in range(KILLS):
            sent += [app.tasks["tiny.double"].delay(n).id for n in range(REAL // KILLS)]
            name = RECORDERS[number % 2]
            wait_until(lambda: records(folder, name, running[name]), 60, f"{name} records")  # noqa: B023
            pause.wait(chance.uniform(0, 0.5))  # the random moment
            os.kill(running[name].pid, signal.SIGKILL)
            running[name].wait()
            running[name] = start(name)
            if number == KILLS // 2:
                server.stop()
                server.start()
        assert telling.poll() is None, "it was under load to the end"
        telling.terminate()
        told, _ = telling.communicate(timeout=90)
        expected = {*sent, *map(str, range(int(told)))}
        wait_until(
            lambda: int(tasks(folder)["finished"].notna().sum()) >= len(expected), 60, "all are recorded"
        )
        for child in running.values():
            end(child)
    frame = tasks(folder)
    assert len(expected) >= TASKS + REAL
    assert set(frame["task_id"]) == expected
    assert frame["task_id"].is_unique
    assert set(frame["state"]) == {"SUCCESS"}
    assert set(frame["queue"]) == {"tiny"}
    complete = ["name", "worker", "sent", "received", "started", "finished", "queue_wait", "run_time"]
    assert frame[complete].notna().all(axis=None)
