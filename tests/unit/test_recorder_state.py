"""What a recorder says is there to read, on a full disk as well, and silence is told as silence."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from zumolib.cli.stack import _recorder
from zumolib.recorder import state as recorder_state
from zumolib.recorder.state import State, StateFile
from zumolib.web.metrics import Recorders


def said(folder: Path, seconds: float = 0) -> State:
    [state] = recorder_state.read(folder, datetime.now(UTC) + timedelta(seconds=seconds))
    return state


def test_what_was_written_is_read(tmp_path: Path):
    state = State("one", os.getpid(), state="cannot write", reason="<b>" * 1000, lag_seconds=0.5)
    StateFile(tmp_path / "new", "one").write(state)
    found = said(tmp_path / "new")
    assert found.reason == state.reason[: recorder_state.REASON_LIMIT]
    assert (found.state, found.lag_seconds, found.updated) == ("cannot write", 0.5, state.updated)
    assert (tmp_path / "new" / "recorder-one.json").stat().st_size == recorder_state.FILE_BYTES


def test_where_no_file_can_be_made_it_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = StateFile(tmp_path, "one")
    file.write(State("one", os.getpid(), state="recording"))

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    file.write(State("one", os.getpid(), state="cannot write", reason="the disk is full"))
    assert said(tmp_path).reason == "the disk is full"
    assert [path.name for path in tmp_path.iterdir()] == ["recorder-one.json"]


# whether its process lives, state, seconds since it said anything | what a reader is told
SILENCE = [
    (True, "recording", 5, "recording", ""),
    (True, "recording", 60, "silent", "lives, it was recording"),
    (False, "cannot write", 60, "silent", "is gone, it was cannot write: full"),
    (False, "stopped", 60, "stopped", "full"),
]


@pytest.mark.parametrize(("lives", "state", "seconds", "shown", "why"), SILENCE)
def test_silence_is_told(tmp_path: Path, lives: bool, state: str, seconds: float, shown: str, why: str):
    pid = os.getpid() if lives else 2**22 + 1
    reason = "" if state == "recording" else "full"
    StateFile(tmp_path, "one").write(State("one", pid, state=state, reason=reason))
    found = said(tmp_path, seconds)
    assert found.state == shown
    assert why in found.reason


def test_what_is_no_state_is_passed_over(tmp_path: Path):
    (tmp_path / "recorder-a.json").write_text("{")
    (tmp_path / "recorder-b.json").write_text("[1]")
    (tmp_path / "recorder-c.json").write_text(json.dumps({"name": "c", "pid": 1, "updated": "yesterday"}))
    (tmp_path / "recorder-d.json").write_text(
        json.dumps({"name": "d", "pid": 1, "updated": "2026-01-01T00:00:00+00:00", "new": 1})
    )
    assert [state.name for state in recorder_state.read(tmp_path, datetime.now(UTC))] == ["d"]
    assert recorder_state.read(tmp_path / "none", datetime.now(UTC)) == []


def test_status_shows_a_line_and_each_trouble(tmp_path: Path):
    state = State(
        "one", 1, state="cannot write", reason="no \x1b[31mspace", source="queue", depths="no broker"
    )
    state.events_per_second, state.lag_seconds, state.waiting, state.held = 1234.5, 0.75, 7, 20_000
    assert _recorder(vars(state)).splitlines() == [
        "recorder one: cannot write, 1,234.5 events/s from queue, last flush never, lag 0.8 s, 7 waiting, "
        "20,000 held, 0 dropped, 0 malformed, 0 reconnects",
        r"  no \x1b[31mspace",
        "  depths: no broker",
    ]


def test_a_queue_that_was_full_is_a_trouble(tmp_path: Path):
    state = State("one", 1, state="recording", overflow="2026-11-22T10:00:00.000+00:00")
    [_, trouble] = _recorder(vars(state)).splitlines()
    assert trouble.startswith("  overflow: the broker's queue of events was full at 2026-11-22T10:00:00")
    assert trouble.endswith("keep a recorder running")


def test_metrics_leave_out_what_is_not_known(tmp_path: Path):
    StateFile(tmp_path, "one").write(State("one", os.getpid(), state="recording", events=7, dropped=2))
    registry = CollectorRegistry()
    registry.register(Recorders(tmp_path))
    text = generate_latest(registry).decode()
    assert 'zumo_recorder_recording{recorder="one"} 1.0' in text
    assert 'zumo_recorder_events_total{recorder="one"} 7.0' in text
    assert 'zumo_recorder_dropped_total{recorder="one"} 2.0' in text
    assert "zumo_recorder_lag_seconds{" not in text
    assert "zumo_recorder_waiting_messages{" not in text
