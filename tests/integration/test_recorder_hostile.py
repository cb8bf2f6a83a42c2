"""Ten thousand hostile messages between good ones: nothing stops a recorder, and every good event is recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kombu
import pytest
from amqp import Message as AmqpMessage

from tests.integration import hostile
from tests.integration.hostile import Sent
from tests.services.processes import process
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey
from tests.waiting import wait_until
from zumolib.history import History
from zumolib.recorder import dispatcher

GOOD = 10_000
HOSTILE = 10_000  # and the large ones


@pytest.fixture(scope="module", params=["valkey", "rabbitmq"])
def server(request: pytest.FixtureRequest) -> Iterator[Valkey | RabbitMQ]:
    found: Valkey | RabbitMQ = Valkey() if request.param == "valkey" else RabbitMQ()
    try:
        found.start()
        yield found
    finally:
        found.remove()


def publish(server: Valkey | RabbitMQ, messages: Iterator[Sent]) -> None:
    """Put messages where a recorder takes events from, as they are."""
    with kombu.Connection(server.url) as connection:
        channel = connection.default_channel
        if isinstance(server, Valkey):
            key = dispatcher.stream_key(channel)
            with channel.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
                for number, sent in enumerate(messages, 1):
                    pipe.execute_command("XADD", key, "*", dispatcher.FIELD, sent.body)
                    if number % 500 == 0:
                        pipe.execute()
                pipe.execute()
            return
        for sent in messages:
            headers = {"compression": sent.compression} if sent.compression else {}
            properties = {"content_type": sent.content_type, "content_encoding": sent.encoding}
            message = AmqpMessage(sent.body, application_headers=headers, **properties)
            channel.basic_publish(message, exchange="celeryev", routing_key="task.sent")


def state(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "recorder-one.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def recording(server: Valkey | RabbitMQ, folder: Path, log: Path) -> Any:
    return process(["tests.integration.record", server.url, str(folder), "one"], log)


def recorded(folder: Path) -> set[str]:
    now = datetime.now(UTC)
    found = History(folder).tasks(now - timedelta(hours=1), now + timedelta(hours=1))
    return {task for task in found["task_id"] if task.startswith("good-")}


@pytest.mark.timeout(280)
def test_every_good_event_is_recorded_and_nothing_stops(server: Valkey | RabbitMQ, tmp_path: Path) -> None:
    folder, log = tmp_path / "history", tmp_path / "recorder.log"
    wanted = {f"good-{number:05d}" for number in range(GOOD)}
    with recording(server, folder, log) as child:
        wait_until(lambda: state(folder).get("state") == "recording", 60, "it records")
        publish(server, hostile.mixed(GOOD, GOOD // HOSTILE, time.time()))
        # All in the queue, good or not, is taken and settled; and it is one and the same process throughout.
        wait_until(
            lambda: state(folder).get("waiting") == 0 and recorded(folder) == wanted, 120, "all are recorded"
        )
        said = state(folder)
        assert child.poll() is None
        assert said["pid"] == child.pid
        assert (said["state"], said["reconnects"], said["dropped"]) == ("recording", 0, 0)
        assert said["malformed"] > HOSTILE / 3
        aside = [json.loads(line) for line in next((folder / "aside").glob("*.jsonl")).open()]
        reasons = " ".join(line["reason"] for line in aside)
        for part in (
            "levels",
            "parts",
            "bytes; at most",
            "events; at most",
            "a key of",
            "no usable timestamp",
        ):
            assert part in reasons, part
        if isinstance(server, RabbitMQ):
            assert "unpacks to more than" in reasons
            assert "unknown compression" in reasons
        assert "hunter2" not in reasons
        # A gzip of 100 MB, five megabytes of text and 100,000 levels left no mark on its memory either.
        peak = int(Path(f"/proc/{child.pid}/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
        assert peak < 900, f"{peak} MiB"


def test_a_poisoned_stream_is_taken_in_by_the_next_recorder(
    server: Valkey | RabbitMQ, tmp_path: Path
) -> None:
    """What killed an earlier recorder's work is still pending when the next one comes."""
    folder, now = tmp_path / "history", time.time()
    with recording(server, folder, tmp_path / "one.log") as child:
        wait_until(lambda: state(folder).get("state") == "recording", 60, "it records")
        publish(server, iter([*hostile.large(now), hostile.good("good-00001", now)]))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    with recording(server, folder, tmp_path / "two.log"):
        wait_until(lambda: recorded(folder) == {"good-00001"}, 60, "what was pending is taken in")
        wait_until(lambda: state(folder).get("waiting") == 0, 30, "nothing is left")
        assert state(folder)["state"] == "recording"


@pytest.mark.parametrize("moment", ["at rest", "under load", "without its broker"])
def test_it_ends_when_it_is_told_to(moment: str, server: Valkey | RabbitMQ, tmp_path: Path) -> None:
    folder = tmp_path / "history"
    with recording(server, folder, tmp_path / "recorder.log") as child:
        wait_until(lambda: state(folder).get("state") == "recording", 60, "it records")
        stop = threading.Event()
        if moment == "under load":

            def load() -> None:
                while not stop.is_set():
                    publish(server, hostile.mixed(400, 2, time.time()))

            loading = threading.Thread(target=load, daemon=True)
            loading.start()
            wait_until(lambda: state(folder).get("malformed", 0) > 50, 60, "the load to be seen")
        elif moment == "without its broker":
            server.stop()
            wait_until(lambda: state(folder).get("state") == "broker down", 60, "it notices")
        try:
            child.send_signal(signal.SIGTERM)
            assert child.wait(timeout=15) in (0, -signal.SIGTERM)
        except subprocess.TimeoutExpired:
            pytest.fail("it did not end")
        finally:
            stop.set()
            if moment == "under load":
                loading.join(30)
            elif moment == "without its broker":
                server.start()
