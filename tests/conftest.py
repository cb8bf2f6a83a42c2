"""A clean environment for every test: no setting of the person who runs them, a home of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

SESSION_HOME = Path(tempfile.mkdtemp(prefix="zumo-tests-"))

for name in list(os.environ):
    if name.startswith(("CELERY_", "ZUMO_", "STRIPE_", "MAILING_", "RABBITMQ_MANAGEMENT")) or name in (
        "DATABASE_URL",
        "REDIS_URL",
        "EMAIL_URL",
        "USE_SCALE_SETTINGS",
        "DJANGO_SETTINGS_MODULE",
        "PROMETHEUS_MULTIPROC_DIR",
    ):
        del os.environ[name]
os.environ["ZUMO_HOME"] = str(SESSION_HOME)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(SESSION_HOME, ignore_errors=True)
