"""Entries as the database has them, of every kind, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from zumolib.conf import PROJECT

SCRIPT = """
from datetime import UTC, datetime
from zumolib.database import orm
orm.ready()
from django.core.management import call_command
from django_celery_beat.models import (
    ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule,
)
call_command("migrate", verbosity=0)
at = datetime(2026, 11, 18, 12, 7, tzinfo=UTC)
crontab = CrontabSchedule.objects.create(minute="30", hour="2", timezone="Europe/Paris")
interval = IntervalSchedule.objects.create(every=6, period="hours")
clocked = ClockedSchedule.objects.create(clocked_time=at)
solar = SolarSchedule.objects.create(event="sunrise", latitude=48, longitude=2)
PeriodicTask.objects.create(name="paris", task="finance.tasks.sync_stripe_payments", crontab=crontab)
PeriodicTask.objects.create(name="often", task="zumodra.celery.debug_task", interval=interval, last_run_at=at)
PeriodicTask.objects.create(name="once", task="x.y", queue="hr", clocked=clocked, one_off=True)
PeriodicTask.objects.create(name="sun", task="x.y", solar=solar)
PeriodicTask.objects.create(name="off", task="x.y", crontab=crontab, enabled=False)
from zumolib.frames import schedule
from zumolib.frames.window import Window
entries = schedule.entries()
window = Window.days("2026-11-18", days=1)
print(entries.drop(columns="when").to_json(orient="records", date_format="iso"))
print(schedule.firings(entries, window)[["name", "at"]].astype(str).to_json(orient="values"))
print(schedule.note(entries, window))
"""  # `ephem`, which a solar schedule needs, is not installed


def test_entries_of_every_kind_and_their_firings(tmp_path: Path) -> None:
    world = {
        **os.environ,
        "ZUMO_HOME": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'schedule.sqlite3'}",
        "PYTHONPATH": str(PROJECT),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=world, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    first, second, note = done.stdout.strip().splitlines()[-3:]
    entries = {entry["name"]: entry for entry in json.loads(first)}
    assert list(entries) == sorted(entries)
    assert {name: entry["kind"] for name, entry in entries.items()} == {
        "paris": "crontab", "often": "interval", "once": "clocked", "sun": "solar", "off": "crontab",
    }  # fmt: skip
    assert entries["paris"]["queue"] == "payments"  # by its route
    assert entries["once"]["queue"] == "hr"  # by its row
    assert entries["often"]["queue"] == "default"
    assert entries["paris"]["timezone"] == "Europe/Paris"
    assert entries["often"]["last_run_at"].startswith("2026-11-18T12:07")
    assert [(name, at[11:16]) for name, at in json.loads(second)] == [
        ("often", "00:07"), ("paris", "01:30"), ("often", "06:07"), ("often", "12:07"), ("once", "12:07"),
        ("often", "18:07"),
    ]  # fmt: skip
    assert "4 of 5 entries enabled, 1 that cannot be sent left out" in note
