"""The history on disk: what is written can be read, whole and once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests import recorded
from tests.unit.lives import DAY, START, ids, sent
from zumolib.errors import InputError
from zumolib.history import Coverage, History, aside, events


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> History:
    return recorded.make(tmp_path_factory.mktemp("recorded"))


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
    kept = [
        found.append_aside([(b"\xff" * 100_000, "no event")] * count, at=START) for count in (1, 5, 20, 1)
    ]
    assert kept[:2] == [1, 0]
    file = tmp_path / "aside" / "2026-11-16.jsonl"
    assert len(file.read_text().splitlines()) == sum(kept)
    assert file.stat().st_size < 130_000


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
