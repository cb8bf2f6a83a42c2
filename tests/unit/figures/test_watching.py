"""The findings of the figures and tables of the watching notebooks."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import pytest

from zumolib.figures import objectives, queues, tables, times, workers

HOSTILE = "<script>alert(1)</script>%{x}\x1b[2J" + "x" * 1_000_000


def title(figure: go.Figure) -> str:
    return figure.layout.title.text


def slower(**changed: object) -> pd.DataFrame:
    row = {
        "name": "a.task", "queue": "hr", "count": 9, "count_before": 9, "p50": 6.0, "p50_before": 2.0, "p95": 9.0,
        "p95_before": 3.0, "times": 3.0, "added": 4.0,
    }  # fmt: skip
    return pd.DataFrame([row | changed])


def kept(**changed: object) -> pd.DataFrame:
    row = {
        "queue": "payments", "within": 5.0, "target": 0.95, "count": 100, "met": 90, "share": 0.9, "late": 10,
        "allowed": 5.0, "budget": -1.0,
    }  # fmt: skip
    return pd.DataFrame([row | changed])


def backlog(**changed: object) -> pd.DataFrame:
    row = {
        "queue": "payments", "ready": 1540, "unacked": None, "consumers": 0, "rate_in": 12.0, "rate_out": 0.0,
        "oldest": 62.0, "drain": float("inf"), "why": "no worker takes from it",
    }  # fmt: skip
    return pd.DataFrame([row | changed]).astype({"ready": "Int64", "unacked": "Int64", "consumers": "Int64"})


def test_what_got_slower_is_the_title() -> None:
    assert title(times.changes(slower())) == (
        "<b>task runs 3 times as long as a week before: 6.0 s, was 2.0 s; nothing else got slower</b>"
    )
    same = slower(p50=2.0, times=1.0, added=0.0)
    assert "Nothing runs clearly longer" in title(times.changes(same))
    assert "to be compared" in title(times.changes(slower().head(0)))


def test_a_missed_objective_is_the_title() -> None:
    assert title(objectives.kept(kept())) == (
        "<b>payments missed its objective: 90 % started within 5.0 s, 95 % wanted</b>"
    )
    fine = kept(met=98, share=0.98, late=2, budget=0.6)
    assert "payments kept its objective" in title(objectives.kept(fine))
    assert "no objective was tried" in title(objectives.kept(kept(count=0)))


def test_the_backed_up_queue_is_the_title_of_its_table() -> None:
    assert tables.backlog(backlog()).title == (
        "payments is backed up: 1,540 messages wait, and no worker takes from it"
    )
    quiet = backlog(ready=0, why="empty", drain=0.0)
    assert tables.backlog(quiet).title == "payments is not backed up: no messages"
    both = pd.concat([quiet, quiet.assign(queue="hr")])
    assert tables.backlog(both).title == "No queue is backed up; no messages in all"
    text = repr(tables.backlog(backlog()))
    assert "never" in text
    assert "unknown" in text  # of unacked


def test_a_broker_that_is_lost_is_said() -> None:
    frame = backlog(ready=None, why="unknown", drain=float("nan"))
    frame.attrs["lost"] = "it does not answer"
    assert "Depth is not known: it does not answer" in repr(tables.backlog(frame))


def test_over_time_and_heat_name_the_worst_moment() -> None:
    at = pd.date_range("2026-11-16 22:00", periods=6, freq="h", tz="UTC", unit="us")
    waits = [0.1, 0.2, 40.0, 0.1, None, 0.1]
    frame = pd.DataFrame(
        {"at": at, "queue": "hr", "count": 9, "queue_wait_p50": 0.1, "queue_wait_p95": waits}
    )
    strip = times.over_time(frame, zone="Europe/Paris")
    assert "Queue wait of hr was longest on Tue 17 Nov at 01:00: 40 s" in title(strip)
    line = strip.data[1]
    assert pd.isna(line.y[4]), "no line where nothing ran"
    assert strip.data[0].y[4] == 0, "and no area across the gap"
    heat = times.heat(frame, zone="UTC")
    assert "on Tue 17 Nov from 00:00: 40 s" in title(heat)
    assert heat.data[0].text[1][0] == "40"
    assert heat.data[0].text[0][0] == ""


def test_workers_tell_of_restarts() -> None:
    at = pd.date_range("2026-11-16 22:00", periods=3, freq="h", tz="UTC", unit="us")
    frame = pd.DataFrame(
        {"worker": "w@one", "at": at, "active": [1.0, None, 2.0], "load1": 0.5, "processed": [3.0, None, 4.0],
         "restarts": [0.0, None, 1.0]}
    )  # fmt: skip
    figure = workers.load(frame)
    assert title(figure) == "<b>w@one took up 7 tasks; w@one began anew once</b>"
    assert len(figure.data[2].x) == 1
    assert "No worker" in title(workers.load(frame.head(0)))


def test_flow_tells_of_what_was_left() -> None:
    at = pd.date_range("2026-11-16 22:00", periods=2, freq="10min", tz="UTC", unit="us")
    frame = pd.DataFrame({"queue": "hr", "at": at, "sent": [100, 50], "started": [60, 50]})
    assert title(queues.flow(frame, queue="hr")) == (
        "<b>hr got at most 10.0 tasks a minute, on Mon 22:00; 40 tasks more were sent than started</b>"
    )
    assert "No task was sent" in title(queues.flow(frame.assign(sent=0, started=0)))


# A stranger's text, in every table and figure that shows one.
FIGURES = [
    lambda: times.changes(slower(name=HOSTILE)),
    lambda: objectives.kept(kept(queue=HOSTILE)),
    lambda: queues.flow(
        pd.DataFrame(
            {"at": pd.date_range("2026-11-16", periods=2, freq="h", tz="UTC"), "sent": 9, "started": 9}
        ),
        queue=HOSTILE,
        note=HOSTILE,
    ),
]
TABLES = [
    lambda: tables.changes(slower(name=HOSTILE)),
    lambda: tables.objectives(kept(queue=HOSTILE)),
    lambda: tables.backlog(backlog(queue=HOSTILE)),
    lambda: tables.contents(pd.DataFrame({"name": [HOSTILE], "count": [1], "share": [1.0], "first": [HOSTILE]})),
    lambda: tables.health(
        pd.DataFrame([{"component": HOSTILE, "state": "down", "detail": HOSTILE, "remedy": HOSTILE}])
    ),
    lambda: tables.one_failure(
        pd.DataFrame(
            [
                {
                    "name": HOSTILE, "queue": HOSTILE, "worker": HOSTILE, "finished": pd.Timestamp("2026-11-17", tz="UTC"),
                    "retries": 0, "args": HOSTILE, "kwargs": HOSTILE, "exception": HOSTILE, "traceback": HOSTILE,
                }
            ]
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("make", FIGURES)
def test_a_figure_shows_hostile_text_as_text(make) -> None:  # type: ignore[no-untyped-def]
    text = make().to_json()
    assert "<script>" not in text.replace("\\u003c", "<")
    assert "\\u001b" not in text
    assert len(text) < 20_000


@pytest.mark.parametrize("make", TABLES)
def test_a_table_shows_hostile_text_as_text(make) -> None:  # type: ignore[no-untyped-def]
    html = make()._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html or "…xxx" in html
    assert "\x1b" not in html + repr(make())
    assert len(html) < 60_000
    assert len(repr(make())) < 60_000
