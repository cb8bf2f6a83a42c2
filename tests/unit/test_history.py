"""The history on disk: what is written can be read, whole and once, whatever happened to the files."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests import recorded
from zumolib import events
from zumolib.errors import HistoryError, InputError
from zumolib.history import Coverage, History, aside, manifest, place, tidying, view

START = datetime(2026, 11, 16, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = datetime.now(UTC) + timedelta(hours=1)  # files are younger than this by more than the grace


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> History:
    return recorded.make(tmp_path_factory.mktemp("recorded"))


def sent(number: int, at: datetime = START) -> dict[str, object]:
    second = at.timestamp() + number
    event = {"type": "task-sent", "uuid": f"t{number}", "name": "a.b", "queue": "hr", "timestamp": second}
    return events.row(event, second)


def life(number: int, at: datetime = START) -> list[dict[str, object]]:
    """A task from its sending to its end."""
    begin = at.timestamp() + number
    told = {"uuid": f"t{number}", "name": "a.b", "hostname": "w@one"}
    return [
        events.row({**told, "type": f"task-{kind}", "timestamp": begin + n, **more}, begin + n)
        for n, (kind, more) in enumerate(
            [("sent", {"queue": "hr"}), ("received", {"args": "(1,)"}), ("started", {}), ("succeeded", {})]
        )
    ]


def ids(found: History, start: datetime = START - DAY, end: datetime = START + DAY) -> list[str]:
    return list(found.tasks(start, end)["task_id"])


def files(root: Path) -> list[Path]:
    return sorted([*root.glob("events/*.parquet"), *root.glob("tasks/day=*/*.parquet")])


def test_an_empty_history_gives_empty_frames_with_their_dtypes(tmp_path: Path):
    empty = History(tmp_path / "nothing")
    full = recorded.make(tmp_path / "something")
    for ask in (History.tasks, History.depths, History.workers):
        nothing = ask(empty, recorded.START, recorded.END)
        something = ask(full, recorded.START, recorded.END)
        assert nothing.empty
        assert not something.empty
        pd.testing.assert_series_equal(nothing.dtypes, something.dtypes)
        out_of_reach = ask(full, recorded.START - 30 * DAY, recorded.START - 29 * DAY)
        pd.testing.assert_series_equal(out_of_reach.dtypes, something.dtypes)
    assert empty.coverage() == Coverage(None, None, 0, 0, 0, None)
    assert not (tmp_path / "nothing").exists()


def test_the_recorded_history_is_the_same_at_every_run(two_days: History, tmp_path: Path):
    window = (recorded.START, recorded.END)
    frame = two_days.tasks(*window)
    pd.testing.assert_frame_equal(frame, recorded.make(tmp_path).tasks(*window))
    assert len(frame) == len(recorded.firings())
    assert frame["task_id"].is_unique
    assert set(frame["queue"]) == set(recorded.QUEUES)
    assert frame["sent"].is_monotonic_increasing
    assert set(frame["state"]) == {"SUCCESS", "FAILURE", "REVOKED"}
    coverage = two_days.coverage()
    assert coverage.first is not None
    assert coverage.last is not None
    assert recorded.START <= coverage.first < coverage.last < recorded.END
    assert (coverage.source, coverage.files) == ("stream", 2)


def test_a_window_takes_what_touches_it(two_days: History):
    begin, end = recorded.START + timedelta(hours=14), recorded.START + timedelta(hours=14, minutes=10)
    whole = two_days.tasks(recorded.START, recorded.END)
    touches = [
        whole[c].between(begin, end, inclusive="left") for c in ("sent", "received", "started", "finished")
    ]
    expected = whole[pd.concat(touches, axis=1).any(axis=1)].reset_index(drop=True)
    pd.testing.assert_frame_equal(two_days.tasks(begin, end), expected)
    # The slow queue: some were sent in the window and ended well after it.
    assert (expected["finished"] > end + timedelta(minutes=5)).any()


def test_a_task_that_spans_midnight_is_whole_from_both_days(tmp_path: Path):
    found = History(tmp_path)
    midnight = datetime(2026, 11, 17, tzinfo=UTC).timestamp()
    for kind, second in (("sent", -3 * 86_400), ("received", -1.0), ("started", 1.0), ("succeeded", 2.0)):
        event = {
            "type": f"task-{kind}",
            "uuid": "t",
            "name": "a",
            "queue": "hr",
            "timestamp": midnight + second,
        }
        found.append_events([events.row(event, midnight + second)])
    for moment in (-3 * 86_400, -1, 1):
        start = datetime.fromtimestamp(midnight + moment, UTC) - timedelta(seconds=0.5)
        [row] = found.tasks(start, start + timedelta(seconds=1)).to_dict("records")
        assert row["sent"] < row["received"] < row["started"] < row["finished"]


# filter | column that it is about
@pytest.mark.parametrize(
    ("filters", "column", "values"),
    [
        ({"queue": "payments"}, "queue", {"payments"}),
        ({"queue": ["payments", "hr"]}, "queue", {"payments", "hr"}),
        ({"state": ("FAILURE", "REVOKED")}, "state", {"FAILURE", "REVOKED"}),
        ({"name": "zumodra.celery.health_check"}, "name", {"zumodra.celery.health_check"}),
        ({"worker": "general@zumodra-2"}, "worker", {"general@zumodra-2"}),
    ],
)
def test_filters(two_days: History, filters: dict[str, object], column: str, values: set[str]):
    window = (recorded.START, recorded.END)
    whole = two_days.tasks(*window)
    expected = whole[whole[column].isin(values)].reset_index(drop=True)
    pd.testing.assert_frame_equal(two_days.tasks(*window, **filters), expected)  # type: ignore[arg-type]
    assert set(expected[column]) == values


@pytest.mark.parametrize("text", ["'; DROP TABLE event; --", "a{files}b", "$start"])
def test_a_filter_is_a_value_and_no_sql(two_days: History, text: str):
    assert two_days.tasks(recorded.START, recorded.END, name=text).empty


def test_a_folder_name_is_no_sql_and_no_pattern(tmp_path: Path):
    found = History(tmp_path / "it's a [folder] {files} *")
    found.append_events([sent(1)])
    assert ids(found) == ["t1"]


def test_a_window_without_a_zone_is_refused(two_days: History):
    with pytest.raises(InputError, match="zone"):
        two_days.tasks(datetime(2026, 11, 16), recorded.END)


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


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "page"])
def test_a_damaged_file_is_named_and_left_out(tmp_path: Path, damage: str):
    found = History(tmp_path)
    found.append_events([sent(n) for n in range(5)])
    [sound] = files(tmp_path)
    found.append_events([sent(n) for n in range(5, 500)])
    [bad] = set(files(tmp_path)) - {sound}
    content = bad.read_bytes()
    if damage == "page":
        # The footer is whole, so only reading the data finds it.
        offset = pq.read_metadata(bad).row_group(0).column(1).data_page_offset
        bad.write_bytes(content[:offset] + b"\xff" * 200 + content[offset + 200 :])
    else:
        bad.write_bytes({"truncated": content[:-100], "garbage": b"PAR1 is not enough", "empty": b""}[damage])
    again = History(tmp_path)
    assert ids(again) == [f"t{n}" for n in range(5)]
    again.compact(LATER, at_once=True)
    assert ids(again) == [f"t{n}" for n in range(5)]
    assert again.coverage().damaged == (str(bad.relative_to(tmp_path)),)


def test_a_file_that_goes_while_it_is_read_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = History(tmp_path)
    found.append_events([sent(1)])
    found.append_events([sent(2)])
    assert len(ids(found)) == 2
    view.forget()
    waiting = view.waiting

    def delete_first(*args: Any) -> Any:
        listed = waiting(*args)
        files(tmp_path)[0].unlink(missing_ok=True)
        monkeypatch.setattr(view, "waiting", waiting)
        return listed

    monkeypatch.setattr(view, "waiting", delete_first)
    assert ids(found) == ["t2"]
    assert found.coverage().damaged == ()


def test_a_settled_file_that_somebody_deleted_is_named_and_left_out(tmp_path: Path):
    found = History(tmp_path)
    found.append_events(life(1) + life(2, START - DAY))
    found.compact(LATER, at_once=True)
    [gone] = tmp_path.glob(f"tasks/day={START.date()}/*.parquet")
    gone.unlink()
    assert ids(found, START - 2 * DAY) == ["t2"]
    assert found.coverage().damaged == (str(gone.relative_to(tmp_path)),)
    found.append_events(life(1))
    found.compact(LATER, at_once=True)
    assert ids(History(tmp_path), START - 2 * DAY) == ["t2", "t1"]


def test_retention_deletes_whole_days(tmp_path: Path):
    found = History(tmp_path)
    for back in range(5):
        at = START - back * DAY
        found.append_events([sent(back, at)])
        found.append_depths([{"at": at, "queue": "hr", "ready": 1, "unacked": None, "consumers": None}])
        found.append_aside("x", at=at)
    found.compact(LATER, at_once=True)
    assert found.retain(days=2, now=START) == [date(2026, 11, 12), date(2026, 11, 13), date(2026, 11, 14)]
    assert ids(found, START - 9 * DAY) == ["t1", "t0"]
    assert len(found.depths(START - 9 * DAY, START + DAY)) == 2
    assert len(list((tmp_path / "aside").iterdir())) == 2
    with pytest.raises(InputError, match="1 or more"):
        found.retain(days=0, now=START)


def test_a_folder_that_cannot_be_written_says_which_and_what_to_do(tmp_path: Path):
    (tmp_path / "events").write_text("in the way")
    with pytest.raises(HistoryError, match=r"events.*cannot be written.*free space or make it writable"):
        History(tmp_path).append_events([sent(1)])


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = History(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(place.os, "fsync", full)
        with pytest.raises(HistoryError, match="No space left"):
            found.append_events([sent(1)])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    found.append_events([sent(1)])
    assert ids(found) == ["t1"]


def test_heartbeats_are_told_once(tmp_path: Path):
    found = History(tmp_path)
    at = START.timestamp()
    beat = {
        "type": "worker-heartbeat", "timestamp": at, "hostname": "w@one", "pid": 3, "freq": 2.0, "active": 1,
        "processed": 5, "loadavg": [0.5, 0, 0], "sw_ver": "5.7.0",
    }  # fmt: skip
    found.append_events([events.row(beat, at + 0.25), events.row(beat, at + 9)])
    [row] = found.workers(START, START + DAY).to_dict("records")
    assert (row["worker"], row["clock_offset"], row["load1"], row["processed"]) == ("w@one", 0.25, 0.5, 5)


def test_depths_keep_unknown_apart_from_none(tmp_path: Path):
    found = History(tmp_path)
    found.append_depths([{"at": START, "queue": "hr", "ready": 0, "unacked": None, "consumers": None}])
    [row] = found.depths(START, START + DAY, queue="hr").to_dict("records")
    assert row["ready"] == 0
    assert pd.isna(row["unacked"])


def test_what_is_kept_aside_cannot_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(aside, "BYTES", 50_000)
    found = History(tmp_path)
    kept = [found.append_aside(b"\xff" * 100_000, reason="no event", at=START) for _ in range(20)]
    assert kept[0]
    assert not kept[-1]
    assert (tmp_path / "aside" / "2026-11-16.jsonl").stat().st_size < 130_000


def test_many_threads_ask_at_once(two_days: History):
    windows = [
        (recorded.START + timedelta(hours=h), recorded.START + timedelta(hours=h + 1)) for h in range(8)
    ]
    alone = [two_days.tasks(*window) for window in windows]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda window: two_days.tasks(*window), windows))
    for one, other in zip(alone, together, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_any_task(tmp_path: Path) -> None:
    history = History(tmp_path)
    assert not history.any_task()
    beat = {"type": "worker-heartbeat", "hostname": "w@h", "timestamp": 1_763_800_000.0}
    history.append_events([events.row(beat, 1_763_800_000.0)])
    assert not history.any_task(), "a heartbeat is no task"
    sent = {"type": "task-sent", "uuid": "1", "name": "t", "hostname": "h", "timestamp": 1_763_800_001.0}
    history.append_events([events.row(sent, 1_763_800_001.0)])
    assert history.any_task()
