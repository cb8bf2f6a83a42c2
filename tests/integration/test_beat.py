"""The schedule in a real database; a real beat is started in tests/acceptance."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from click.testing import CliRunner

from zumolib import control
from zumolib.celery import configuration
from zumolib.cli.schedule import schedule
from zumolib.conf import read
from zumolib.database import orm
from zumolib.errors import ScheduleError
from zumolib.platform import installation
from zumolib.platform.entries import BY_NAME, ENTRIES

FIRST = {entry.task for entry in ENTRIES[:10]}
# `update-dashboard-cache` shares its task with one of the first ten; every app of ours has the health check.
KNOWN = [entry for entry in ENTRIES if entry.task in FIRST or entry.name == "celery-health-check"]


@pytest.fixture(scope="module")
def app() -> Celery:
    made = Celery("some", set_as_current=False)
    made.conf.update(configuration(read()))
    return made


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app knows the tasks of the first entries only, whatever other tests have imported."""
    names = frozenset(entry.task for entry in KNOWN)
    monkeypatch.setattr(installation, "known_tasks", lambda app: names)


@pytest.fixture
def rows() -> Iterator[Any]:
    """The manager of an empty schedule."""
    orm.migrate()
    from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

    for model in (PeriodicTask, CrontabSchedule, IntervalSchedule):
        model.objects.all().delete()
    yield PeriodicTask.objects
    PeriodicTask.objects.all().delete()


def test_what_the_app_knows_is_installed_and_the_rest_is_named(app: Celery, rows: Any) -> None:
    made = installation.install(app)
    assert made.installed == tuple(entry.name for entry in KNOWN)
    assert made.refused == tuple(entry.name for entry in ENTRIES if entry not in KNOWN)
    assert made.kept == ()
    row = rows.get(name="cleanup-old-audit-logs")
    assert str(row.crontab.timezone) == "UTC"
    assert (row.crontab.minute, row.crontab.hour, row.crontab.day_of_week) == ("0", "4", "sunday")
    assert json.loads(row.kwargs) == {"days": 90}
    assert rows.get(name="send-weekly-summary").queue == "emails"
    assert rows.get(name="backup-database").queue is None


def test_installing_again_keeps_an_operators_edits(app: Celery, rows: Any) -> None:
    installation.install(app)
    row = rows.get(name="backup-database")
    row.enabled = False
    row.crontab = rows.get(name="cleanup-old-audit-logs").crontab
    row.kwargs = '{"edited": true}'
    row.save()
    rows.filter(name="health-check-integrations").delete()

    made = installation.install(app)

    assert made.installed == ("health-check-integrations",)
    assert len(made.kept) == len(KNOWN) - 1 == 11
    row = rows.get(name="backup-database")
    assert (row.enabled, row.kwargs, row.crontab.hour) == (False, '{"edited": true}', "4")


def test_an_entry_whose_task_is_unknown_is_refused_by_name(app: Celery, rows: Any) -> None:
    with pytest.raises(
        ScheduleError, match=r"'expire-job-postings' is refused.*ats\.tasks\.expire_job_postings"
    ):
        installation.install(app, ["backup-database", "expire-job-postings"])
    assert rows.count() == 0, "nothing may be installed when one is refused"


def test_a_name_that_is_no_entry(app: Celery, rows: Any) -> None:
    with pytest.raises(ScheduleError, match="no entry is named 'backup'"):
        installation.install(app, ["backup"])


def test_drift_names_each_field(app: Celery, rows: Any) -> None:
    installation.install(app)
    assert installation.drift(KNOWN) == []
    row = rows.get(name="cleanup-old-audit-logs")
    row.kwargs, row.enabled, row.queue = '{"days": 30}', False, "hr"
    row.save()
    rows.filter(name="backup-database").delete()
    rows.create(name="by-hand", task="some.task", interval=rows.filter(interval__isnull=False)[0].interval)
    found = {(d.name, d.field): (d.code, d.database) for d in installation.drift(KNOWN)}
    assert found == {
        ("cleanup-old-audit-logs", "kwargs"): ({"days": 90}, {"days": 30}),
        ("cleanup-old-audit-logs", "enabled"): (True, False),
        ("cleanup-old-audit-logs", "queue"): (None, "hr"),
        ("backup-database", "row"): ("present", "missing"),
        ("by-hand", "row"): ("missing", "present"),
    }


