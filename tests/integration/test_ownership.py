"""Beside another project the workbench looks and takes no part: nothing of theirs is taken, sent or written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from tests.foreign import deployment, plain, project
from tests.services.processes import PROJECT
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey
from zumolib import conf
from zumolib.deployment import ownership

WAITING = 5


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project.make(tmp_path_factory.mktemp("theirs"))


@pytest.fixture(scope="module")
def broker(valkey_server: Valkey) -> str:
    """Their broker, with tasks that wait for their worker."""
    app = plain.app
    app.conf.broker_url = valkey_server.url
    for number in range(WAITING):
        app.send_task("plain.add", (number, 1))
    return valkey_server.url


def zumo(home: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *(arguments if arguments[0] == "celery" else ("zumolib", *arguments))]
    environment = {
        **os.environ,
        "ZUMO_HOME": str(home),
        "ZUMO_SECRET_KEY": "a-secret-key-of-this-test-and-no-other",
        **changes,
    }
    return subprocess.run(
        command, env=environment, cwd=PROJECT, input="kd8-s2jq-w81\n", capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


def tables(database: Path) -> tuple[list[str], dict[str, str]]:
    """All that is in a database, as text, and its files."""
    return deployment.dump(database), deployment.files(database)


def keys(url: str) -> dict[bytes, bytes | None]:
    """All that is on a server, as it is stored; what tells when it was last used is left out."""
    with redis.Redis.from_url(url) as client:
        return {key: client.dump(key) for key in client.scan_iter()}


#   command that would write into the database
WRITES = [
    ("migrate",),
    ("schedule", "install"),
    ("demo", "load"),
    ("drill", "--timeout", "5"),
    ("user", "add", "another", "--password-stdin"),
    ("user", "password", "somebody", "--password-stdin"),
    ("web", "--port", "0"),
    ("celery", "-A", "zumolib", "beat"),
]


@pytest.mark.parametrize("command", WRITES, ids=lambda command: " ".join(command))
def test_another_projects_database_is_not_written(
    command: tuple[str, ...], database: Path, tmp_path: Path
) -> None:
    before = tables(database)
    done = zumo(
        tmp_path, *command, DATABASE_URL=f"sqlite:///{database}", CELERY_BROKER_URL="redis://127.0.0.1:1/0"
    )
    assert done.returncode != 0
    said = done.stderr + done.stdout
    assert "another project's database" in said
    assert "auth_group" in said
    assert "nothing was written" in said
    assert "Traceback" not in said
    assert tables(database) == before


#   command that would take from the broker or send to it
SENDS = [
    ("celery", "-A", "zumolib", "worker", "-P", "solo"),
    ("celery", "-A", "zumolib", "beat"),
    ("drill", "--timeout", "5"),
    ("record",),
    ("up",),
]


@pytest.mark.parametrize("command", SENDS, ids=lambda command: " ".join(command))
def test_another_apps_broker_is_left_alone(
    command: tuple[str, ...], broker: str, migrated: Path, tmp_path: Path
) -> None:
    before = keys(broker)
    done = zumo(tmp_path, *command, CELERY_BROKER_URL=broker, DATABASE_URL=f"sqlite:///{migrated}")
    assert done.returncode != 0
    said = done.stderr + done.stdout
    assert "another app's broker, with 1 exchange (celery)" in said
    assert "ZUMO_OWN=true" in said
    assert "Traceback" not in said
    assert keys(broker) == before


@pytest.fixture
def rabbitmq() -> Iterator[RabbitMQ]:
    server = RabbitMQ()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def test_their_exchange_on_rabbitmq_is_seen(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    from celery import Celery

    theirs = Celery("theirs", broker=rabbitmq.url, set_as_current=False)
    theirs.send_task("plain.add", (1, 2))
    theirs.close()
    done = zumo(tmp_path, "celery", "-A", "zumolib", "worker", "-P", "solo", CELERY_BROKER_URL=rabbitmq.url)
    assert done.returncode != 0
    assert "another app's broker, with the exchange celery" in done.stderr + done.stdout


def test_another_app_is_not_ours_though_ours_shares_its_tasks_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import zumolib.celery

    monkeypatch.setenv("ZUMO_APP", "tests.foreign.plain")
    conf.conf.cache_clear()
    try:
        assert set(plain.app.tasks) >= {name for name in zumolib.celery.app.tasks if "health_check" in name}
        assert not ownership.is_own_app()
        monkeypatch.setenv("ZUMO_APP", "zumolib.celery:app")
        conf.conf.cache_clear()
        assert ownership.is_own_app()
    finally:
        monkeypatch.undo()
        conf.conf.cache_clear()


def test_a_database_of_ours_lets_several_processes_write(migrated: Path) -> None:
    with closing(sqlite3.connect(migrated)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_action_on_a_foreign_database_does_not_advise_to_write_there(
    database: Path, tmp_path: Path
) -> None:
    before = tables(database)
    done = zumo(tmp_path, "disable", "bill everybody", "--yes", DATABASE_URL=f"sqlite:///{database}")
    assert done.returncode != 0
    assert "is another project's" in done.stderr
    assert "zumo migrate" not in done.stderr
    assert tables(database) == before
