"""A clean environment for every test: no setting of the person who runs them, a home of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import tests.light  # noqa: F401 - whoever imports nbformat later has it

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


# What takes minutes begins first, so that no process is left alone with it at the end.
FIRST = ("runbooks", "acceptance", "browser", "integration")
# And in each folder the files that took the longest, for the same reason.
LONG = (
    "test_chaos.py",
    "test_every_task.py",
    "test_broken.py",
    "test_workers.py",
    "test_fold_steps.py",
    "test_contained.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(FIRST)}

    def place(item: pytest.Item) -> tuple[int, int]:
        rank = ranks.get(item.nodeid.split("/")[1], len(FIRST))
        return rank, LONG.index(item.path.name) if item.path.name in LONG else len(LONG)

    items.sort(key=place)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(SESSION_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file as `zumo migrate` leaves it, to be copied: made once, whatever the number of workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    made = folder / "migrated" / "zumodra.sqlite3"
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            home = folder / "migrating"
            home.mkdir()
            environment = {**os.environ, "ZUMO_HOME": str(home)}
            command = [sys.executable, "-m", "zumolib", "migrate"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            home.rename(made.parent)
    return made
