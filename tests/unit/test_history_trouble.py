"""Trouble: killed at any instant, no space, no right to write, damaged manifests, clocks set back."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests import recorded
from zumolib.errors import HistoryError
from zumolib.history import History, events, place
from zumolib.history.manifest import newest

WINDOW = (recorded.START, recorded.END)
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)

# Folds and merges without end, each round half an hour after the one before, so that all there is to do
# in a day is done in a second.
TIDY = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zumolib.history import History
history, now = History(Path(sys.argv[1])), datetime.now(UTC)
while True:
    now += timedelta(minutes=30)
    history.compact(now, at_once=True)
    print(now, flush=True)
"""


def life(number: int) -> list[dict[str, Any]]:
    begin = recorded.START.timestamp() + 20 * number
    told = {"uuid": f"task {number}", "name": "a.b", "queue": "hr", "hostname": "w@one"}
    kinds = ("sent", "received", "started", "succeeded")
    return [
        events.row({**told, "type": f"task-{kind}", "timestamp": begin + n}, begin + n)
        for n, kind in enumerate(kinds)
    ]


def test_whoever_folds_may_be_killed_at_any_instant(tmp_path: Path):
    rng = random.Random(3)
    history = History(tmp_path)
    number = 0
    for _ in range(12):
        folder = subprocess.Popen([sys.executable, "-c", TIDY, str(tmp_path)], stdout=subprocess.PIPE)
        try:
            assert folder.stdout is not None
            folder.stdout.readline()  # it is at work
            until = time.monotonic() + rng.uniform(0.0, 0.4)
            while time.monotonic() < until:
                rows = [row for n in range(number, number + 10) for row in life(n)]
                rng.shuffle(rows)
                history.append_events(rows[:25])
                history.append_events(rows[20:])  # some of them twice
                number += 10
        finally:
            folder.send_signal(signal.SIGKILL)
            folder.communicate()
        found = history.tasks(recorded.START - HOUR, recorded.END + 40 * 24 * HOUR)
        assert found["task_id"].is_unique
        assert len(found) == number
        assert set(found["state"]) <= {"SUCCESS"}
    later = NOW + 60 * 24 * HOUR
    for round_ in range(3):
        history.compact(later + round_ * 6 * HOUR, at_once=True)
    found = History(tmp_path).tasks(recorded.START - HOUR, recorded.END + 40 * 24 * HOUR)
    assert sorted(found["task_id"]) == sorted(f"task {n}" for n in range(number))
    assert (found["run_time"] == 1.0).all()
    assert sum(s.rows for s in newest(history.place).of("tasks")) == number


def test_a_disk_without_space_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    history = recorded.make(tmp_path)
    expected = history.tasks(*WINDOW)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(place.os, "fsync", full)
        with pytest.raises(HistoryError, match=r"No space left on device.*free space"):
            history.compact(NOW, at_once=True)
    pd.testing.assert_frame_equal(history.tasks(*WINDOW), expected)
    assert not list(tmp_path.rglob("tasks/**/*.parquet"))
    history.compact(NOW, at_once=True)
    pd.testing.assert_frame_equal(history.tasks(*WINDOW), expected)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
def test_a_database_that_cannot_write_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    history = recorded.make(tmp_path)
    expected = history.tasks(*WINDOW)
    put = place.Folder.put

    def to_a_full_device(self: place.Folder, name: str, write: Any) -> int:
        return put(self, name, lambda _: write(Path("/dev/full")))

    with monkeypatch.context() as patch:
        patch.setattr(place.Folder, "put", to_a_full_device)
        with pytest.raises(HistoryError, match="No space left"):
            history.compact(NOW, at_once=True)
    pd.testing.assert_frame_equal(history.tasks(*WINDOW), expected)
    assert history.coverage().damaged == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder_can_be_read(tmp_path: Path):
    history = recorded.make(tmp_path)
    expected = history.tasks(*WINDOW)
    for folder in [tmp_path, *tmp_path.glob("*")]:
        folder.chmod(0o500)
    try:
        pd.testing.assert_frame_equal(History(tmp_path).tasks(*WINDOW), expected)
        with pytest.raises(HistoryError, match="make it writable"):
            history.compact(NOW, at_once=True)
    finally:
        for folder in [tmp_path, *tmp_path.glob("*")]:
            folder.chmod(0o700)


