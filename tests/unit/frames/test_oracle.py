"""Frames against pandas: random tasks, windows, filters, groupings and steps, reckoned the slow way."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.frames.told import Told, write
from zumolib.frames import tasks
from zumolib.frames.statements import GROUPS
from zumolib.frames.window import Window

ZONES = ("UTC", "Europe/Paris", "Asia/Kathmandu", "America/New_York")
STEPS = tuple(timedelta(minutes=m) for m in (5, 15, 120, 360, 1_440))
CHANGE = datetime(2026, 10, 25, tzinfo=UTC)  # clocks in Paris go back at 01:00 UTC, in New York a week later
NAMES = ("a", "b", "a.b", "'; --", "é")

moments = st.integers(-40 * 60, 40 * 60).map(lambda minute: CHANGE + timedelta(minutes=minute))
waits = st.floats(0, 7_200).map(lambda seconds: round(seconds, 6))


@st.composite
def told(draw: st.DrawFn) -> Told:
    """A task of which much, little or only a part is known."""
    reached = draw(st.integers(0, 3))
    stages = np.cumsum([draw(waits) for _ in range(3)]).round(6).tolist()
    received, started, finished = (
        stage if number < reached and draw(st.integers(0, 9)) else None for number, stage in enumerate(stages)
    )
    at = draw(moments)
    is_told = received is None or draw(st.booleans())
    return Told(
        sent=at if is_told else None,
        since=at,
        received=received,
        started=started,
        finished=finished,
        name=draw(st.sampled_from(NAMES)),
        queue=draw(st.sampled_from(("hr", "ats"))),
        worker=draw(st.sampled_from(("w@one", "w@two"))),
        state=draw(st.sampled_from(("SUCCESS", "SUCCESS", "FAILURE", "REVOKED"))),
        entry=draw(st.sampled_from((None, "daily"))),
        exception=draw(st.sampled_from(("ValueError('x')", "a.b.Error()", None))),
    )


windows = st.builds(
    lambda start, minutes, zone: Window(start, start + timedelta(minutes=minutes), zone),
    moments,
    st.integers(1, 60 * 60),
    st.sampled_from(ZONES),
)
filters = st.fixed_dictionaries(
    {},
    optional={
        "name": st.lists(st.sampled_from(NAMES), max_size=2),
        "queue": st.sampled_from(("hr", "ats", "none such")),
        "worker": st.just("w@one"),
        "state": st.lists(st.sampled_from(("SUCCESS", "FAILURE", "REVOKED")), min_size=1, max_size=2),
        "entry": st.just("daily"),
    },
)
groupings = st.lists(st.sampled_from(GROUPS), max_size=3, unique=True)


def kept(records: pd.DataFrame, wanted: dict[str, Any]) -> pd.DataFrame:
    for column, values in wanted.items():
        records = records[records[column].isin([values] if isinstance(values, str) else values)]
    return records


def buckets(times: pd.Series, step: timedelta) -> pd.Series:
    """pandas floors on the wall clock; of a time that is told twice, the first."""
    first = np.ones(len(times), dtype=bool)
    if step >= timedelta(hours=1):
        return times.dt.floor(step, ambiguous=first, nonexistent="shift_forward")
    # All offsets of these zones are whole quarters of an hour.
    return times.dt.tz_convert("UTC").dt.floor(step).dt.tz_convert(times.dt.tz)


def as_rows(frame: pd.DataFrame, columns: list[str]) -> dict[tuple[Any, ...], pd.Series]:
    values = [frame[c].astype(object).where(frame[c].notna(), None) for c in columns]
    keys = list(zip(*values, strict=True)) if columns else [()] * len(frame)
    return {key: frame.iloc[position] for position, key in enumerate(keys)}


@settings(max_examples=25, deadline=None)
@given(st.lists(told(), max_size=25), windows, filters, groupings, st.sampled_from(STEPS), st.booleans())
def test_frames_say_what_pandas_says(
    some: list[Told],
    window: Window,
    wanted: dict[str, Any],
    by: list[str],
    step: timedelta,
    settled: bool,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = write(Path(folder), some)
        if settled:
            history.compact(datetime.now(UTC), at_once=True)
        everything = tasks.records(
            history, Window(CHANGE - timedelta(days=9), CHANGE + timedelta(days=9), window.zone)
        )
        assert len(everything) == len(some)
        records = kept(everything, wanted)
        inside = pd.DataFrame(
            {m: records[m].between(window.start, window.end, inclusive="left") for m in tasks.MOMENTS}
        )

        touched = records[inside.any(axis=1)]
        found = tasks.records(history, window, **wanted)
        pd.testing.assert_frame_equal(found, touched.reset_index(drop=True))

        summary = tasks.summary(history, window, **wanted)
        assert (
            dict(zip(summary["state"], summary["count"], strict=True))
            == touched["state"].value_counts().to_dict()
        )

        numbers = tasks.headline(history, window, **wanted)
        assert numbers["tasks"] == len(touched)
        assert numbers["retried"] == touched["retries"].gt(0).sum()
        np.testing.assert_allclose(numbers["queue_wait_max"], touched["queue_wait"].max())

        ended = records[inside["finished"]]
        check_latency(tasks.latency(history, window, by=by, **wanted), ended, by)
        timed = ended.assign(at=buckets(ended["finished"], step))
        check_latency(tasks.latency(history, window, by=by, step=step, **wanted), timed, ["at", *by])

        failed = tasks.failures(history, window, **wanted)
        assert failed["count"].sum() == ended["state"].eq("FAILURE").sum()

        flow = tasks.throughput(history, window, by=by, step=step, **wanted)
        for moment in tasks.MOMENTS:
            own = records[inside[moment]]
            own = own.assign(at=buckets(own[moment], step))
            counted = {key: row[moment] for key, row in as_rows(flow, ["at", *by]).items() if row[moment]}
            assert counted == own.groupby([own["at"], *by], dropna=False).size().pipe(_counts)

        begun = everything[["sent", "received", "started"]].min(axis=1) < window.end
        going = everything["finished"].isna() | (everything["finished"] >= window.end)
        heard = everything[["sent", "received", "started"]].max(axis=1) >= window.end - tasks.FORGOTTEN
        assert set(tasks.inflight(history, window)["task_id"]) == set(
            everything[begun & going & heard]["task_id"]
        )


def _counts(sizes: pd.Series) -> dict[tuple[Any, ...], int]:
    frame = sizes.rename("n").reset_index()
    return {key: int(row["n"]) for key, row in as_rows(frame, list(frame.columns[:-1])).items()}


def check_latency(found: pd.DataFrame, ended: pd.DataFrame, columns: list[str]) -> None:
    rows = as_rows(found, columns)
    assert len(rows) == len(found)
    groups: dict[tuple[Any, ...], pd.DataFrame] = {}
    if len(ended):
        keys = ended[columns].astype(object).where(ended[columns].notna(), None)
        for position, key in enumerate(keys.itertuples(index=False, name=None)):
            groups.setdefault(key, []).append(position)  # type: ignore[attr-defined]
    assert rows.keys() == groups.keys()
    for key, positions in groups.items():
        own = ended.iloc[positions]
        row = rows[key]
        assert row["count"] == len(own)
        assert row["failures"] == own["state"].eq("FAILURE").sum()
        assert row["failure_share"] == row["failures"] / row["count"]
        for duration in tasks.DURATIONS:
            values = own[duration].dropna()
            for quantile in (50, 90, 95, 99, 100):
                shown = row[f"{duration}_{'max' if quantile == 100 else f'p{quantile}'}"]
                expected = np.percentile(values, quantile) if len(values) else np.nan
                np.testing.assert_allclose(shown, expected, rtol=1e-9, atol=1e-9)
