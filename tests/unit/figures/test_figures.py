"""Each figure's finding, scale and labels; and its empty form."""

from __future__ import annotations

import math
import subprocess
import sys

import pandas as pd
import plotly.graph_objects as go
import pytest

from zumolib.figures import queues, schedule, tasks
from zumolib.frames import schedule as schedule_frames

NOTE = "Source: a test, as of 2026-11-18 00:00 UTC"


def title(figure: go.Figure) -> str:
    return figure.layout.title.text


def labels(figure: go.Figure) -> list[str]:
    return [annotation.text for annotation in figure.layout.annotations]


def test_depth_says_who_peaked_when(depths: pd.DataFrame) -> None:
    figure = queues.depth(depths, note=NOTE)
    assert title(figure) == (
        "<b>payments peaked at 1,540 messages on Wed 18 Nov at 00:00; the other 2 stayed at 4 or fewer</b>"
    )
    assert figure.layout.title.subtitle.text == NOTE


def test_depth_shows_the_zone_asked_for(depths: pd.DataFrame) -> None:
    figure = queues.depth(depths, zone="Europe/Paris")
    assert "at 01:00" in title(figure)
    assert pd.Timestamp(figure.data[0].x[0]).hour == 23


def test_depth_puts_the_deepest_on_top_and_labels_each_strip(depths: pd.DataFrame) -> None:
    figure = queues.depth(depths)
    assert [trace.name for trace in figure.data if trace.name] == ["payments", "emails", "hr"]
    assert "peak <b>1,540</b> at 00:00, last 0" in labels(figure)
    assert "empty throughout" in labels(figure)


def test_a_quiet_queue_looks_quiet(depths: pd.DataFrame) -> None:
    figure = queues.depth(depths)
    assert figure.layout.yaxis.range[1] > 1_540
    assert figure.layout.yaxis2.range[1] == queues.FLOOR


def test_a_pause_of_the_recorder_breaks_the_line(depths: pd.DataFrame) -> None:
    area, line = queues.depth(depths).data[:2]
    assert math.isnan(line.y[4])
    assert not line.connectgaps
    # Plotly fills across a gap from one of its sides to the other: the area lies on the ground there.
    assert line.fill is None
    assert area.fill == "tozeroy"
    assert area.y[4] == 0


@pytest.mark.parametrize(
    ("ready", "finding"),
    [
        ({"payments": [0, 0], "hr": [0, 0]}, "All 2 queues stayed empty"),
        ({"payments": [0, 0]}, "payments stayed empty"),
        ({"payments": [3, 0], "hr": [1, 0]}, "No queue had more than 3 messages waiting"),
        ({"payments": [3, 0]}, "payments peaked at 3 messages"),
        ({"payments": [30, 90], "hr": [50, 40]}, "payments and hr still had a backlog"),
    ],
)
def test_findings_about_depth(ready: dict[str, list[int]], finding: str) -> None:
    at = pd.date_range("2026-11-17 22:00", periods=2, freq="h", tz="UTC", unit="us")
    rows = [pd.DataFrame({"queue": q, "at": at, "ready": map(float, r)}) for q, r in ready.items()]
    assert finding in title(queues.depth(pd.concat(rows, ignore_index=True)))


def test_a_group_without_a_name_says_so(latency: pd.DataFrame) -> None:
    nameless = latency.assign(queue=[None, "ats", "default"])
    drawn = tasks.latency(nameless, by="queue")
    assert any("(unknown)" in label for label in drawn.data[1].y)


def test_a_name_that_stands_twice_is_told_with_its_queue(latency: pd.DataFrame) -> None:
    twice = pd.concat([latency, latency.head(1).assign(queue="hr")], ignore_index=True)
    labels = set(tasks.latency(twice).data[1].y)
    assert "finance.tasks.sync_stripe_payments · hr  <b>24×</b>" in labels
    assert "finance.tasks.sync_stripe_payments · payments  <b>24×</b>" in labels
    assert "ats.tasks.generate_sitemap  <b>1×</b>" in labels
    assert len(tasks.latency(latency.drop(columns="queue")).data) == 8, "a queue is not needed"