def test_a_deleted_folder_is_made_anew(tmp_path: Path):
    history = recorded.make(tmp_path / "history")
    history.compact(NOW, at_once=True)
    assert len(history.tasks(*WINDOW)) > 0
    shutil.rmtree(tmp_path / "history")
    assert history.tasks(*WINDOW).empty
    assert history.compact(NOW, at_once=True) == 0
    history.append_events(life(1))
    history.compact(NOW, at_once=True)
    assert list(history.tasks(*WINDOW)["task_id"]) == ["task 1"]


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"version": 1}', b"\xff\xfe", b'{"version": 1, "number": 7}']
)
def test_a_damaged_manifest_gives_way_to_the_one_before(tmp_path: Path, damage: bytes):
    history = History(tmp_path)
    for round_ in range(3):
        history.append_events(life(round_))
        history.compact(NOW + round_ * HOUR, at_once=True)
    last = max(tmp_path.glob("manifests/*.json"))
    last.write_bytes(damage)
    assert len(history.tasks(*WINDOW)) == 3, "what the damaged one had folded still waits as events"
    history.append_events(life(3))
    history.compact(NOW + 4 * HOUR, at_once=True)
    assert max(tmp_path.glob("manifests/*.json")) > last
    assert len(History(tmp_path).tasks(*WINDOW)) == 4


def test_lost_manifests_lose_no_records(tmp_path: Path):
    history = recorded.make(tmp_path)
    history.append_events([row for n in range(20) for row in life(n)[: 1 + n % 4]])
    for round_ in range(3):
        history.append_events(life(20 + round_))
        history.compact(recorded.END + round_ * HOUR, at_once=True)
    expected = history.tasks(*WINDOW)
    # What was replaced, and what was folded, is deleted at last; but for a file that came back.
    copy = max(tmp_path.glob("tasks/*/*.parquet"), key=lambda path: path.stat().st_size)
    history.compact(recorded.END + 9 * HOUR, at_once=True)
    copy.with_name("1-copy.parquet").write_bytes(copy.read_bytes())
    assert not list(tmp_path.glob("events/*.parquet"))
    shutil.rmtree(tmp_path / "manifests")
    for round_ in range(2):
        history.compact(recorded.END + (10 + round_) * HOUR, at_once=True)
        pd.testing.assert_frame_equal(history.tasks(*WINDOW), expected)
    assert not history.workers(*WINDOW).empty
    assert not history.depths(*WINDOW).empty


def test_a_clock_that_is_set_back_changes_nothing(tmp_path: Path):
    history = recorded.make(tmp_path)
    expected = history.tasks(*WINDOW)
    for at in (NOW, NOW - 90 * 24 * HOUR, recorded.START, NOW - HOUR, NOW + HOUR):
        history.compact(at, at_once=True)
        history.append_events(life(1)[:1])
        found = history.tasks(*WINDOW)
        pd.testing.assert_frame_equal(found[found["task_id"] != "task 1"].reset_index(drop=True), expected)
    assert history.coverage().damaged == ()


def test_a_manifest_of_a_later_version_is_refused(tmp_path: Path):
    history = recorded.make(tmp_path)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "000000000001.json").write_text('{"version": 99}')
    with pytest.raises(HistoryError, match="later version"):
        history.tasks(*WINDOW)


def test_a_folder_of_the_first_layout_is_folded_in(tmp_path: Path):
    history = recorded.make(tmp_path)
    expected = history.tasks(*WINDOW)
    day = tmp_path / "events" / "day=2026-11-16"
    day.mkdir()
    for path in tmp_path.glob("events/*.parquet"):
        path.rename(day / "120-0123456789abcdef.parquet")
    again = History(tmp_path)
    pd.testing.assert_frame_equal(again.tasks(*WINDOW), expected)
    for round_ in range(2):
        again.compact(NOW + round_ * HOUR, at_once=True)
    pd.testing.assert_frame_equal(again.tasks(*WINDOW), expected)
    assert not day.exists()
