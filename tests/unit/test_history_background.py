"""Folding, merging and letting go in the background: no row is lost or doubled, and few files stay."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.unit.lives import DAY, LATER, START, files, ids, life, sent
from zumolib.errors import InputError
from zumolib.history import History, events, manifest, place, tidying


def test_folding_and_merging_keep_every_row_at_every_instant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = History(tmp_path)
    for number in range(60):
        found.append_events(life(number) if number % 2 else life(number)[:1])
    expected = sorted(f"t{n}" for n in range(60))
    events_written = found.coverage().events
    looks = []

    def then_look(method: Callable[..., Any]) -> Callable[..., Any]:
        def act(*args: Any) -> Any:
            result = method(*args)
            # A reader of its own, at the moment when new and replaced files lie side by side.
            assert sorted(ids(History(tmp_path))) == expected
            assert History(tmp_path).coverage().events == events_written
            looks.append(method)
            return result

        return act

    for name in ("put", "claim", "delete"):
        monkeypatch.setattr(place.Folder, name, then_look(getattr(place.Folder, name)))
    for round_ in range(1, 5):
        expected = sorted({*expected, "t100"})
        events_written += round_
        found.append_events(life(100)[:round_])
        found.compact(LATER + timedelta(hours=round_), at_once=True)
    assert len(looks) > 20
    assert sorted(ids(found)) == expected
    assert len(files(tmp_path)) < tidying.FAN


@pytest.mark.parametrize("crash_at", range(16))
def test_a_crash_in_the_background_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash_at: int
):
    found = History(tmp_path)
    for number in range(20):
        found.append_events(life(number))
    before = found.tasks(START - DAY, START + DAY)
    steps = itertools.count()

    def or_crash(method: Callable[..., Any], late: bool) -> Callable[..., Any]:
        def act(*args: Any, **options: Any) -> Any:
            number = next(steps)
            if number == crash_at and not late:
                raise KeyboardInterrupt
            result = method(*args, **options)
            if number == crash_at:
                raise KeyboardInterrupt
            return result

        return act

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", or_crash(Path.rename, late=False))
        patch.setattr(place.os, "link", or_crash(os.link, late=crash_at % 2 == 0))
        patch.setattr(place.os, "fsync", or_crash(os.fsync, late=False))
        with contextlib.suppress(KeyboardInterrupt):
            for round_ in range(3):
                found.compact(LATER + timedelta(hours=round_), at_once=True)
                found.append_events(life(round_))
    assert next(steps) > crash_at
    after = History(tmp_path)
    pd.testing.assert_frame_equal(after.tasks(START - DAY, START + DAY), before)
    for round_ in range(4):
        after.compact(LATER + timedelta(hours=5 + round_), at_once=True)
    pd.testing.assert_frame_equal(after.tasks(START - DAY, START + DAY), before)
    later = datetime.now(UTC) + 2 * DAY
    tidying.sweep_orphans(after.place, manifest.newest(after.place), later)
    assert not list(tmp_path.rglob("*.part"))
    assert after.coverage().files == len(files(tmp_path)) + len(list(tmp_path.glob("open/*")))


def test_the_number_of_files_stays_bounded(tmp_path: Path):
    found = History(tmp_path)
    most = 0
    for number in range(400):
        found.append_events([sent(number)])
        if number % 10 == 9:
            found.compact(LATER + timedelta(hours=number), at_once=True)
            most = max(most, len(files(tmp_path)))
    assert most < 40
    found.compact(START + 30 * DAY + timedelta(days=365))
    assert found.coverage().events == 400


def test_a_week_of_recording_keeps_few_files(tmp_path: Path):
    found = History(tmp_path)
    most, number = 0, 0
    now = datetime.now(UTC)
    for step in range(7 * 8):
        at = now + timedelta(hours=3 * step)
        for _ in range(6):
            beat = {"type": "worker-heartbeat", "timestamp": at.timestamp(), "hostname": "w@one"}
            found.append_events(
                [*life(number, at - timedelta(seconds=number)), events.row(beat, at.timestamp())]
            )
            found.append_depths([{"at": at, "queue": "hr", "ready": 1}])
            number += 1
        found.compact(at + timedelta(hours=1))
        # What was folded in the round before is deleted by now; this round's own waits for its readers.
        most = max(most, sum(1 for _ in tmp_path.rglob("*.parquet")) - 12)
    assert most < 90
    assert len(found.tasks(now - DAY, now + 9 * DAY)) == number
    found.compact(now + 9 * DAY)
    found.compact(now + 10 * DAY)
    assert found.coverage().files <= 3 * 8


def test_retention_by_size_lets_the_oldest_days_go(tmp_path: Path):
    found = History(tmp_path)
    for back in range(5):
        found.append_events(life(back, START - back * DAY))
        found.append_depths([{"at": START - back * DAY, "queue": "hr", "ready": 1}])
    found.compact(LATER, at_once=True)
    size = found.coverage().bytes
    assert found.retain(days=90, gigabytes=size / 1e9, now=START) == []
    assert found.retain(days=90, gigabytes=size * 0.7 / 1e9, now=START) == [
        date(2026, 11, 12),
        date(2026, 11, 13),
    ]
    assert found.coverage().bytes <= size * 0.7
    found.retain(days=90, gigabytes=1e-9, now=START)
    assert ids(found, START - 9 * DAY) == ["t0"], "today stays"
    with pytest.raises(InputError, match="more than 0"):
        found.retain(days=90, gigabytes=0, now=START)


def test_retention_deletes_whole_days(tmp_path: Path):
    found = History(tmp_path)
    for back in range(5):
        at = START - back * DAY
        found.append_events([sent(back, at)])
        found.append_depths([{"at": at, "queue": "hr", "ready": 1, "unacked": None, "consumers": None}])
        found.append_aside([("x", "")], at=at)
    found.compact(LATER, at_once=True)
    assert found.retain(days=2, now=START) == [date(2026, 11, 12), date(2026, 11, 13), date(2026, 11, 14)]
    assert ids(found, START - 9 * DAY) == ["t1", "t0"]
    assert len(found.depths(START - 9 * DAY, START + DAY)) == 2
    assert len(list((tmp_path / "aside").iterdir())) == 2
    with pytest.raises(InputError, match="1 or more"):
        found.retain(days=0, now=START)
