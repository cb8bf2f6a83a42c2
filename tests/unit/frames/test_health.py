"""What health says of recorders and of the history's files."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.frames.test_scheduled import NOON, entries
from tests.unit.frames.told import Told, write
from zumolib.frames import health
from zumolib.frames import schedule as health_schedule
from zumolib.frames.scheduled import Scheduled
from zumolib.history import History
from zumolib.recorder.state import State, StateFile
from zumolib.schedule.firings import Cron

NOW = datetime.now(UTC)


def say(folder: Path, name: str = "one", **said: object) -> datetime:
    """A recorder's state; returns when it was said."""
    state = State(name, os.getpid(), **{"state": "recording", "events_per_second": 7.5, **said})
    StateFile(folder, name).write(state)
    return datetime.fromisoformat(state.updated)


# what a recorder said, seconds until it is asked | state, detail, remedy
SAID = [
    ({}, 1, "ok", "records 7.5 events/s", ""),
    ({"lag_seconds": 0.25}, 1, "ok", "records 7.5 events/s, 250 ms behind", ""),
    ({"waiting": 20_000}, 1, "warning", "records 7.5 events/s, 20,000 events wait", "start a second"),
    ({"state": "stopped"}, 1, "down", "none runs", "zumo up"),
    (
        {"state": "cannot write", "reason": "/x: full; free space"},
        1,
        "down",
        "cannot write: /x: full",
        "free",
    ),
    ({}, 60, "down", "silent: nothing was heard of it for 60 s; process", "look at its log"),
]


@pytest.mark.parametrize(("said", "later", "state", "detail", "remedy"), SAID)
def test_a_recorder(
    tmp_path: Path, said: dict[str, object], later: int, state: str, detail: str, remedy: str
) -> None:
    at = say(tmp_path, **said) + timedelta(seconds=later)
    found = health.recorder(History(tmp_path), at)
    assert (found.component, found.state) == ("recorder", state)
    assert found.detail.startswith(detail)
    assert remedy in found.remedy


def test_several_recorders_are_told_together(tmp_path: Path) -> None:
    say(tmp_path, "one", lag_seconds=2.0)
    at = say(tmp_path, "two", lag_seconds=0.1)
    found = health.recorder(History(tmp_path), at)
    assert (found.state, found.detail) == ("ok", "records 15 events/s, 2 s behind")


def test_a_dead_recorder_is_no_trouble_beside_one_that_records_but_a_troubled_one_is(tmp_path: Path) -> None:
    at = say(tmp_path, "dead") + timedelta(minutes=5)
    path = tmp_path / "recorder-two.json"
    say(tmp_path, "two")
    path.write_text(path.read_text().replace(json.loads(path.read_text())["updated"], at.isoformat()))
    assert health.recorder(History(tmp_path), at).state == "ok"
    troubled = tmp_path / "recorder-three.json"
    troubled.write_text(
        json.dumps(
            json.loads(path.read_text()) | {"state": "broker down", "reason": "gone; wait", "name": "3"}
        )
    )
    found = health.recorder(History(tmp_path), at)
    assert (found.state, found.remedy) == ("warning", "wait")
    assert "3: broker down: gone" in found.detail


def test_a_file_that_is_no_recorders_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "recorder-odd.json").write_text('{"updated": 7}')
    assert health.recorder(History(tmp_path), NOW).detail == "none runs"


def test_files_are_shown_where_something_is_wrong_with_them(tmp_path: Path) -> None:
    history = write(tmp_path, [Told(NOW - timedelta(minutes=5), 1, 2, 3)])
    history.compact(NOW, at_once=True)
    assert health.files(history).state == "ok"
    [settled] = tmp_path.glob("tasks/*/*.parquet")
    settled.write_bytes(b"PAR1")
    found = health.files(history)
    assert (found.component, found.state) == ("history", "warning")
    assert "1 file is damaged" in found.detail
    assert found.remedy.startswith("look at the disk")


def test_the_beat_of_a_foreign_app_is_seen_by_name_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = entries(("quarterly", "a.task", Cron("*/15")))
    monkeypatch.setattr(health_schedule, "entries", lambda: known)
    at = NOON + timedelta(minutes=20)
    write(tmp_path, [Told(NOON + timedelta(minutes=15, seconds=1), 1, 2, 3)])
    assert health.beat(History(tmp_path), at).state == "down", "nobody told of a dispatch"
    found = health.beat(Scheduled(tmp_path, lambda: known), at)
    assert (found.state, found.detail) == ("ok", "last dispatch 5 min ago, by name and time")
    assert health.beat(Scheduled(tmp_path, lambda: known), at + timedelta(hours=1)).state == "down"
