"""A broker, a worker or our own process that is gone in the middle: nothing half done without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from celery.utils import uuid

from tests.integration.workers import make_app, worker
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey
from tests.waiting import wait_until
from zumolib import control
from zumolib.errors import BrokerError, ControlError, InputError
from zumolib.inspection.fleet import snapshot
from zumolib.inspection.queues import depths
from zumolib.receipts import book, pauses

Server = Valkey | RabbitMQ


@pytest.fixture(scope="module", params=["valkey", "rabbitmq"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    found: Server = Valkey() if request.param == "valkey" else RabbitMQ()
    try:
        found.start()
        yield found
    finally:
        found.remove()


@pytest.fixture
def app(server: Server, valkey_url: str) -> Celery:
    """Its results are on another server, which lives on."""
    made = make_app(server.url, valkey_url)
    made.loader.import_default_modules()
    with made.connection_for_write() as connection:
        for queue in made.amqp.queues.values():
            queue(connection.default_channel).declare()
            queue(connection.default_channel).purge()
    return made


def failed(app: Celery, count: int) -> list[str]:
    """Results of tasks that failed, as a worker stores them."""
    ids = [uuid() for _ in range(count)]
    for number, task_id in enumerate(ids):
        meta = {
            "status": "FAILURE", "result": {"exc_type": "ValueError", "exc_message": ["no"]},
            "name": "tests.sleepy", "args": [number], "kwargs": {}, "queue": "hr",
        }  # fmt: skip
        app.backend.client.set(app.backend.get_key_for_task(task_id), app.backend.encode(meta), ex=600)
    return ids


def depth(app: Celery) -> int:
    return int(depths(app).set_index("queue")["ready"].fillna(0)["hr"])


def test_a_broker_that_dies_in_the_middle_of_a_bulk_action(app: Celery, server: Server) -> None:
    ids = failed(app, 5)
    plan = control.retry.plan(app, ids)
    assert len(plan.preview) == 5

    gone: list[float] = []

    def stop_after_two(done: int, _total: int) -> None:
        if done == 2:
            server.stop()
            gone.append(time.monotonic())

    try:
        with pytest.raises(ControlError, match=r"was not sent.*does not answer.*start the broker") as caught:
            control.apply(plan, progress=stop_after_two)
        assert time.monotonic() - gone[0] < 30, "it does not wait for ever"
    finally:
        server.start()
    receipt = book.read(caught.value.receipt or 0)
    assert receipt.state == "partly"
    assert receipt.outcome.startswith("2 of 5 done; broke off: tests.sleepy was not sent")
    assert set(receipt.after) == set(ids[:2])
    assert [step["target"] for step in receipt.steps] == ids[:2]
    assert [row["new_id"] for row in receipt.affected] == list(plan.preview["new_id"])
    assert wait_until(lambda: depth(app), 30, "the broker to be back") == 2
    rest = control.retry.plan(app, ids)
    assert list(rest.preview["id"]) == ids[2:], "what was sent is not sent again"
    assert control.apply(rest).state == "done"
    wait_until(lambda: depth(app) == 5, 10, "the others to be sent")


def test_a_broker_that_is_gone_between_plan_and_apply(app: Celery, server: Server) -> None:
    call = control.call.plan(app, "tests.sleepy", queue="hr")
    purge_of = failed(app, 1)
    retry = control.retry.plan(app, purge_of)
    app.send_task("tests.sleepy", queue="hr")
    wait_until(lambda: depth(app) == 1, 10, "it to wait")
    purge = control.purge.plan(app, "hr")
    server.stop()
    try:
        for plan in (call, retry, purge):
            with pytest.raises(ControlError, match="does not answer") as caught:
                control.apply(plan)
            receipt = book.read(caught.value.receipt or 0)
            assert (receipt.state, receipt.checked.verdict, receipt.undo) == ("failed", "unknown", None)
            assert "broke off: " in receipt.outcome
            assert str(receipt.id) in str(caught.value)
        for ask in (
            lambda: snapshot(app),
            lambda: control.revoke.plan(app, name="x"),
            lambda: control.pause.plan(app, "hr"),
            lambda: control.purge.plan(app, "hr"),
            lambda: control.limits.rate(app, "tests.sleepy", "1/s"),
        ):
            with pytest.raises(BrokerError, match="does not answer"):
                ask()
    finally:
        server.start()
    assert wait_until(lambda: depth(app), 30, "the broker to be back") == 1
    assert control.apply(control.call.plan(app, "tests.sleepy", queue="hr")).state == "done"


def test_a_worker_that_hangs_is_told_of_and_can_be_made_good(
    app: Celery, server: Server, valkey_url: str, tmp_path: Path
) -> None:
    with worker(server.url, valkey_url, tmp_path / "log", queues=("hr",), name="hangs") as node:
        fleet = snapshot(app, nodes=[node])
        plan = control.pause.plan(app, "hr", seen=fleet)
        pid = fleet.answers["stats"][node]["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(ControlError, match="no reply; silence is not death") as caught:
                control.apply(plan)
            revoke = control.revoke.plan(app, ["some-task"], seen=fleet, anyway=True)
            with pytest.raises(ControlError):
                control.apply(revoke)
            with pytest.raises(InputError, match=f"{node} does not reply"):
                control.pool.grow(app, [node])
        finally:
            os.kill(pid, signal.SIGCONT)
        receipt = book.read(caught.value.receipt or 0)
        assert (receipt.state, receipt.before) == ("failed", {"consumers": [node]})

        def consumes() -> bool:
            queues = app.control.inspect(destination=[node], timeout=5).active_queues()[node]
            return "hr" in {queue["name"] for queue in queues}

        # It had only not answered yet: what it was told takes effect, and there is a way back.
        wait_until(lambda: not consumes(), 20, "the worker to do what it was told")
        assert pauses.paused()["hr"] == [node]
        resumed = control.apply(control.resume.plan(app, "hr", nodes=[node]))
        assert resumed.verified
        assert consumes()


CRASH = """
import os, signal, sys
from tests.integration.workers import make_app
from zumolib import control
app = make_app(*sys.argv[1:3])
app.loader.import_default_modules()
def die(done, total):
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)
control.apply(control.retry.plan(app, sys.argv[3:]), progress=die, reason="crash")
"""


def test_a_process_that_is_killed_leaves_a_receipt_that_says_so(
    app: Celery, server: Server, valkey_url: str
) -> None:
    ids = failed(app, 4)
    done = subprocess.run(
        [sys.executable, "-c", CRASH, server.url, valkey_url, *ids],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    found = book.latest(limit=1).iloc[0]
    receipt = book.read(int(found["id"]))
    assert (receipt.action, receipt.reason, receipt.state) == ("retry", "crash", "started")
    assert receipt.finished_at is None
    assert "its process" in receipt.outcome
    assert "is gone, and how far it came is not known" in receipt.outcome
    # The ids were fixed beforehand, so what was sent can be found.
    new = [row["new_id"] for row in receipt.affected]
    assert len(new) == 4
    assert wait_until(lambda: depth(app), 10, "what was sent") == 2
    again = control.retry.plan(app, ids)
    assert again.preview.empty, "some may have been sent, so none is sent twice unasked"
    assert f"see receipt {receipt.id}" in again.refused["reason"][0]
