"""A Django project with django-celery-beat, in one folder: its settings, its Celery app and its database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ENTRY, OFF = "bill everybody", "no longer"  # an entry, and one that is disabled
SETTINGS = """
import os
SECRET_KEY = "theirs"
INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                  "django.contrib.messages", "django.contrib.sessions", "django_celery_beat"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {database!r}}}}}
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "memory://")
CELERY_RESULT_BACKEND = os.environ.get("THEIR_RESULTS")
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_ROUTES = {{"plain.later": {{"queue": "later"}}}}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
"""
# As Celery's documentation has it: the project's settings are named, and read by a namespace.
CELERY = """
import os, time
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "their_settings")
from celery import Celery, signals

app = Celery("theirs")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.task_prerun.connect
def note(task_id, task, **_):
    with open(os.environ["THEIR_RUNS"], "a") as file:
        file.write(f"{task_id}\\n")


@app.task(name="plain.bill")
def bill(amount: int = 1) -> int:
    return amount


@app.task(name="plain.later")
def later(amount: int = 1) -> int:
    return amount


@app.task(name="plain.hold")
def hold(path: str) -> None:
    while not os.path.exists(path):
        time.sleep(0.05)
"""
FILL = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
User.objects.create_superuser("somebody", password="theirs")
every, _ = IntervalSchedule.objects.get_or_create(every=30, period="seconds")
PeriodicTask.objects.create(name="bill everybody", task="plain.bill", interval=every)
nightly, _ = CrontabSchedule.objects.get_or_create(minute="30", hour="2", timezone="Europe/Paris")
PeriodicTask.objects.create(name="nightly", task="plain.later", crontab=nightly, kwargs='{"amount": 7}')
PeriodicTask.objects.create(name="no longer", task="plain.gone", crontab=nightly, enabled=False)
"""


def make(folder: Path) -> Path:
    """Make the project, with a user and entries in its database; returns the database's path."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "theirs.sqlite3"
    (folder / "their_settings.py").write_text(SETTINGS.format(database=str(database)))
    (folder / "their_celery.py").write_text(CELERY)
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    environment |= {"PYTHONPATH": str(folder), "DJANGO_SETTINGS_MODULE": "their_settings"}
    subprocess.run([sys.executable, "-c", FILL], env=environment, cwd=folder, check=True, timeout=120)
    return database
