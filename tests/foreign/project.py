"""A Django project with django-celery-beat, in one file: its settings and its database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SETTINGS = """
SECRET_KEY = "theirs"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_celery_beat"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {database!r}}}}}
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
FILL = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
from django_celery_beat.models import IntervalSchedule, PeriodicTask
User.objects.create_user("somebody")
every, _ = IntervalSchedule.objects.get_or_create(every=30, period="seconds")
PeriodicTask.objects.create(name="bill everybody", task="plain.bill", interval=every)
"""


def make(folder: Path) -> Path:
    """Make the project's database, with a user and an entry; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "theirs.sqlite3"
    (folder / "their_settings.py").write_text(SETTINGS.format(database=str(database)))
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    environment |= {"PYTHONPATH": str(folder), "DJANGO_SETTINGS_MODULE": "their_settings"}
    subprocess.run([sys.executable, "-c", FILL], env=environment, cwd=folder, check=True, timeout=120)
    return database
