"""Entries that nobody told, concluded from the schedule: for what is shown, and for what is asked by entry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from celery import Celery
from celery.schedules import crontab
from django.db import DatabaseError

from tests import recorded
from tests.unit.frames.told import Told, write
from zumolib.frames import runs, schedule, tasks
from zumolib.frames.scheduled import Scheduled
from zumolib.frames.window import Window
from zumolib.history import History
from zumolib.schedule.firings import Cron

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)
HOUR = Window(NOON, NOON + timedelta(hours=1))
SECOND = timedelta(seconds=1)


def entries(*rows: tuple[str, str, Any]) -> pd.DataFrame:
    """Name, task, when."""
    frame = pd.DataFrame(rows, columns=["name", "task", "when"]).astype({"when": object})
    frame = frame.assign(queue="hr", enabled=True, start_time=pd.NaT, expires=pd.NaT)
    for column in ("start_time", "expires"):
        frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
    return frame


SCHEDULE = entries(("quarterly", "a.task", Cron("*/15")), ("half", "b.task", Cron("30")))


def scheduled(folder: Path, told: list[Told], known: pd.DataFrame = SCHEDULE) -> Scheduled:
    write(folder, told)
    return Scheduled(folder, lambda: known)


# sent        | entry told | what is known then
# 12:00:02    |            | quarterly, matched
# 12:07       |            | called by hand
# 12:15:01    | quarterly  | as told
# 12:15:03    |            | called by hand: the firing was spent
# 12:30:00.5  |            | half, matched (another task)
# 12:30:01    |            | quarterly, matched; it failed
TOLD = [
    Told(NOON + 2 * SECOND, 1, 2, 3),
    Told(NOON + timedelta(minutes=7), 1, 2, 3),
    Told(NOON + timedelta(minutes=15) + SECOND, 1, 2, 3, entry="quarterly"),
    Told(NOON + timedelta(minutes=15) + 3 * SECOND, 1, 2, 3),
    Told(NOON + timedelta(minutes=30, seconds=0.5), 1, 2, 3, name="b.task"),
    Told(NOON + timedelta(minutes=30) + SECOND, 1, 2, 4, state="FAILURE", exception="E()"),
]
KNOWN = {"t0": "quarterly", "t2": "quarterly", "t4": "half", "t5": "quarterly"}
MATCHED = {"t0", "t4", "t5"}


def test_rows_that_are_shown_have_their_entries_and_say_so(tmp_path: Path) -> None:
    found = tasks.records(scheduled(tmp_path, TOLD), HOUR).set_index("task_id")
    assert found["entry"].dropna().to_dict() == KNOWN
    assert set(found.index[found["entry_matched"]]) == MATCHED
    assert found["entry_matched"].dtype == bool


def test_a_history_without_a_schedule_matches_nothing(tmp_path: Path) -> None:
    write(tmp_path, TOLD)
    found = tasks.records(History(tmp_path), HOUR)
    assert found["entry"].dropna().tolist() == ["quarterly"]
    assert not found["entry_matched"].any()


@pytest.mark.parametrize("newest", [1, 2, 4])
def test_a_few_rows_are_matched_as_among_all(tmp_path: Path, newest: int) -> None:
    history = scheduled(tmp_path, TOLD)
    whole = tasks.records(history, HOUR)
    pd.testing.assert_frame_equal(
        tasks.records(history, HOUR, newest=newest), whole.tail(newest).reset_index(drop=True)
    )
    # Of the two near 12:15 one is shown here; the firing is spent on the other all the same.
    by_hand = tasks.records(history, HOUR, name="a.task", state="SUCCESS", newest=1)
    assert by_hand["entry"].isna().all()


def test_columns_that_matching_needs_are_not_shown(tmp_path: Path) -> None:
    history = scheduled(tmp_path, TOLD)
    assert list(tasks.records(history, HOUR, columns=["entry"]).columns) == ["entry"]
    assert tasks.records(history, HOUR, columns=["entry"])["entry"].notna().sum() == len(KNOWN)
    assert tasks.records(history, HOUR, columns=["entry_matched"])["entry_matched"].sum() == len(MATCHED)
    assert list(tasks.records(history, HOUR, columns=["name", "queue"]).columns) == ["name", "queue"]


def test_filters_and_groups_by_entry_take_them_in(tmp_path: Path) -> None:
    history = scheduled(tmp_path, TOLD)
    mine = tasks.records(history, HOUR, entry="quarterly")
    assert mine.set_index("task_id")["entry_matched"].to_dict() == {"t0": True, "t2": False, "t5": True}
    assert tasks.summary(history, HOUR, entry="quarterly").set_index("state")["count"].to_dict() == {
        "SUCCESS": 2,
        "FAILURE": 1,
    }
    assert tasks.headline(history, HOUR, entry=["quarterly", "half"])["tasks"] == 4
    by_entry = tasks.latency(history, HOUR, by="entry")
    assert by_entry.dropna(subset="entry").groupby("entry")["count"].sum().to_dict() == {
        "half": 1,
        "quarterly": 3,
    }
    assert by_entry["count"].sum() == len(TOLD)
    flow = tasks.throughput(history, HOUR, by="entry", step=timedelta(hours=1), entry="half")
    assert flow[["entry", "sent", "finished"]].to_dict("records") == [
        {"entry": "half", "sent": 1, "finished": 1}
    ]
    assert tasks.failures(history, HOUR, entry="quarterly")["count"].tolist() == [1]
    assert runs.slowest(history, HOUR, entry="quarterly")["task_id"].tolist()[0] == "t5"
    assert runs.failed(history, HOUR, entry="half").empty
    assert tasks.records(history, HOUR, entry="no such entry").empty


def test_in_flight_by_entry(tmp_path: Path) -> None:
    history = scheduled(tmp_path, [Told(NOON + SECOND, 1), Told(NOON + timedelta(minutes=7), 1)])
    assert tasks.inflight(history, HOUR, entry="quarterly")["task_id"].tolist() == ["t0"]


def test_what_was_sent_before_the_window_is_matched_in_it(tmp_path: Path) -> None:
    late = Window(NOON + timedelta(minutes=5), HOUR.end)
    history = scheduled(tmp_path, [Told(NOON + SECOND, 1, 2, 600)])
    assert tasks.latency(history, late, by=(), entry="quarterly")["count"].sum() == 1
    assert tasks.records(history, late)["entry"].tolist() == ["quarterly"]


def test_a_schedule_that_cannot_be_read_concludes_nothing(tmp_path: Path) -> None:
    def lost() -> pd.DataFrame:
        raise DatabaseError("it is away")

    write(tmp_path, TOLD)
    history = Scheduled(tmp_path, lost)
    assert tasks.records(history, HOUR)["entry"].dropna().tolist() == ["quarterly"]
    assert tasks.latency(history, HOUR, by=(), entry="quarterly")["count"].sum() == 1


def test_the_schedule_is_asked_for_only_where_an_entry_is_missing(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def known() -> pd.DataFrame:
        asked.append(1)
        return SCHEDULE

    whole = Window(recorded.START, recorded.END)
    told = Scheduled(history.root, known)
    monkeypatch.setattr(told, "concluded", lambda *_, **__: pytest.fail("nobody asked by entry"))
    tasks.latency(told, whole)
    tasks.records(told, whole, columns=["name", "state"])
    tasks.records(told, whole, newest=3, entry=None, name="zumodra.celery.health_check")
    assert asked == []


def test_all_that_the_recorded_history_told_is_concluded_again(history: History, tmp_path: Path) -> None:
    """The recorded two days without their entries, as a foreign app would have told them."""
    whole = Window(recorded.START, recorded.END)
    expected = tasks.records(history, whole, columns=["task_id", "entry"]).set_index("task_id")["entry"]
    lines = [[part.strip() for part in line.split("|")] for line in recorded.ENTRIES.strip().splitlines()]
    crontabs = [
        (name, task, Cron(*(when.split()[n] for n in (0, 1, 3, 2))))
        for name, task, _, when in lines
        if not when.startswith("every")
    ]
    crons = {name for name, _, _ in crontabs}
    foreign = Scheduled(history.root, lambda: entries(*crontabs))
    told = foreign.select

    def untold(statement: str, *args: Any, **values: Any) -> Any:
        from zumolib.history.queries import query

        text = query(statement) if statement.isidentifier() else statement
        nothing = "(SELECT * REPLACE (NULL::VARCHAR AS entry) FROM {tasks})"
        return told(text.replace("{tasks}", nothing), *args, **values)

    foreign.select = untold  # type: ignore[method-assign]
    found = tasks.records(foreign, whole).set_index("task_id")
    due = expected[expected.isin(crons)]
    right = found["entry"].reindex(due.index) == due
    # Entries of one task that are due at once cannot be told apart, and retried tasks were sent later.
    assert right.mean() > 0.97
    assert found.loc[found["entry"].notna(), "entry_matched"].all()
    assert set(found["entry"].dropna()) <= crons


def test_a_foreign_apps_configuration_is_a_schedule_too(
    monkeypatch: pytest.MonkeyPatch, make_app: Callable[[], Celery]
) -> None:
    table = entries(("in the table", "a.task", Cron("5"))).assign(kind="crontab", problem="")
    monkeypatch.setattr(schedule, "entries", lambda app: table)
    app = make_app()
    app.conf.beat_schedule = {
        "nightly": {"task": "b.task", "schedule": crontab(minute="7,8", hour=[3, 4])},
        "in the table": {"task": "a.task", "schedule": crontab()},
        "often": {"task": "c.task", "schedule": 30.0, "options": {"queue": "q"}},
    }
    app.conf.timezone = "Europe/Paris"
    found = schedule.known(app).set_index("name")
    assert found["task"].to_dict() == {"in the table": "a.task", "nightly": "b.task", "often": "c.task"}
    assert found.loc["nightly", "when"] == Cron("7,8", "3,4", zone="Europe/Paris")
    assert found.loc["in the table", "when"] == Cron("5")
    assert found.loc["often", "when"] is None, "nobody tells when it began"
    due = schedule.firings(found.reset_index(), Window(NOON, NOON + timedelta(days=1)))
    assert set(due["name"]) == {"in the table", "nightly"}


@pytest.fixture
def make_app() -> Callable[[], Celery]:
    return lambda: Celery("foreign", broker="memory://", set_as_current=False)