def test_latency_speaks_of_tasks_that_ran_often(latency: pd.DataFrame) -> None:
    assert title(tasks.latency(latency)) == (
        "<b>sync_stripe_payments waited longest, 4.1 s at p95, and ran longest, 3.0 s</b>"
    )
    seldom = latency[latency["count"] < tasks.OFTEN]
    assert "generate_sitemap waited longest, 1 min 20 s" in title(tasks.latency(seldom))
    quick = latency[latency["name"].str.endswith("health_check")]
    assert "No task waited over 1 s at p95" in title(tasks.latency(quick))


def test_latency_keeps_what_is_too_short_for_a_log_axis(latency: pd.DataFrame) -> None:
    figure = tasks.latency(latency)
    shown = [trace for trace in figure.data if trace.mode == "markers"]
    assert min(min(trace.x) for trace in shown) == tasks.LEAST
    assert "0 s" in shown[0].text


def test_latency_has_ticks_that_people_read(latency: pd.DataFrame) -> None:
    axis = tasks.latency(latency).layout.xaxis
    assert axis.type == "log"
    assert {"≤ 1 ms", "1 s", "1 min"} <= set(axis.ticktext)


def test_latency_tells_how_many_it_left_out(latency: pd.DataFrame) -> None:
    figure = tasks.latency(latency, top=2, note=NOTE)
    assert figure.layout.title.subtitle.text == f"{NOTE}; 1 more task waited less"
    assert len(figure.data[1].x) == 2


def test_states_name_every_outcome() -> None:
    frame = pd.DataFrame(
        {"state": ["SUCCESS", "FAILURE", "REVOKED"], "count": [995, 4, 1], "share": [0.995, 0.004, 0.001]}
    )
    assert title(tasks.states(frame)) == "<b>99.5 % of 1,000 tasks succeeded; 4 failed and 1 revoked</b>"


def test_density_writes_each_count_into_its_cell() -> None:
    at = pd.to_datetime(["2026-11-16 04:00", "2026-11-16 04:30", "2026-11-18 23:59"], utc=True).as_unit("us")
    frame = schedule_frames.density(pd.DataFrame({"at": at, "queue": "default"}))
    figure = schedule.density(frame, note=NOTE)
    assert "04:00 is most crowded, on Mon, with 2 firings; the quietest hour has 0" in title(figure)
    assert figure.data[0].text[0][4] == "2"
    assert figure.data[0].text[2][23] == "1"
    assert figure.data[0].text[6][0] == ""


def test_day_and_crowded_minutes() -> None:
    at = pd.to_datetime(
        ["2026-11-16 04:00:00", "2026-11-16 04:00:30", "2026-11-16 05:10:00"], utc=True
    ).as_unit("us")
    firings = pd.DataFrame({"at": at, "queue": ["hr", "ats", "hr"]})
    day = schedule.day(schedule_frames.by_hour(firings))
    assert title(day) == "<b>3 firings in the day; 04:00 is the most crowded hour with 2</b>"
    assert {trace.name for trace in day.data if trace.type == "bar"} == {"hr 2", "ats 1"}
    crowded = schedule.crowded(schedule_frames.crowded(firings))
    assert title(crowded) == "<b>At most 2 entries are due in one minute: Mon 04:00</b>"
    assert "ats 1, hr 1" in crowded.data[0].text[-1]


EMPTY = pd.DataFrame({c: [] for c in ("queue", "at", "ready", "state", "count", "share", "run_time_p50")})


@pytest.mark.parametrize(
    "figure",
    [
        queues.depth(EMPTY),
        tasks.latency(EMPTY),
        tasks.states(EMPTY),
        schedule.density(pd.DataFrame({"count": []})),
        schedule.day(EMPTY),
        schedule.crowded(EMPTY),
    ],
)
def test_without_data_a_figure_says_what_to_do_next(figure: go.Figure) -> None:
    assert "<b>zumo " in labels(figure)[0]


def test_figures_import_pandas_and_plotly_only() -> None:
    code = """
import sys
import zumolib.figures.queues, zumolib.figures.schedule, zumolib.figures.tables, zumolib.figures.tasks
foreign = ("celery", "django", "duckdb", "zumolib.conf", "zumolib.frames", "zumolib.history")
print([name for name in foreign if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
