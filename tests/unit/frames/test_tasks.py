"""Frames of tasks: small histories with known answers, and the recorded one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests import recorded
from tests.unit.frames.told import Told, write
from zumolib.errors import InputError
from zumolib.frames import tasks
from zumolib.frames.statements import GROUPS
from zumolib.frames.window import Window
from zumolib.history import History, events

WHOLE = Window(recorded.START, recorded.END)
NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)
HOUR = Window(NOON, NOON + timedelta(hours=1))
MOMENTS = ("sent", "eta", "expires", "received", "started", "finished")

FRAMES = {
    "records": tasks.records,
    "summary": tasks.summary,
    "latency": tasks.latency,
    "throughput": tasks.throughput,
    "failures": tasks.failures,
    "inflight": tasks.inflight,
}

# Names that are a path, SQL, HTML, a placeholder, a parameter, or nothing but odd.
HOSTILE = (
    "../../etc/passwd", "'; DROP TABLE tasks; --", "<script>alert(1)</script>", "{tasks}", "$start", "a\x00b",
    "☃ 雪 \U0001f680", "%s {0} \\", '"name"',
)  # fmt: skip


@pytest.fixture(scope="module")
def records(history: History) -> pd.DataFrame:
    return tasks.records(history, WHOLE)


# task | sent   | received | started | finished | in the window
# t0   | before |          |         | start    | yes: `start` belongs to it
# t1   | before |          |         | before   | no
# t2   | end    |          |         |          | no: `end` does not
# t3   | before | inside   |         |          | yes
# t4   | before | before   | inside  | after    | yes
# t5   | before | before   | before  | after    | no: nothing happened to it in the window
EDGES = [
    Told(NOON - timedelta(seconds=10), 1, 2, 10),
    Told(NOON - timedelta(seconds=10), 1, 2, 9.999999),
    Told(HOUR.end),
    Told(NOON - timedelta(seconds=10), 11),
    Told(NOON - timedelta(seconds=10), 1, 12, 7_000),
    Told(NOON - timedelta(seconds=10), 1, 2, 7_000),
]


def test_the_start_of_a_window_belongs_to_it_and_its_end_does_not(tmp_path: Path) -> None:
    history = write(tmp_path, EDGES)
    assert set(tasks.records(history, HOUR)["task_id"]) == {"t0", "t3", "t4"}
    assert tasks.latency(history, HOUR)["count"].sum() == 1, "latency is of what finished in the window"
    counted = tasks.throughput(history, HOUR, by=())[["sent", "received", "started", "finished"]].sum()
    assert counted.to_dict() == {"sent": 0, "received": 1, "started": 1, "finished": 1}
    at_end = tasks.inflight(history, HOUR).set_index("task_id")
    assert at_end["state"].to_dict() == {"t3": "RECEIVED", "t4": "STARTED", "t5": "STARTED"}
    assert at_end["age"].unique() == [3_610.0]
    assert "t2" in set(tasks.inflight(history, Window(NOON, HOUR.end + timedelta(seconds=1)))["task_id"])


def test_in_flight_is_what_nobody_heard_the_end_of_for_a_week(tmp_path: Path) -> None:
    day = timedelta(days=1)
    told = [
        Told(NOON - 8 * day, 1, 2),  # lost
        Told(NOON - 6 * day, 1),
        Told(NOON - 5 * day, 1, eta=6 * 86_400),  # due tomorrow
        Told(NOON - timedelta(hours=1), 1, 2, 9),
        Told(NOON - timedelta(minutes=1), name="waits"),
    ]
    frame = tasks.inflight(write(tmp_path, told), Window(NOON - timedelta(hours=1), NOON))
    assert frame["task_id"].tolist() == ["t1", "t2", "t4"]
    assert frame["state"].tolist() == ["RECEIVED", "RECEIVED", "PENDING"]
    assert frame["started"].isna().all()
    history = History(tmp_path)
    window = Window(NOON - timedelta(hours=1), NOON)
    assert tasks.inflight(history, window, oldest=1)["task_id"].tolist() == ["t1"]
    assert tasks.inflight(history, window, state="PENDING")["name"].tolist() == ["waits"]


def test_a_task_between_two_attempts_is_in_flight(tmp_path: Path) -> None:
    history = write(tmp_path, [Told(NOON, 1, 2)])
    event = {"type": "task-retried", "uuid": "t0", "timestamp": NOON.timestamp() + 3, "hostname": "w@one"}
    from zumolib.history import events

    history.append_events([events.row(event, event["timestamp"])])
    assert tasks.inflight(history, HOUR)["state"].tolist() == ["RETRY"]


@pytest.mark.parametrize("column", GROUPS)
def test_every_frame_keeps_what_a_filter_says(tmp_path: Path, column: str) -> None:
    one = {"name": "b", "queue": "b", "worker": "b", "state": "FAILURE", "entry": "b"}[column]
    ended = {"received": 1, "started": 2, "finished": 3, "exception": "ValueError()"}
    others = [Told(NOON, entry="a", **ended), Told(NOON, state="FAILURE", entry="a", **ended)]  # type: ignore[arg-type]
    kept = Told(NOON, **{"state": "FAILURE", **ended, column: one})  # type: ignore[arg-type]
    history = write(tmp_path, [*others, kept])
    expected = 2 if column == "state" else 1
    for wanted in (one, [one], (one, "none such")):
        only = {column: wanted}
        assert len(tasks.records(history, HOUR, **only)) == expected  # type: ignore[arg-type]
        assert tasks.summary(history, HOUR, **only)["count"].sum() == expected  # type: ignore[arg-type]
        assert tasks.headline(history, HOUR, **only)["tasks"] == expected  # type: ignore[arg-type]
        assert tasks.latency(history, HOUR, **only)["count"].sum() == expected  # type: ignore[arg-type]
        assert tasks.throughput(history, HOUR, **only)["finished"].sum() == expected  # type: ignore[arg-type]
        assert tasks.failures(history, HOUR, **only)["count"].sum() == expected  # type: ignore[arg-type]
    assert tasks.records(history, HOUR, **{column: []}).empty  # type: ignore[arg-type]
    assert len(tasks.records(history, HOUR, **{column: None})) == 3  # type: ignore[arg-type]


def test_a_filter_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match=r"colour='red': no such filter; filter by name, queue"):
        tasks.records(History(Path("nowhere")), HOUR, colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_name(tmp_path: Path, name: str) -> None:
    odd = Told(NOON, 1, 2, 3, name=name, queue=name, entry=name, state="FAILURE", exception=name)
    history = write(tmp_path, [odd, Told(NOON, 1, 2, 3)])
    stored = tasks.records(history, HOUR).set_index("task_id").loc["t0", "name"]
    for column in ("name", "queue", "entry"):
        only = {column: stored}
        assert tasks.records(history, HOUR, **only)["task_id"].tolist() == ["t0"]  # type: ignore[arg-type]
        frame = tasks.latency(history, HOUR, by=column, **only)  # type: ignore[arg-type]
        assert frame[column].tolist() == [stored]
        assert tasks.throughput(history, HOUR, by=column, **only)["sent"].sum() == 1  # type: ignore[arg-type]
    assert tasks.failures(history, HOUR)["example"].tolist() == [stored]
    assert len(tasks.inflight(history, Window(NOON, NOON + timedelta(seconds=2)), name=stored)) == 1


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "Asia/Kathmandu"])
def test_empty_frames_have_the_columns_and_dtypes_of_full_ones(
    history: History, tmp_path: Path, zone: str
) -> None:
    full = Window(WHOLE.start, WHOLE.end, zone)
    later = Window(WHOLE.end + timedelta(days=30), WHOLE.end + timedelta(days=31), zone)
    for name, ask in FRAMES.items():
        expected = ask(history, full).dtypes
        for nothing in (ask(history, later), ask(History(tmp_path / "none"), full)):
            assert nothing.empty, name
            pd.testing.assert_series_equal(nothing.dtypes, expected)
    assert tasks.headline(history, later)["tasks"] == 0
    assert tasks.headline(history, later)["slowest"] is None
    assert np.isnan(tasks.headline(history, later)["queue_wait_p95"])
    by_time = tasks.latency(history, later, by=("queue", "state"), step=timedelta(hours=1))
    assert by_time.empty
    assert by_time["at"].dtype == f"datetime64[us, {zone}]"


def test_times_are_shown_in_the_zone_of_the_window(history: History) -> None:
    utc = tasks.records(history, WHOLE)
    paris = tasks.records(history, Window(WHOLE.start, WHOLE.end, "Europe/Paris"))
    for column in MOMENTS:
        assert str(paris[column].dt.tz) == "Europe/Paris"
        pd.testing.assert_series_equal(paris[column].dt.tz_convert("UTC"), utc[column])


def test_records_load_what_is_asked_for(history: History, records: pd.DataFrame) -> None:
    frame = tasks.records(history, WHOLE, columns=["name", "sent"], newest=5)
    pd.testing.assert_frame_equal(frame, records[["name", "sent"]].tail(5).reset_index(drop=True))
    with pytest.raises(InputError, match=r"columns=\['colour'\]: a record has task_id"):
        tasks.records(history, WHOLE, columns=["colour"])


def test_latency_is_what_numpy_says(history: History, records: pd.DataFrame) -> None:
    frame = tasks.latency(history, WHOLE).set_index("name")
    name = "finance.tasks.sync_stripe_payments"
    own = records[records["name"].eq(name) & records["finished"].notna()]
    waits, runs = own["queue_wait"].dropna(), own["run_time"].dropna()
    assert frame.loc[name, "queue_wait_p95"] == pytest.approx(np.percentile(waits, 95))
    assert frame.loc[name, "run_time_p50"] == pytest.approx(np.percentile(runs, 50))
    assert frame.loc[name, "run_time_max"] == runs.max()
    assert frame.loc[name, "failure_share"] == pytest.approx(own["state"].eq("FAILURE").mean())


def test_latency_counts_every_ended_task_once(history: History, records: pd.DataFrame) -> None:
    ended = records["finished"].notna().sum()
    for by in ((), *GROUPS, ("queue", "state")):
        assert tasks.latency(history, WHOLE, by=by)["count"].sum() == ended
    assert tasks.latency(history, WHOLE, by="queue", step=timedelta(hours=1))["count"].sum() == ended


def test_latency_of_a_group_that_nobody_told_is_kept(tmp_path: Path) -> None:
    told = [Told(None, 0, 1, 2, since=NOON), Told(NOON, 1, 2, 3), Told(NOON, state="REVOKED", finished=1)]
    frame = tasks.latency(write(tmp_path, told), HOUR, by="queue").set_index("queue", drop=False)
    assert frame["count"].tolist() == [2, 1]
    unknown = frame[frame["queue"].isna()].iloc[0]
    assert unknown["run_time_p50"] == 1.0
    assert np.isnan(unknown["queue_wait_p50"]), "what was not told to be sent has no known wait"


def test_a_task_of_two_queues_has_two_rows_by_both(tmp_path: Path) -> None:
    history = write(tmp_path, [Told(NOON, 1, 2, 3, queue=queue) for queue in ("hr", "ats", "ats")])
    assert list(tasks.latency(history, HOUR)["count"]) == [3]
    both = tasks.latency(history, HOUR, by=("name", "queue"))
    assert both[["name", "queue", "count"]].to_numpy().tolist() == [["a.task", "ats", 2], ["a.task", "hr", 1]]


def test_latency_puts_the_longest_wait_first(history: History) -> None:
    assert tasks.latency(history, WHOLE)["queue_wait_p95"].dropna().is_monotonic_decreasing


def test_an_unknown_grouping_names_the_known_ones(history: History) -> None:
    for ask in (tasks.latency, tasks.throughput):
        with pytest.raises(InputError, match=r"by='colour'.*name, queue"):
            ask(history, WHOLE, by="colour")


def test_throughput_is_dense_and_adds_up(history: History, records: pd.DataFrame) -> None:
    frame = tasks.throughput(history, WHOLE, step=timedelta(hours=1))
    assert len(frame) == 48 * records["queue"].nunique()
    for moment in tasks.MOMENTS:
        inside = records[moment].between(WHOLE.start, WHOLE.end, inclusive="left")
        assert frame[moment].sum() == inside.sum()
    assert (frame["finished"] == 0).any(), "an hour in which nothing happened has a row too"
    hr = frame[frame["queue"].eq("hr")]
    assert hr["at"].is_monotonic_increasing


def test_summary_adds_up(history: History, records: pd.DataFrame) -> None:
    frame = tasks.summary(history, WHOLE)
    assert frame["count"].sum() == len(records)
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["state"].iloc[0] == "SUCCESS"


def test_headline(history: History, records: pd.DataFrame) -> None:
    numbers = tasks.headline(history, WHOLE)
    total = sum(numbers[key] for key in ("succeeded", "failed", "revoked", "unfinished"))
    assert numbers["tasks"] == len(records) == total
    assert numbers["revoked"] == 3  # what the operator revoked
    assert numbers["retried"] == records["retries"].gt(0).sum()
    assert numbers["queue_wait_p95"] == pytest.approx(np.percentile(records["queue_wait"].dropna(), 95))
    assert numbers["queue_wait_max"] == records["queue_wait"].max()
    assert numbers["slowest_queue"] == "notifications"  # when it ran slowly on Monday


def test_failures_of_the_outage(history: History, records: pd.DataFrame) -> None:
    frame = tasks.failures(history, WHOLE)
    assert frame["count"].sum() == records["state"].eq("FAILURE").sum()
    outage = frame[frame["error"].eq("ReadTimeout")]
    assert set(outage["queue"]) == {"payments"}
    assert outage["last"].max() < recorded.OUTAGE[1] + timedelta(hours=1)
    assert (frame["first"] <= frame["last"]).all()


# exception                          | class
@pytest.mark.parametrize(
    ("exception", "error"),
    [
        ("ValueError('no')", "ValueError"),
        ("  requests.exceptions.ReadTimeout(…)", "requests.exceptions.ReadTimeout"),
        ("Größenfehler('ä')", "Größenfehler"),
        ("<html>", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_class_of_a_failure(tmp_path: Path, exception: str | None, error: str) -> None:
    history = write(tmp_path, [Told(NOON, 1, 2, 3, state="FAILURE", exception=exception)])
    assert tasks.failures(history, HOUR)["error"].tolist() == [error]


def test_every_frame_tells_its_source_age_and_completeness(history: History) -> None:
    longer = Window(WHOLE.start, WHOLE.end + timedelta(hours=5))
    for ask in (*FRAMES.values(), tasks.headline):
        told = ask(history, longer).attrs  # type: ignore[operator]
        assert told["note"] == longer.note(history.coverage())
        assert (told["source"], told["taken"], told["complete"]) == ("recorded history", "stream", False)
        assert 5 * 3_600 < told["age"] < 5.1 * 3_600
    assert tasks.summary(history, WHOLE).attrs["complete"]


def _unknown_to_worker(task_id: str, name: str, at: datetime) -> dict[str, object]:
    """All that a worker tells of a task which it does not know."""
    return {
        "type": "task-failed", "uuid": task_id, "exception": f"NotRegistered({name!r})", "hostname": "w@one",
        "pid": 1, "timestamp": at.timestamp(),
    }  # fmt: skip


@pytest.mark.parametrize("folded", [False, True])
def test_tasks_that_no_worker_knows_have_their_names_from_the_error(tmp_path: Path, folded: bool) -> None:
    names = ["shop.tasks.gone", *(f"shop.tasks.gone_{n}" for n in range(9)), "it's odd"]
    history = History(tmp_path)
    sent = [*names, "shop.tasks.gone"]  # twelve tasks, eleven names
    found = [
        _unknown_to_worker(f"t{n}", name, NOON + timedelta(seconds=n + 1)) for n, name in enumerate(sent)
    ]
    history.append_events([events.row(event, event["timestamp"]) for event in found], source="stream")  # type: ignore[arg-type]
    if folded:
        history.compact(NOON + timedelta(hours=2), at_once=True)
    failures = tasks.failures(history, HOUR)
    assert dict(zip(failures["name"], failures["count"], strict=True)) == {
        "shop.tasks.gone": 2, **{f"shop.tasks.gone_{n}": 1 for n in range(9)}, names[-1]: 1,
    }  # fmt: skip
    assert len(tasks.records(history, HOUR, name="shop.tasks.gone")) == 2, "found by it"
