"""Folding in any steps, with any split of the events among them, is folding them all at once."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zumolib.history import History, events
from zumolib.history.manifest import newest

START = datetime(2026, 11, 16, 23, 59, 30, tzinfo=UTC)  # tasks cross midnight
WINDOW = (START - timedelta(days=40), START + timedelta(days=40))

KINDS = ("sent", "received", "started", "succeeded", "failed", "retried", "revoked", "rejected")
WORKERS = ("one@host", "two@host")


def told(kind: str, second: float, **more: Any) -> dict[str, Any]:
    at = START.timestamp() + second
    return {"type": f"task-{kind}", "uuid": "t", "timestamp": at, "hostname": "one@host", **more}


RUN = [told("sent", 0), told("received", 1), told("started", 2), told("succeeded", 3)]

# what comes after a run was settled | what is known then
LATE = [
    ([told("started", 200_000), told("succeeded", 200_005)], "SUCCESS"),  # it ran again two days later
    ([told("received", 3_700)], "SUCCESS"),
    ([told("sent", 3_700), told("failed", 3_800, exception="E()")], "FAILURE"),  # the same id again
    ([told("revoked", 5)], "REVOKED"),
    (RUN, "SUCCESS"),  # all of it twice
    ([told("received", 600_000, retries=1)], "SUCCESS"),
]


@pytest.mark.parametrize(("late", "state"), LATE)
def test_what_comes_after_a_task_settled_finds_its_record(
    tmp_path: Path, late: list[dict[str, Any]], state: str
):
    history = History(tmp_path)
    append(history, RUN)
    history.compact(START + timedelta(hours=1), at_once=True)
    assert list(tmp_path.glob("tasks/*/*.parquet"))
    at_once = History(tmp_path / "other")
    append(at_once, RUN + late)
    expected = at_once.tasks(*WINDOW)
    assert list(expected["state"]) == [state]
    append(history, late)
    pd.testing.assert_frame_equal(history.tasks(*WINDOW), expected)
    history.compact(START + timedelta(days=30), at_once=True)
    pd.testing.assert_frame_equal(history.tasks(*WINDOW), expected)
    assert sum(pq.read_metadata(path).num_rows for path in live(history)) == 1


def test_a_task_that_was_given_up_is_found_again(tmp_path: Path):
    history = History(tmp_path)
    append(history, RUN[:1])
    history.compact(START + timedelta(days=9), at_once=True)
    assert not list(tmp_path.glob("open/*"))
    append(history, [told("received", 20 * 86_400), told("started", 20 * 86_400)])
    [row] = history.tasks(*WINDOW).to_dict("records")
    assert (row["state"], row["sent"]) == ("STARTED", pd.Timestamp(START))
    history.compact(START + timedelta(days=21), at_once=True)
    assert len(history.tasks(*WINDOW)) == 1


def live(history: History) -> list[Path]:
    return [history.root / segment.name for segment in newest(history.place).segments]


@st.composite
def task_events(draw: st.DrawFn, number: int) -> list[dict[str, Any]]:
    """Some events of one task, in no order: whatever may come, and what cannot as well."""
    made_by_celery = draw(st.booleans())
    task_id = str(uuid.UUID(int=number)) if made_by_celery else f"task {number}"
    # Celery's own ids come from one sending; others may come again days later.
    seconds = st.sampled_from(
        [0, 1, 2, 3, 10, 30, 31, 50] if made_by_celery else [0, 1, 3_700, 200_000, 200_001]
    )
    found = []
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(KINDS))
        at = START.timestamp() + draw(seconds)
        event = {
            "type": f"task-{kind}", "uuid": task_id, "timestamp": at, "hostname": draw(st.sampled_from(WORKERS)),
        }  # fmt: skip
        if kind in ("sent", "received"):
            retries = draw(st.sampled_from([None, 0, 0, 1, 2, -1]))
            event |= {"name": draw(st.sampled_from(["a.b", "c.d", None])), "args": f"({draw(seconds)},)"}
            event |= {"retries": retries, "eta": draw(st.sampled_from([None, START.isoformat()]))}
        if kind == "sent":
            event["queue"] = draw(st.sampled_from(["hr", "ats", None]))
        if kind in ("failed", "retried"):
            event |= {"exception": draw(st.sampled_from(["E('x')", None])), "traceback": "…"}
        if kind == "rejected":
            event["requeue"] = draw(st.booleans())
        found.append(event)
    return found


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]], list[float]]:
    """The events of some tasks; how they arrive, some twice; and the hours at which they are folded."""
    whole = [
        event for number in range(draw(st.sampled_from([1, 2, 10]))) for event in draw(task_events(number))
    ]
    steps = draw(st.integers(1, 4))
    arrived: list[list[dict[str, Any]]] = [[] for _ in range(steps)]
    for event in whole:
        for step in draw(st.lists(st.integers(0, steps - 1), min_size=1, max_size=2)):
            arrived[step].append(event)
    # Soon: all is in flight yet. Later: what ended is settled. Much later: the rest is given up.
    hours = st.sampled_from([0.0, 0.02, 100.0, 24.0 * 30])
    return whole, arrived, [draw(hours) for _ in range(steps)]


def append(history: History, stream: list[dict[str, Any]]) -> None:
    history.append_events([events.row(event, event["timestamp"]) for event in stream])


@settings(max_examples=20, deadline=None)
@given(story=stories(), asked=st.booleans())
def test_any_steps_give_the_records_of_one_fold(
    story: tuple[list[dict[str, Any]], list[list[dict[str, Any]]], list[float]], asked: bool
):
    whole, arrived, hours = story
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        at_once, in_steps = History(Path(one)), History(Path(other))
        append(at_once, whole)
        expected = at_once.tasks(*WINDOW)
        assert expected["task_id"].is_unique
        for number, (stream, hour) in enumerate(zip(arrived, hours, strict=True)):
            append(in_steps, stream)
            if asked:  # what a question keeps in memory is taken up by the next one
                so_far = [event for part in arrived[: number + 1] for event in part]
                known = {event["uuid"] for event in so_far}
                found = in_steps.tasks(*WINDOW)
                assert found["task_id"].is_unique
                assert set(found["task_id"]) <= known
            in_steps.compact(START + timedelta(hours=hour), at_once=True)
        pd.testing.assert_frame_equal(in_steps.tasks(*WINDOW), expected)
        append(in_steps, [event for part in arrived for event in part])
        pd.testing.assert_frame_equal(in_steps.tasks(*WINDOW), expected)
        in_steps.compact(START + timedelta(days=60), at_once=True)
        pd.testing.assert_frame_equal(in_steps.tasks(*WINDOW), expected)
