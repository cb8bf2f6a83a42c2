"""Each command of docker-compose.yml, run once as a process until its own health check passes.

Compose resolves the file with a fresh ``.env``; then the names of containers, ports and folders become
those of this machine, and nothing else changes. RabbitMQ runs with the file's settings, and so does
Redis, in the shape of Valkey.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from dotenv import dotenv_values

from tests.integration.own_process import PROJECT, OwnProcess, listens, passes, stopped
from tests.services.missing import missing
from tests.services.ports import free_port
from tests.services.postgresql import postgresql
from tests.services.rabbitmq import RabbitMQ
from zumolib.conf import Conf
from zumolib.stack.dotenv import init
from zumolib.stack.programs import valkey_binary

SCRIPTS = Path(sys.executable).parent

SERVICES = (
    "celery-worker",
    "celery-worker-critical",
    "celery-worker-high",
    "celery-worker-low",
    "celery-beat",
    "recorder",
    "web",
    "channels",
    "jupyter",
)


@dataclass
class Stack:
    """The resolved services, in words of this machine."""

    folder: Path
    services: dict[str, Any]

    def environment(self, name: str) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if key not in Conf.model_fields}
        return {
            **inherited,
            **self.services[name]["environment"],
            "HOME": str(self.folder),
            "HOSTNAME": socket.gethostname(),
            "PATH": os.pathsep.join([str(SCRIPTS), str(self.folder / "bin"), os.environ["PATH"]]),
            "PYTHONPATH": str(PROJECT),
            "ZUMO_HOME": str(self.folder / "home"),
            "ZUMO_REPORTS": str(self.folder / "home" / "reports"),
        }

    def start(self, name: str) -> OwnProcess:
        command = list(self.services[name]["command"])
        if name == "jupyter" and os.getuid() == 0:
            command.append("--allow-root")
        return OwnProcess(command, env=self.environment(name), cwd=PROJECT, log=self.folder / f"{name}.log")

    def healthy(self, name: str) -> bool:
        return passes(self.services[name]["healthcheck"], self.environment(name))


def resolved(folder: Path) -> dict[str, Any]:
    shutil.copy(PROJECT / "docker-compose.yml", folder)
    shown = subprocess.run(
        [SCRIPTS / "docker-compose", "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(shown.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("compose")
    for part in ("bin", "home/run/metrics", "home/history", "tmp", "notebooks"):
        (path / part).mkdir(parents=True)
    # Found last on the path: used where the project is not installed, as in an editor's checkout.
    script = path / "bin" / "zumo"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zumolib "$@"\n')
    script.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def password(folder):
    """The generated values, by name."""
    return dotenv_values(init(folder / ".env"))


@pytest.fixture(scope="module")
def rabbitmq_server(password) -> Iterator[RabbitMQ]:
    login = f"default_user = zumodra\ndefault_vhost = zumodra\ndefault_pass = {password['RABBITMQ_DEFAULT_PASS']}\n"
    server = RabbitMQ(
        settings=(PROJECT / "docker" / "rabbitmq.conf").read_text() + login,
        url=f"zumodra:{password['RABBITMQ_DEFAULT_PASS']}@{{}}/zumodra",
    )
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def rabbitmq_port(rabbitmq_server) -> int:
    return rabbitmq_server.port


@pytest.fixture(scope="module")
def redis_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def redis_server(folder, password, redis_port) -> Iterator[OwnProcess]:
    port = redis_port
    content = resolved(folder)["configs"]["redis"]["content"]
    settings = f"{content}\nport {port}\nbind 127.0.0.1\ndir {folder}\n"
    command = [valkey_binary(), "-"]
    with OwnProcess(command, env={}, cwd=folder, log=folder / "valkey.log", stdin=settings) as process:
        process.wait_until(lambda: listens(port), seconds=20)
        yield process


@pytest.fixture(scope="module")
def postgresql_port(password) -> Iterator[int]:
    with postgresql(user="zumodra", password=password["POSTGRES_PASSWORD"]) as place:
        login = {"user": place["USER"], "password": place["PASSWORD"], "dbname": place["NAME"]}
        with psycopg.connect(host=place["HOST"], port=place["PORT"], autocommit=True, **login) as session:
            session.execute("CREATE DATABASE zumodra")
        yield place["PORT"]


@pytest.fixture(scope="module")
def stack(folder, password, rabbitmq_port, redis_port, redis_server, postgresql_port) -> Stack:
    web, jupyter = str(free_port()), str(free_port())
    text = json.dumps(resolved(folder)["services"])
    #   in the containers                   here
    for inside, here in {
        "@rabbitmq:5672": f"@127.0.0.1:{rabbitmq_port}",
        "@redis:6379": f"@127.0.0.1:{redis_port}",
        "@db:5432": f"@127.0.0.1:{postgresql_port}",
        password["RABBITMQ_MANAGEMENT_URL"]: "",
        "smtp://mailhog:1025": f"smtp://127.0.0.1:{free_port()}",
        "/var/lib/zumo": f"{folder}/home",
        "/app/notebooks": f"{folder}/notebooks",
        "0.0.0.0": "127.0.0.1",
        '"8000"': f'"{web}"',
        "127.0.0.1:8000": f"127.0.0.1:{web}",
        "--port=8888": f"--port={jupyter}",
        "127.0.0.1:8888": f"127.0.0.1:{jupyter}",
    }.items():
        assert inside in text, inside
        text = text.replace(inside, here)
    return Stack(folder, json.loads(text))


@pytest.fixture(scope="module")
def migrated(stack) -> str:
    """What the one-shot service printed, which all others wait for."""
    process = stack.start("migrate")
    assert process.process.wait(120) == 0, process.tail()
    return process.tail()


def test_every_service_of_ours_is_run_here(stack):
    ours = {name for name, service in stack.services.items() if service["image"] == "zumodra-workbench"}
    assert ours == {*SERVICES, "migrate"}


def test_migrate_ends_well_and_may_run_again(stack, migrated):
    assert "entries installed" in migrated
    again = stack.start("migrate")
    assert again.process.wait(120) == 0, again.tail()
    assert "0 entries installed" in again.tail()


@pytest.mark.usefixtures("migrated")
@pytest.mark.parametrize("name", SERVICES)
def test_command_runs_until_its_health_check_passes_and_ends(stack, name):
    if not name.startswith("celery-worker-"):  # their check is celery-worker's
        assert not stack.healthy(name), "before it runs"
    with stack.start(name) as process:
        process.wait_until(lambda: stack.healthy(name), seconds=90)
        if not name.startswith("celery-worker-"):
            with process.stopped():  # it is there, and does not work
                process.wait_until(lambda: not stack.healthy(name), seconds=60)
            process.wait_until(lambda: stack.healthy(name), seconds=60)
        assert "Traceback" not in process.tail()
        assert process.end() in (0, -15), process.tail()


@pytest.mark.parametrize("name", ["rabbitmq", "redis", "db"])
def test_a_servers_health_check_fails_where_it_is_there_and_does_not_work(stack, request, name):
    """Last, since what uses the server is not to be found waiting for it."""
    check = dict(stack.services[name]["healthcheck"])
    env = {"PATH": os.environ["PATH"], "HOME": str(stack.folder)}
    match name:
        case "rabbitmq":
            server = request.getfixturevalue("rabbitmq_server")
            env, pid = server.environment, server.pid
        case "redis":
            if shutil.which("redis-cli") is None:
                missing("redis-cli is not installed (apt install redis-tools)")
            process = request.getfixturevalue("redis_server")
            pid = process.process.pid
            login = f"redis-cli -p {request.getfixturevalue('redis_port')}"
            assert "redis-cli ping" in check["test"][1]
            check["test"] = ["CMD-SHELL", check["test"][1].replace("redis-cli", login)]
            env |= {"REDISCLI_AUTH": stack.services[name]["environment"]["REDISCLI_AUTH"]}
        case "db":
            port = request.getfixturevalue("postgresql_port")
            [pid] = {
                c.pid for c in psutil.net_connections("tcp") if c.laddr.port == port and c.status == "LISTEN"
            }
            env |= {"PGPORT": str(port)}
    assert passes(check, env)
    with stopped(pid):
        assert not passes(check, env)
    assert passes(check, env)
