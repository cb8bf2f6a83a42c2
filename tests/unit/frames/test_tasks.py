"""Frames of task records."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from tests import recorded
from zumolib.errors import InputError
from zumolib.frames import tasks
from zumolib.frames.window import Window
from zumolib.history import History


@pytest.fixture(scope="module")
def records(history: History) -> pd.DataFrame:
    return tasks.records(history, Window(recorded.START, recorded.END))


def test_records_of_a_queue(history: History, records: pd.DataFrame) -> None:
    hr = tasks.records(history, Window(recorded.START, recorded.END), queue="hr")
    assert set(hr["queue"]) == {"hr"}
    assert len(hr) == records["queue"].eq("hr").sum()


def test_latency_counts_every_task_once(records: pd.DataFrame) -> None:
    for by in tasks.GROUPS:
        assert tasks.latency(records, by=by)["count"].sum() == records[by].notna().sum()


def test_latency_is_what_numpy_says(records: pd.DataFrame) -> None:
    frame = tasks.latency(records).set_index("name")
    name = "finance.tasks.sync_stripe_payments"
    own = records[records["name"].eq(name)]
    waits, runs = own["queue_wait"].dropna(), own["run_time"].dropna()
    assert frame.loc[name, "queue_wait_p95"] == pytest.approx(np.percentile(waits, 95))
    assert frame.loc[name, "run_time_p50"] == pytest.approx(np.percentile(runs, 50))
    assert frame.loc[name, "run_time_max"] == runs.max()
    assert frame.loc[name, "queue"] == "payments"
    ended = own["state"].isin(tasks.FINAL).sum()
    assert frame.loc[name, "failure_share"] == pytest.approx(own["state"].eq("FAILURE").sum() / ended)


def test_latency_puts_the_longest_wait_first(records: pd.DataFrame) -> None:
    waits = tasks.latency(records)["queue_wait_p95"].dropna()
    assert waits.is_monotonic_decreasing


def test_latency_of_an_unknown_column_names_the_known_ones(records: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"by='colour'.*name, queue"):
        tasks.latency(records, by="colour")


def test_summary_adds_up(records: pd.DataFrame) -> None:
    frame = tasks.summary(records)
    assert frame["count"].sum() == len(records)
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["state"].iloc[0] == "SUCCESS"


def test_headline(records: pd.DataFrame) -> None:
    numbers = tasks.headline(records)
    total = sum(numbers[key] for key in ("succeeded", "failed", "revoked", "unfinished"))
    assert numbers["tasks"] == len(records) == total
    assert numbers["revoked"] == 3  # what the operator revoked
    assert numbers["queue_wait_max"] == records["queue_wait"].max()
    assert numbers["slowest_queue"] == "notifications"  # when it ran slowly on Monday


def test_failures_of_the_outage(records: pd.DataFrame) -> None:
    frame = tasks.failures(records)
    assert frame["count"].sum() == records["state"].eq("FAILURE").sum()
    outage = frame[frame["error"].eq("ReadTimeout")]
    assert set(outage["queue"]) == {"payments"}
    assert outage["last"].max() < recorded.OUTAGE[1] + timedelta(hours=1)


def test_no_tasks_give_empty_frames_of_the_same_columns(history: History, records: pd.DataFrame) -> None:
    nothing = tasks.records(
        history, Window(recorded.END + timedelta(days=3), recorded.END + timedelta(days=4))
    )
    assert list(tasks.latency(nothing).columns) == list(tasks.latency(records).columns)
    assert list(tasks.failures(nothing).columns) == list(tasks.failures(records).columns)
    assert tasks.summary(nothing).empty
    assert tasks.headline(nothing)["tasks"] == 0
    assert tasks.headline(nothing)["slowest"] is None
