"""Trouble with disk, clock and senders: the recorder says what it is, and keeps what can be kept."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kombu
import pandas as pd
import pytest
from celery import Celery

from tests.integration import tiny
from tests.services.valkey import Valkey
from tests.waiting import wait_until
from zumolib.history import History, events
from zumolib.recorder import dispatcher as dispatch
from zumolib.recorder import state as recorder_state
from zumolib.recorder.daemon import Recorder
from zumolib.recorder.sources.clock import Clock
from zumolib.recorder.state import State

NASTY = [
    "../../etc/passwd",
    "/dev/null",
    "tasks'; DROP TABLE tasks; --",
    "$name {files} %s {{7*7}}",
    "<script>alert('x')</script>",
    "line\nbreak\x00\x1b[31m",
]


@pytest.fixture
def app(valkey_server: Valkey) -> Celery:
    made = tiny.make(valkey_server.url)
    with made.connection_for_read() as connection, connection.default_channel.conn_or_acquire() as client:
        client.flushall()
    return made


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def remounted(disk: Path, how: str) -> bool:
    done = subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], capture_output=True, check=False)
    return done.returncode == 0


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as sink:
        while True:
            sink.write(bytes(4096))


def tasks(folder: Path) -> pd.DataFrame:
    now = datetime.now(UTC)
    return History(folder).tasks(now - timedelta(hours=1), now + timedelta(hours=1))


def recorded(folder: Path, task_id: str) -> bool:
    return task_id in set(tasks(folder)["task_id"])


def told(folder: Path, later: float = 0) -> State | None:
    """What `zumo status` would say so many seconds from now."""
    states = recorder_state.read(folder, datetime.now(UTC) + timedelta(seconds=later))
    return states[0] if states else None


def tells(folder: Path, state: str, later: float = 0) -> bool:
    said = told(folder, later)
    return said is not None and said.state == state


@contextmanager
def recording(app: Celery, folder: Path, **options: Any) -> Iterator[Recorder]:
    stop = threading.Event()
    found = Recorder(app, History(folder), interval=0.1, depth_interval=0.5, name="one", **options)
    thread = threading.Thread(target=found.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: tells(folder, "recording"), 30, "it records")
        yield found
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


def publish(app: Celery, *messages: object) -> None:
    with app.connection_for_write() as connection, connection.default_channel.conn_or_acquire() as client:
        for message in messages:
            client.execute_command("XADD", dispatch.STREAM, "*", dispatch.FIELD, json.dumps(message))


def test_a_full_disk_is_told_and_nothing_is_lost(app: Celery, disk: Path) -> None:
    folder = disk / "history"
    with recording(app, folder) as found:
        before = app.tasks["tiny.double"].delay(1).id
        wait_until(lambda: recorded(folder, before), 20, "there is room at first")
        filler = disk / "filler"
        with pytest.raises(OSError, match="space"):
            fill(filler)
        sent = [app.tasks["tiny.double"].delay(n).id for n in range(50)]
        wait_until(lambda: tells(folder, "cannot write"), 20, "the state is told on the full disk itself")
        said = told(folder)
        assert said is not None
        assert "No space left on device" in said.reason
        assert "free space" in said.reason
        wait_until(
            lambda: bool((state := told(folder)) and state.depths), 20, "the samples' trouble is told as well"
        )
        filler.unlink()
        wait_until(lambda: recorded(folder, sent[-1]), 20, "all goes on")
        wait_until(lambda: tells(folder, "recording"), 20, "and is well")
        wait_until(lambda: not found.state.depths, 20, "samples as well")
    assert {before, *sent} <= set(tasks(folder)["task_id"])
    assert found.state.dropped == 0


def test_a_disk_that_turns_read_only_is_told_as_silence_and_nothing_is_lost(app: Celery, disk: Path) -> None:
    folder = disk / "history"
    with recording(app, folder) as found:
        wait_until(lambda: remounted(disk, "ro"), 20, "no file is being written at that moment")
        task_id = app.tasks["tiny.double"].delay(1).id
        wait_until(lambda: found.state.state == "cannot write", 20, "it notices")
        # No file there can be changed, that of its state as little as any other.
        said = told(folder, later=40)
        assert said is not None
        assert said.state == "silent"
        assert f"lives, it was recording; look at its log and whether {folder} can be written" in said.reason
        assert remounted(disk, "rw")
        wait_until(lambda: recorded(folder, task_id), 20, "all goes on")
        wait_until(lambda: tells(folder, "recording"), 20, "and is told")
    assert found.state.dropped == 0


def test_a_deleted_folder_is_made_anew(app: Celery, tmp_path: Path) -> None:
    folder = tmp_path / "history"
    with recording(app, folder):
        first = app.tasks["tiny.double"].delay(1).id
        wait_until(lambda: recorded(folder, first), 20, "the first is recorded")
        folder.rename(tmp_path / "gone")
        shutil.rmtree(tmp_path / "gone")
        second = app.tasks["tiny.double"].delay(2).id
        wait_until(lambda: recorded(folder, second), 20, "what comes after is recorded")
        wait_until(lambda: tells(folder, "recording"), 20, "and told")
    assert not recorded(folder, first)


def test_a_clock_that_is_set_back_refuses_no_event(app: Celery, tmp_path: Path) -> None:
    back = [0.0]
    with recording(
        tiny.make(app.conf.broker_url, events="celery.app.events:Events"),
        tmp_path,
        clock=Clock(lambda: time.time() - back[0]),
    ) as found:

        def sent_and_seen(number: int) -> bool:
            # Pub/sub, where this machine's clock tells when events came. What comes too early is not heard.
            task_id = f"{number}-{time.monotonic()}"
            send(task_id)
            return bool(tasks(tmp_path)["task_id"].str.startswith(f"{number}-").any())

        send = broadcaster(app)
        wait_until(lambda: sent_and_seen(1), 20, "events are heard")
        back[0] = 3 * 86_400.0
        wait_until(lambda: sent_and_seen(2), 20, "events are still taken")
        wait_until(lambda: "was set back" in found.state.reason, 20, "the clock is told")
        assert found.state.state == "recording"
        assert found.state.malformed == 0
        back[0] = 0.0
        wait_until(lambda: sent_and_seen(3) and not found.state.reason, 20, "all is well again")


def broadcaster(app: Celery) -> Any:
    dispatcher = Celery(broker=app.conf.broker_url, set_as_current=False).events.Dispatcher(
        kombu.Connection(app.conf.broker_url)
    )
    return lambda task_id: dispatcher.send("task-sent", uuid=task_id, name="x")


def test_hostile_events_are_rows_like_others_or_kept_aside(app: Celery, tmp_path: Path) -> None:
    now = time.time()
    folder = tmp_path / "deep" / "history"

    def event(**fields: object) -> dict[str, object]:
        return {"type": "task-sent", "timestamp": now, "hostname": "evil@one", "queue": "tiny", **fields}

    hostile = [event(uuid=f"nasty-{n}", name=name) for n, name in enumerate(NASTY)]
    hostile += [event(uuid=name, name="id") for name in NASTY]
    hostile += [
        event(uuid="long", name="long", args="x" * 100_000, kwargs="é" * 100_000, extra="y" * 100_000)
    ]
    with recording(app, folder) as found:
        publish(app, *hostile, hostile, event(uuid="x" * 300), event(uuid="a", timestamp="soon"), 7)
        last = app.tasks["tiny.double"].delay(1).id
        wait_until(lambda: recorded(folder, last), 20, "the next event is recorded")
        wait_until(lambda: found.state.malformed == 3, 20, "what is no event is counted")
        wait_until(
            lambda: History(folder).compact(datetime.now(UTC), at_once=True) >= 0, 20, "files are merged"
        )
    frame = tasks(folder).set_index("task_id")
    assert [frame.loc[f"nasty-{n}", "name"] for n in range(len(NASTY))] == NASTY
    assert set(NASTY) <= set(frame.index)
    assert len(frame.loc["long", "args"]) == len(frame.loc["long", "kwargs"]) == events.TEXT_LIMIT
    assert frame.index.is_unique
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep"]
    said = told(folder)
    assert said is not None
    assert said.malformed == 3
    [aside] = (folder / "aside").iterdir()
    assert len(aside.read_text().splitlines()) == 3