def test_commands_show_no_secrets_of_the_schedule(app: Celery, rows: Any) -> None:
    installation.install(app)
    row = rows.get(name="cleanup-old-audit-logs")
    row.kwargs = '{"days": 30, "token": "hunter2", "note": "amqp://u:hunter2@h"}'
    row.save()
    shown = {"days": 30, "token": "***", "note": "amqp://u:***@h"}
    listed = json.loads(CliRunner().invoke(schedule, ["list", "--json"]).output)
    assert {one["name"]: one for one in listed}[row.name]["kwargs"] == shown
    differing = json.loads(CliRunner().invoke(schedule, ["drift", "--json"]).output)
    [kwargs] = [d for d in differing if (d["name"], d["field"]) == (row.name, "kwargs")]
    assert (kwargs["code"], kwargs["database"]) == ({"days": 90}, shown)
    assert "hunter2" not in CliRunner().invoke(schedule, ["drift"]).output


def test_rows_say_where_and_when(app: Celery, rows: Any) -> None:
    installation.install(app)
    now = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
    rows.filter(name="backup-database").update(last_run_at=datetime(2026, 11, 21, 2, 0, tzinfo=UTC))
    by_name = {row["name"]: row for row in installation.rows(app, now=now)}
    assert list(by_name) == [entry.name for entry in KNOWN]
    row = by_name["backup-database"]
    assert set(row) == {
        *("name", "category", "task", "schedule", "queue", "kwargs", "enabled", "description"),
        *("last_run_at", "next_firing", "problem"),
    }
    assert row["schedule"] == "0 2 * * * (UTC)"
    assert (row["category"], row["queue"]) == ("System Maintenance", "default")
    assert by_name["update-dashboard-cache-30min"]["queue"] == "analytics"
    rows.filter(name="backup-database").update(enabled=False)
    assert {row["name"]: row for row in installation.rows(app)}["backup-database"]["next_firing"] is None


def test_equal_rows_of_a_schedule_are_no_obstacle(app: Celery, rows: Any) -> None:
    from django_celery_beat.models import CrontabSchedule, IntervalSchedule

    for _ in range(2):
        first = CrontabSchedule.objects.create(minute="0", hour="4", day_of_week="sunday", timezone="UTC")
        IntervalSchedule.objects.create(every=5, period="minutes")
    made = installation.install(app, ["cleanup-old-audit-logs", "celery-health-check"])
    assert len(made.installed) == 2
    assert rows.get(name="cleanup-old-audit-logs").crontab_id == first.pk - 1
    plan = control.reschedule.plan(app, "celery-health-check", cron="0 4 * * sunday")
    made_again = control.apply(plan, reason="why not", allow=True)
    assert made_again.state == "done"
    assert control.undo(app, made_again.id, allow=True).state == "done"
    assert installation.drift([BY_NAME["celery-health-check"], BY_NAME["cleanup-old-audit-logs"]]) == []


def test_the_code_lists_all_entries_with_their_queues(app: Celery) -> None:
    listed = installation.code_rows(app)
    assert [row["name"] for row in listed] == list(BY_NAME)
    assert {row["queue"] for row in listed} == {
        *("default", "emails", "payments", "analytics", "notifications", "hr", "ats"),
    }


def _hold(path: Path, holds: Any, release: Any) -> None:
    installation.hold_lock(path)
    holds.set()
    release.wait(30)


def test_a_second_beat_is_refused_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    holds, release = context.Event(), context.Event()
    first = context.Process(target=_hold, args=(tmp_path / "beat.lock", holds, release))
    first.start()
    assert holds.wait(30)
    with pytest.raises(ScheduleError, match=f"another beat is running \\(process {first.pid}"):
        installation.hold_lock(tmp_path / "beat.lock")
    first.kill()
    first.join()
    installation.hold_lock(tmp_path / "beat.lock")


def test_an_edit_in_the_instant_in_which_beat_starts_is_noticed(app: Celery, rows: Any) -> None:
    from zumolib.platform.scheduler import DatabaseScheduler

    installation.install(app)
    scheduler = DatabaseScheduler(app=app, lazy=True)
    assert "celery-health-check" in scheduler.schedule
    row = rows.get(name="celery-health-check")
    row.enabled = False
    row.save()
    assert scheduler.schedule_changed()
    assert not scheduler.schedule_changed(), "it was noticed, and nothing was changed since"
