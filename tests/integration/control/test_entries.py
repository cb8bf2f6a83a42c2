"""Entries rescheduled, enabled, disabled and run now: the row, django-celery-beat's own view, a real beat."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from celery import Celery

from tests.integration.workers import make_app
from tests.services.processes import process
from tests.waiting import wait_until
from zumolib import control
from zumolib.database import orm
from zumolib.errors import ControlError, InputError
from zumolib.inspection import messages
from zumolib.receipts import book

QUEUE = "notifications"
Make = Callable[..., Any]


@pytest.fixture
def app(valkey_url: str) -> Celery:
    """An app without workers: what beat sends stays where it can be seen."""
    made = make_app(f"{valkey_url}/7", valkey_url)
    made.loader.import_default_modules()
    made.control.purge()
    return made


@pytest.fixture
def entry(database: None) -> Iterator[Make]:
    """Makes entries, and removes them afterwards."""
    orm.ready()
    from django_celery_beat.models import CrontabSchedule, PeriodicTask

    def make(name: str, *, hour: str = "4", **fields: Any) -> Any:
        crontab, _ = CrontabSchedule.objects.get_or_create(minute="0", hour=hour, timezone="UTC")
        row = PeriodicTask.objects.create(
            **{"name": name, "task": "tests.sleepy", "crontab": crontab, "queue": QUEUE, **fields}
        )
        if "last_run_at" in fields:
            PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=fields["last_run_at"])
        return row

    PeriodicTask.objects.all().delete()
    yield make
    PeriodicTask.objects.all().delete()


def row(name: str) -> Any:
    from django_celery_beat.models import PeriodicTask

    return PeriodicTask.objects.get(name=name)


def due(app: Celery, name: str) -> tuple[bool, float]:
    """What beat makes of the row: is it due, and if not, in how many seconds."""
    from django_celery_beat.schedulers import ModelEntry

    state = ModelEntry(row(name), app=app).is_due()
    return state.is_due, state.next


def test_an_entry_gets_its_new_times_and_its_old_ones_back(app: Celery, entry: Make) -> None:
    made, shares = entry("nightly"), entry("other")
    now = datetime.now(UTC)
    plan = control.reschedule.plan(
        app, "nightly", cron="30 2 * * 1", timezone="Europe/Paris", zone="Europe/Paris", now=now
    )
    assert plan.summary == "nightly: At 04:00 (UTC) → At 02:30, only on Monday (Europe/Paris)"
    assert plan.preview.to_dict("records") == [
        {
            "entry": "nightly", "task": "tests.sleepy", "queue": QUEUE, "enabled": True,
            "before": "0 4 * * * (UTC)", "after": "30 2 * * 1 (Europe/Paris)",
        }
    ]  # fmt: skip
    assert len(plan.firings) == len(plan.firings_before) == 10
    assert row("nightly").crontab_id == made.crontab_id, "a plan changes nothing"
    before = row("nightly").date_changed
    receipt = control.apply(plan, reason="less at four")
    assert (receipt.state, receipt.verified, receipt.affected_count) == ("done", True, 1)
    changed = row("nightly")
    assert (changed.crontab.minute, changed.crontab.hour, changed.crontab.day_of_week) == ("30", "2", "1")
    assert str(changed.crontab.timezone) == "Europe/Paris"
    assert changed.date_changed > before
    assert row("other").crontab_id == shares.crontab_id
    assert row("other").crontab.hour == "4", "the schedule that both shared is left alone"
    is_due, seconds = due(app, "nightly")
    assert not is_due
    first = (plan.firings["at"][0] - pd.Timestamp(now)).total_seconds()
    assert seconds == pytest.approx(first, abs=60)

    undone = control.undo(app, receipt.id)
    assert (undone.state, undone.verified, undone.undoes) == ("done", True, receipt.id)
    assert row("nightly").crontab_id == made.crontab_id


def test_a_reschedule_does_not_fire_for_a_time_that_has_passed(app: Celery, entry: Make) -> None:
    """Counting from its last dispatch, days ago, it would be due at once."""
    entry("daily", last_run_at=datetime.now(UTC) - timedelta(days=3))
    assert due(app, "daily")[0], "as it was, it was due"
    passed = datetime.now(UTC) - timedelta(hours=1)
    plan = control.reschedule.plan(app, "daily", cron=f"{passed.minute} {passed.hour} * * *")
    control.apply(plan)
    is_due, seconds = due(app, "daily")
    assert not is_due
    assert seconds == pytest.approx(23 * 3_600, abs=120)


def test_an_entry_with_a_start_in_the_past_does_not_fire_at_once_either(app: Celery, entry: Make) -> None:
    entry("begun", start_time=datetime.now(UTC) - timedelta(days=9))
    control.apply(control.reschedule.plan(app, "begun", every=3_600))
    is_due, seconds = due(app, "begun")
    assert not is_due
    assert seconds == pytest.approx(3_600, abs=30)


def test_an_undo_brings_the_last_dispatch_back_unless_that_would_fire(app: Celery, entry: Make) -> None:
    now = datetime.now(UTC)
    hour = (now + timedelta(hours=6)).hour  # next due in about 6 hours, last in time about 18 hours ago
    entry("in time", hour=str(hour), last_run_at=now - timedelta(hours=1))
    entry("overdue", hour=str(hour), last_run_at=now - timedelta(days=3))
    for name in ("in time", "overdue"):
        receipt = control.apply(control.reschedule.plan(app, name, every=7_200))
        assert row(name).last_run_at is None
        control.undo(app, receipt.id)
        assert not due(app, name)[0]
    assert row("in time").last_run_at == now - timedelta(hours=1)
    assert row("overdue").last_run_at is None


def test_what_was_changed_meanwhile_is_left_alone(app: Celery, entry: Make) -> None:
    entry("nightly")
    plan = control.reschedule.plan(app, "nightly", every=60)
    first = control.apply(control.reschedule.plan(app, "nightly", every=120))
    with pytest.raises(
        ControlError, match="'nightly' was changed meanwhile; plan it again; receipt"
    ) as caught:
        control.apply(plan)
    assert row("nightly").interval.every == 2
    failed = book.read(caught.value.receipt or 0)
    assert (failed.state, failed.after, failed.undo) == ("failed", {}, None)
    second = control.apply(control.reschedule.plan(app, "nightly", every=180))
    with pytest.raises(InputError, match="was changed again since, to every 3 minutes; undo that first"):
        control.undo(app, first.id)
    control.undo(app, second.id)
    control.undo(app, first.id)
    assert row("nightly").crontab.hour == "4"


def test_a_reschedule_to_what_is_there_is_none(app: Celery, entry: Make) -> None:
    entry("nightly")
    plan = control.reschedule.plan(app, "nightly", cron="0 4 * * *")
    assert plan.summary == "nightly is At 04:00 (UTC) already"
    with pytest.raises(InputError, match="nothing to do"):
        control.apply(plan)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"name": "night"}, "no entry 'night'; did you mean nightly"),
        ({"name": "nothing"}, "no entry 'nothing'; `zumo schedule list`"),
        ({"cron": "99 * * * *"}, r"'99 \* \* \* \*' is no crontab"),
        ({"cron": "0 4 * * *", "timezone": "Mars"}, "'Mars' is no time zone"),
        ({"every": 5, "zone": "Mars"}, "'Mars' is no time zone"),
        ({}, "give one of"),
    ],
)
def test_a_reschedule_that_cannot_be_is_refused(
    app: Celery, entry: Make, arguments: dict[str, Any], error: str
) -> None:
    entry("nightly")
    with pytest.raises(InputError, match=error):
        control.reschedule.plan(app, **{"name": "nightly", **arguments})


def test_caveats_tell_what_keeps_an_entry_from_firing(app: Celery, entry: Make) -> None:
    entry("off", enabled=False, one_off=True)
    plan = control.reschedule.plan(app, "off", every=60)
    assert plan.firings.empty
    text = " ".join(plan.caveats)
    assert "the entry is disabled" in text
    assert "one-off" in text
    assert "beat notices within 5 s" in text


def test_entries_are_disabled_and_enabled(app: Celery, entry: Make) -> None:
    dispatched = datetime.now(UTC) - timedelta(minutes=1)
    hour = str((datetime.now(UTC) + timedelta(hours=6)).hour)
    entry("one", hour=hour, last_run_at=dispatched)
    entry("two", enabled=False)
    entry("three", last_run_at=datetime.now(UTC) - timedelta(days=3))
    plan = control.switch.plan(app, ["one", "two", "three"], on=False)
    assert list(plan.preview["entry"]) == ["one", "three"], "two is disabled already"
    assert (plan.target, plan.summary) == ("2 entries", "disable 2 entries"), (
        "what is acted on, not what was asked"
    )
    receipt = control.apply(plan)
    assert (receipt.action, receipt.state, receipt.verified) == ("disable", "done", True)
    assert [row(name).enabled for name in ("one", "two", "three")] == [False, False, False]
    undone = control.undo(app, receipt.id)
    assert undone.action == "enable"
    assert [row(name).enabled for name in ("one", "two", "three")] == [True, False, True]
    assert row("one").last_run_at == dispatched, "which a disabled row forgets"
    assert not due(app, "three")[0], "what it missed is not made up for"


def test_run_now_sends_what_beat_would(app: Celery, entry: Make) -> None:
    entry("nightly", kwargs='{"seconds": 0.25}', priority=3, headers='{"tenant": "a"}', expire_seconds=600)
    before = row("nightly").last_run_at
    plan = control.run_now.plan(app, "nightly")
    assert plan.preview[["task", "queue", "args", "priority"]].to_dict("records") == [
        {"task": "tests.sleepy", "queue": QUEUE, "args": "seconds=0.25", "priority": 3}
    ]
    receipt = control.apply(plan)
    assert (receipt.action, receipt.target, receipt.verified) == ("run now", "nightly", True)
    [lying] = messages.waiting(app, QUEUE)
    assert (lying.id, lying.priority) == (plan.task_id, 3)
    headers = lying.payload["headers"]
    assert (headers["periodic_task_name"], headers["tenant"]) == ("nightly", "a")
    assert headers["expires"] is not None
    assert lying.arguments(app) == ([], {"seconds": 0.25})
    assert row("nightly").last_run_at == before


def sent(app: Celery) -> list[str]:
    """Entries whose tasks wait in the queue."""
    return [lying.payload["headers"]["periodic_task_name"] for lying in messages.waiting(app, QUEUE)]


def test_a_real_beat_follows(app: Celery, entry: Make, valkey_url: str, tmp_path: Path) -> None:
    entry("yearly", kwargs=json.dumps({"seconds": 0}))
    words = ["celery", "-A", "zumolib", "beat", "--loglevel=info", "--pidfile="]
    environment = {"CELERY_BROKER_URL": f"{valkey_url}/7", "CELERY_RESULT_BACKEND": f"{valkey_url}/1"}
    log = tmp_path / "beat.log"
    with process(words, log, environment):
        wait_until(lambda: "beat: Starting" in log.read_text(), 40, "beat to start")
        receipt = control.apply(control.reschedule.plan(app, "yearly", every=1))
        wait_until(lambda: sent(app).count("yearly") >= 2, 30, f"beat to send it, see {log}")
        control.undo(app, receipt.id)
        control.apply(control.reschedule.plan(app, "yearly", every=1))
        count = len(sent(app))
        wait_until(lambda: len(sent(app)) > count, 30, "beat to send it again")
        off = control.apply(control.switch.plan(app, "yearly", on=False))
        assert off.verified
