"""The recorder against real brokers and a real worker: nothing that was sent is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import kombu
import pandas as pd
import pytest
from celery import Celery

from tests.integration import tiny
from tests.services.processes import end, process
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey
from tests.waiting import wait_until
from zumolib.errors import HistoryError, InputError
from zumolib.history import History
from zumolib.masking import KEYS
from zumolib.recorder import dispatcher
from zumolib.recorder.daemon import Recorder
from zumolib.recorder.sources import queue

Server = Valkey | RabbitMQ


@pytest.fixture(scope="module", params=["valkey", "rabbitmq"])
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


def finished(folder: Path) -> int:
    frame = tasks(folder)
    return int(frame["finished"].notna().sum())


def state(folder: Path, name: str = "one") -> dict[str, object]:
    try:
        return dict(json.loads((folder / f"recorder-{name}.json").read_text()))
    except FileNotFoundError:
        return {}


def recorder(server: Server, folder: Path, name: str = "one"):  # type: ignore[no-untyped-def]
    log = folder.with_name("recorder.log")
    return process(["tests.integration.record", server.url, str(folder), name], log)


@contextmanager
def recording(app: Celery, folder: Path, **options: object) -> Iterator[Recorder]:
    """A recorder in a thread of this process."""
    stop = threading.Event()
    found = Recorder(app, History(folder), **{"interval": 0.1, "name": "one", **options})  # type: ignore[arg-type]
    thread = threading.Thread(target=found.run, args=(stop,))
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_killed_stopped_and_cut_off_it_loses_nothing(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "history"
    app = tiny.make(server.url)
    send = app.tasks["tiny.double"].delay
    celery = ["celery", "-A", "tests.integration.tiny", "worker", "-c", "2", "-E", "-l", "warning"]
    sent = []
    with process(celery, tmp_path / "worker.log", {"TINY_BROKER": server.url}):
        with recorder(server, folder) as first:
            # RabbitMQ keeps events for recorders from the first recorder's first connection on.
            wait_until(lambda: state(folder).get("state") == "recording", 40, "the first recorder is there")
            sent += [send(n).id for n in range(20)]
            wait_until(lambda: finished(folder) >= 20, 40, "the first tasks are recorded")
            sent += [send(n).id for n in range(150)]
            began = int(state(folder)["events"])  # type: ignore[call-overload]
            wait_until(lambda: int(state(folder)["events"]) > began, 20, "some of the stream is on disk")  # type: ignore[call-overload]
            first.kill()
            first.wait()
        sent += [send(n).id for n in range(50)]  # nobody records
        with recorder(server, folder) as second:
            wait_until(lambda: finished(folder) >= len(sent), 40, "what came meanwhile is recorded")
            server.stop()
            wait_until(lambda: state(folder)["state"] == "broker down", 20, "the recorder notices")
            server.start()
            sent += [send(n).id for n in range(50)]
            wait_until(lambda: finished(folder) >= len(sent), 60, "it goes on after the restart")
            end(second)
        assert state(folder)["state"] == "stopped"
    frame = tasks(folder)
    assert sorted(frame["task_id"]) == sorted(sent)
    assert set(frame["state"]) == {"SUCCESS"}
    assert set(frame["queue"]) == {"tiny"}
    assert frame[["sent", "received", "started", "finished", "queue_wait", "run_time"]].notna().all(axis=None)
    coverage = History(folder).coverage()
    assert coverage.source == ("stream" if isinstance(server, Valkey) else "queue")
    assert coverage.damaged == ()
    now = datetime.now(UTC)
    hour = (now - timedelta(hours=1), now)
    assert set(History(folder).depths(*hour)["queue"]) == {"tiny"}
    heartbeats = History(folder).workers(*hour)
    assert heartbeats["worker"].nunique() == 1
    assert heartbeats["processed"].max() > 0


def test_a_retried_task_is_one_record(server: Server, tmp_path: Path) -> None:
    app = tiny.make(server.url)
    celery = ["celery", "-A", "tests.integration.tiny", "worker", "-P", "solo", "-E", "-l", "warning"]
    with (
        recording(app, tmp_path),
        process(celery, tmp_path / "worker.log", {"TINY_BROKER": server.url}),
    ):
        task_id = app.tasks["tiny.fragile"].delay().id

        def failed() -> bool:
            frame = tasks(tmp_path)
            return "FAILURE" in set(frame.loc[frame["task_id"] == task_id, "state"])

        wait_until(failed, 40, "the second attempt failed")
    frame = tasks(tmp_path)
    [row] = frame[frame["task_id"] == task_id].to_dict("records")
    assert row["retries"] == 1
    assert row["exception"] == "ValueError('out of luck')"
    assert row["eta"] is not pd.NaT
    assert row["started"] >= row["eta"]
    assert 0 <= row["queue_wait"] < 5


def test_nothing_secret_reaches_the_disk(server: Server, tmp_path: Path) -> None:
    """Neither a default key's value nor that of a key of one's own, in events or in what is none."""
    app = tiny.make(server.url)
    with recording(app, tmp_path, masked_keys=(*KEYS, "salary")) as found:
        wait_until(lambda: found.state.state == "recording", 20, "it records")
        app.send_task("any", (1,), {"password": "t0ps3cret", "salary": "98765"}, task_id="told")
        publish_raw(server, b'{"token": "t0ps3cret"}')
        wait_until(
            lambda: "told" in set(tasks(tmp_path)["task_id"]) and found.state.malformed,
            20,
            "both are recorded",
        )
    [row] = tasks(tmp_path).to_dict("records")
    assert row["kwargs"] == "{'password': '***', 'salary': '***'}"
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [content for content in files if b"t0ps3cret" in content or b"98765" in content]


def test_what_is_no_event_is_kept_aside(server: Server, tmp_path: Path) -> None:
    app = tiny.make(server.url)
    good = {
        "type": "task-sent",
        "uuid": "good",
        "timestamp": datetime.now(UTC).timestamp(),
        "name": "<b>'; --",
    }
    with recording(app, tmp_path) as found:
        wait_until(lambda: found.state.state == "recording", 20, "it records")
        publish_raw(server, b"{no json")
        publish_raw(server, json.dumps([{"type": "task-sent"}, 7, good]).encode())
        wait_until(lambda: "good" in set(tasks(tmp_path)["task_id"]), 20, "the good event is recorded")
    assert found.state.malformed == 3
    [aside] = (tmp_path / "aside").iterdir()
    assert [json.loads(line)["raw"] for line in aside.read_text().splitlines()] == [
        "{no json",
        '{"type":"task-sent"}',
        "7",
    ]


def publish_raw(server: Server, body: bytes) -> None:
    with kombu.Connection(server.url) as connection:
        if isinstance(server, Valkey):
            with connection.default_channel.conn_or_acquire() as client:
                client.execute_command("XADD", dispatcher.STREAM, "*", dispatcher.FIELD, body)
        else:
            producer = kombu.Producer(connection, exchange=kombu.Exchange("celeryev", "topic"))
            producer.publish(
                body, routing_key="task.sent", content_type="application/json", content_encoding="utf-8"
            )


def test_an_unwritable_folder_is_waited_for_and_nothing_is_let_go(server: Server, tmp_path: Path) -> None:
    app = tiny.make(server.url)
    in_the_way = tmp_path / "events"
    in_the_way.write_text("a file where the folder of events belongs")
    with recording(app, tmp_path) as found:
        wait_until(lambda: found.state.source is not None, 20, "RabbitMQ has a queue for it")
        task_id = app.tasks["tiny.double"].delay(1).id
        wait_until(lambda: state(tmp_path).get("state") == "cannot write", 20, "it says that it cannot write")
        assert str(in_the_way) in str(state(tmp_path)["reason"])
        in_the_way.unlink()
        wait_until(lambda: task_id in set(tasks(tmp_path)["task_id"]), 20, "the event is recorded after all")
        wait_until(lambda: state(tmp_path)["state"] == "recording", 20, "all is well again")
        assert found.state.dropped == 0


def test_a_second_recorder_of_the_same_name_refuses(valkey_server: Valkey, tmp_path: Path) -> None:
    app = tiny.make(valkey_server.url)
    with recording(app, tmp_path) as found:
        wait_until(lambda: found.state.state == "recording", 20, "it records")
        with pytest.raises(HistoryError, match="another name"):
            Recorder(app, History(tmp_path), name="one").run(threading.Event())
    with pytest.raises(InputError, match="file name"):
        Recorder(app, History(tmp_path), name="../one")


def test_an_app_without_the_dispatcher_is_recorded_by_pubsub(valkey_server: Valkey, tmp_path: Path) -> None:
    app = tiny.make(valkey_server.url, events="celery.app.events:Events")
    with recording(app, tmp_path) as found:
        wait_until(lambda: found.state.state == "recording", 20, "it records")

        def sent_and_seen() -> bool:
            # The subscription needs a moment, and what is sent before it is lost: that is its nature.
            app.tasks["tiny.double"].delay(1)
            return len(tasks(tmp_path)) > 0

        wait_until(sent_and_seen, 20, "an event is recorded")
    assert History(tmp_path).coverage().source == "pubsub"


def test_the_entry_that_fired_is_recorded(server: Server, tmp_path: Path) -> None:
    app = tiny.make(server.url)
    with recording(app, tmp_path) as found:
        wait_until(lambda: found.state.state == "recording", 20, "it records")
        headers = {"periodic_task_name": "nightly"}
        task_id = app.tasks["tiny.double"].apply_async((1,), headers=headers).id
        wait_until(lambda: task_id in set(tasks(tmp_path)["task_id"]), 20, "the event is recorded")
    frame = tasks(tmp_path).set_index("task_id")
    assert frame.loc[task_id, "entry"] == "nightly"
    assert frame.loc[task_id, "state"] == "PENDING"


def test_a_queue_that_was_full_is_told(
    rabbitmq_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dispatcher, "MAXLEN", 20)
    monkeypatch.setattr(queue, "QUEUE", "celeryev.zumo.small")
    app = tiny.make(rabbitmq_url)
    with recording(app, tmp_path / "first") as found:
        wait_until(lambda: found.state.state == "recording", 20, "it records, and the queue is there")
        app.tasks["tiny.double"].delay(0)
        wait_until(lambda: found.state.events > 0, 20, "an event is recorded")
    assert found.state.overflow is None
    sent = [app.tasks["tiny.double"].delay(number).id for number in range(30)]
    with recording(app, tmp_path / "second") as found:
        wait_until(
            lambda: sent[-1] in set(tasks(tmp_path / "second")["task_id"]), 20, "what was kept is there"
        )
    assert sent[0] not in set(tasks(tmp_path / "second")["task_id"]), "the oldest was dropped"
    assert found.state.overflow is not None
    assert state(tmp_path / "second")["overflow"] == found.state.overflow
    with kombu.Connection(rabbitmq_url) as connection:
        connection.default_channel.queue_delete(queue.QUEUE)
