"""The fold: any order, duplication, loss or delay of a task's events gives what is known, no more."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zumolib.history import History, events

START = datetime(2026, 11, 16, 12, tzinfo=UTC)
END = START + timedelta(hours=1)


def event(kind: str, second: float, **fields: Any) -> dict[str, Any]:
    worker = "producer@one" if kind == "sent" else "worker@two"
    return {
        "type": f"task-{kind}", "timestamp": START.timestamp() + second, "uuid": "t", "hostname": worker,
        "pid": 1, **fields,
    }  # fmt: skip


def described(retries: int = 0, eta: float | None = None) -> dict[str, Any]:
    at = None if eta is None else (START + timedelta(seconds=eta)).isoformat()
    return {"name": "a.b", "args": "(1,)", "kwargs": "{}", "retries": retries, "eta": at, "root_id": "t"}


SUCCESS = [
    event("sent", 1, queue="ats", **described()),
    event("received", 2, **described()),
    event("started", 5),
    event("succeeded", 9, runtime=3.9, result="3"),
]
RETRIED = [
    event("sent", 1, queue="ats", **described()),
    event("received", 2, **described()),
    event("started", 3),
    event("sent", 4, queue="ats", **described(1, eta=64)),
    event("retried", 4.1, exception="OSError()", traceback="…"),
    event("received", 4.2, **described(1, eta=64)),
    event("started", 65),
    event("failed", 66.5, exception="ValueError('x')", traceback="Traceback"),
]


def fold_all(stream: list[dict[str, Any]], *, files: int = 1, delay: float = 0.1) -> list[dict[str, Any]]:
    """The records of a stream of events that is written in several files."""
    with TemporaryDirectory() as folder:
        history = History(Path(folder))
        rows = [events.row(e, e["timestamp"] + delay) for e in stream]
        for part in range(files):
            if rows[part::files]:
                history.append_events(rows[part::files])
        found = history.tasks(START, END)
    return found.astype(object).where(found.notna(), None).to_dict("records")


def fold(stream: list[dict[str, Any]], *, files: int = 1, delay: float = 0.1) -> dict[str, Any]:
    """The one record of one task's events."""
    [record] = fold_all(stream, files=files, delay=delay)
    return record


def second(moment: pd.Timestamp | None) -> float | None:
    return None if moment is None else (moment - START).total_seconds()


def times(record: dict[str, Any]) -> list[float | None]:
    return [second(record[column]) for column in ("sent", "eta", "received", "started", "finished")]


def test_a_plain_success():
    record = fold(SUCCESS)
    assert times(record) == [1, None, 2, 5, 9]
    assert (record["state"], record["queue"], record["worker"]) == ("SUCCESS", "ats", "worker@two")
    assert (record["queue_wait"], record["run_time"], record["retries"]) == (4, 4, 0)
    assert record["exception"] is None


def test_a_retried_task_is_its_last_attempt():
    record = fold(RETRIED)
    assert times(record) == [4, 64, 4.2, 65, 66.5]
    assert (record["state"], record["retries"], record["exception"]) == ("FAILURE", 1, "ValueError('x')")
    assert (record["queue_wait"], record["run_time"]) == (1, 1.5)


# state and times (sent, eta, received, started, finished) after the first n events of RETRIED
PROGRESS = [
    (1, "PENDING", [1, None, None, None, None]),
    (2, "RECEIVED", [1, None, 2, None, None]),
    (3, "STARTED", [1, None, 2, 3, None]),
    (5, "RETRY", [4, 64, None, None, None]),
    (6, "RECEIVED", [4, 64, 4.2, None, None]),
    (7, "STARTED", [4, 64, 4.2, 65, None]),
    (8, "FAILURE", [4, 64, 4.2, 65, 66.5]),
]


@pytest.mark.parametrize(("count", "state", "expected"), PROGRESS)
def test_a_record_in_flight_says_how_far_it_is(count: int, state: str, expected: list[float | None]):
    record = fold(RETRIED[:count])
    assert (record["state"], times(record)) == (state, expected)


# other ends | state, started, finished
ENDS = [
    ([event("revoked", 3, terminated=False, expired=False)], "REVOKED", None, 3),
    ([event("rejected", 3, requeue=False)], "REJECTED", None, 3),
    ([event("rejected", 3, requeue=True)], "REJECTED", None, None),
    ([event("rejected", 3, requeue=True), event("received", 4, **described())], "RECEIVED", None, None),
    # Delivered again after its worker died: the start that belongs to the end counts.
    ([event("started", 3), event("started", 33), event("succeeded", 34)], "SUCCESS", 33, 34),
    # Delivered again after it had ended: it has ended.
    ([event("started", 3), event("succeeded", 4), event("started", 33)], "SUCCESS", 3, 4),
]


@pytest.mark.parametrize(("tail", "state", "started", "finished"), ENDS)
def test_other_ends(tail: list[dict[str, Any]], state: str, started: float | None, finished: float | None):
    record = fold(SUCCESS[:2] + tail)
    assert (record["state"], second(record["started"]), second(record["finished"])) == (
        state,
        started,
        finished,
    )


def test_a_producers_clock_that_is_ahead_gives_no_negative_wait():
    record = fold([event("sent", 8, queue="ats", **described()), *SUCCESS[1:]])
    assert record["queue_wait"] == 0
    assert record["state"] == "SUCCESS"


def test_without_a_sent_event_queue_and_wait_are_unknown():
    record = fold(SUCCESS[1:])
    assert (record["queue"], record["queue_wait"], record["run_time"]) == (None, None, 4)


@settings(max_examples=25, deadline=None)
@given(
    stream=st.sampled_from([SUCCESS, RETRIED]),
    data=st.data(),
    files=st.integers(1, 3),
    delay=st.floats(0.0, 80_000.0),
)
def test_order_duplicates_files_and_delays_change_nothing(
    stream: list[dict[str, Any]], data: st.DataObject, files: int, delay: float
):
    doubled = data.draw(st.lists(st.sampled_from(stream), max_size=5))
    shuffled = data.draw(st.permutations(stream + doubled))
    assert fold(shuffled, files=files, delay=delay) == fold(stream)


@pytest.mark.parametrize("stream", [SUCCESS, RETRIED], ids=["success", "retried"])
def test_a_lost_event_leaves_its_fields_empty_and_invents_none(stream: list[dict[str, Any]]):
    whole = fold(stream)
    subsets = [kept for n in range(1, len(stream)) for kept in itertools.combinations(stream, n)]
    named = [[{**e, "uuid": str(number)} for e in kept] for number, kept in enumerate(subsets)]
    records = {record["task_id"]: record for record in fold_all(list(itertools.chain(*named)))}
    for number, kept in enumerate(subsets):
        record = records.get(str(number))
        if {e["type"] for e in kept} == {"task-retried"}:
            assert record is None  # of its four times none is known, so it is in no window
            continue
        assert record is not None
        moments = {round(e["timestamp"] - START.timestamp(), 3) for e in kept}
        for column in ("sent", "received", "started", "finished"):
            assert second(record[column]) in moments | {None}
        if any(e["type"] in ("task-succeeded", "task-failed") for e in kept):
            assert record["state"] == whole["state"]
            assert record["finished"] == whole["finished"]
        for column in ("queue_wait", "run_time"):
            assert record[column] is None or record[column] >= 0
