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

from tests.foreign import plain, project
from tests.services.processes import PROJECT
from tests.services.rabbitmq import RabbitMQ
from tests.services.valkey import Valkey
from tests.waiting import wait_until

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
    environment = {**os.environ, "ZUMO_HOME": str(home), **changes}
    return subprocess.run(
        command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120
    )


def tables(database: Path) -> list[str]:
    """All that is in a database, as text."""
    with closing(sqlite3.connect(database)) as connection:
        return sorted(connection.iterdump())


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


def test_beside_a_foreign_app_only_the_recorder_and_the_lab_run(
    broker: str, database: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "bills"
    environment = {**os.environ, "PLAIN_BROKER": broker}
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tests.foreign.plain",
        "worker",
        "-c1",
        "-n",
        "theirs@here",
    ]
    log = tmp_path / "theirs.log"
    home = tmp_path / "home"
    settings = {
        "ZUMO_APP": "tests.foreign.plain", "CELERY_BROKER_URL": broker, "PLAIN_BROKER": broker,
        "DATABASE_URL": f"sqlite:///{database}", "PYTHONPATH": str(PROJECT),
    }  # fmt: skip
    before = tables(database)
    with log.open("wb") as sink:
        worker = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=sink, stderr=sink)
    try:
        done = zumo(home, "up", **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "only the recorder and JupyterLab are started" in done.stdout
        status = zumo(home, "status", **settings).stdout
        running = {line.split()[0] for line in status.splitlines() if " running " in f" {line} "}
        assert running >= {"jupyter", "recorder"}
        assert not running & {"worker", "beat", "valkey", "provider", "mail"}, status
        sent = [plain.app.send_task("plain.bill", (str(theirs),)).id for _ in range(WAITING)]
        wait_until(
            lambda: theirs.exists() and len(theirs.read_text().splitlines()) == len(sent), 60, "their tasks"
        )
        for refused in (("drill",), ("demo", "load"), ("schedule", "install"), ("migrate",)):
            assert "another project's" in zumo(home, *refused, **settings).stderr
    finally:
        zumo(home, "down", **settings)
        worker.terminate()
        worker.wait(30)
    assert "Received unregistered" not in log.read_text()
    assert tables(database) == before


def test_an_action_on_a_foreign_database_does_not_advise_to_write_there(
    database: Path, tmp_path: Path
) -> None:
    before = tables(database)
    done = zumo(tmp_path, "disable", "bill everybody", "--yes", DATABASE_URL=f"sqlite:///{database}")
    assert done.returncode != 0
    assert "is another project's" in done.stderr
    assert "zumo migrate" not in done.stderr
    assert tables(database) == before
