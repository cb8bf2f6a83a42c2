"""A payment overtakes whatever no worker has reserved yet, on each broker."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from tests.integration.workers import events, make_app, worker
from tests.waiting import wait_until
from zumolib.platform.queues import CLASSES, Priority

WAITING = 500
SECONDS = 0.02  # run time of each of the waiting tasks
ON_ITS_WAY = 0.1  # seconds for a message that was already being handed over when the payment was sent


def test_a_payment_overtakes_what_is_not_reserved(broker: str, valkey_url: str, tmp_path: Path) -> None:
    app = make_app(broker, valkey_url)
    waiting = {app.send_task("tests.sleepy", [SECONDS], queue="analytics").id for _ in range(WAITING)}
    with ExitStack() as running:
        seen = running.enter_context(events(app))
        start = lambda **more: running.enter_context(  # noqa: E731
            worker(broker, valkey_url, tmp_path / "worker.log", **more)
        )
        if app.conf.broker_url.startswith("redis"):
            start()  # one worker for all queues, as in the embedded stack
        else:
            start(name="critical", queues=CLASSES[Priority.CRITICAL])
            start(name="low", queues=CLASSES[Priority.LOW])
        wait_until(
            lambda: any(e["type"] == "task-started" and e["uuid"] in waiting for e in seen),
            30,
            "the first task",
        )
        payment = app.send_task("tests.sleepy", [0.0], queue="payments").id
        sent = time.time()
        done = lambda: {e["uuid"] for e in seen if e["type"] == "task-succeeded"}  # noqa: E731
        wait_until(
            lambda: done() >= waiting | {payment},
            60,
            "all to have run",
        )
    received = {e["uuid"]: e["timestamp"] for e in seen if e["type"] == "task-received"}
    started = {e["uuid"]: e["timestamp"] for e in seen if e["type"] == "task-started"}
    reserved_later = {task for task in waiting if received[task] > sent + ON_ITS_WAY}
    assert len(reserved_later) > WAITING / 2, "the payment was sent while most were still waiting"
    overtaken_by = {task for task in reserved_later if started[task] < started[payment]}
    assert overtaken_by == set()
