"""The web pages as uvicorn serves them, over a real Valkey and a real database."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.integration.own_process import OwnProcess, listens
from tests.services.ports import free_port
from zumolib.conf import Conf
from zumolib.stack.programs import valkey_binary

PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = "a-password-of-this-test"


def environment(home: Path, port: int, **changes: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in Conf.model_fields}
    return {
        **inherited,
        "PYTHONPATH": str(PROJECT),
        "DJANGO_SETTINGS_MODULE": "zumolib.platform.settings",
        "ZUMO_HOME": str(home),
        "ZUMO_SECRET_KEY": "a-secret-key-of-this-test-and-no-other",
        "DATABASE_URL": f"sqlite:///{home / 'web.sqlite3'}",
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{port}/0",
        "CELERY_RESULT_BACKEND": f"redis://:{PASSWORD}@127.0.0.1:{port}/1",
        "CELERY_BROKER_URL": f"redis://:{PASSWORD}@127.0.0.1:{port}/2",
        **changes,
    }


def django(env: dict[str, str], *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "django", *arguments], env=env, cwd=PROJECT, check=True, timeout=120
    )


def zumo(env: dict[str, str], *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zumolib", *arguments]
    return subprocess.run(
        command, env=env, cwd=PROJECT, input=said, capture_output=True, text=True, check=False, timeout=120
    )


def serve(home: Path, env: dict[str, str]) -> tuple[OwnProcess, str]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "zumolib.web.asgi:application"]
    options = ["--host", "127.0.0.1", "--port", str(port), "--lifespan", "off"]
    process = OwnProcess([*command, *options], env=env, cwd=PROJECT, log=home / f"web-{port}.log")
    process.wait_until(lambda: listens(port), seconds=60)
    return process, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="module")
def valkey_port(home):
    port = free_port()
    options = [f"--port {port}", "--bind 127.0.0.1", f"--requirepass {PASSWORD}", f"--dir {home}"]
    command = [valkey_binary(), *" ".join(options).split(), "--save", ""]
    with OwnProcess(command, env={}, cwd=home, log=home / "valkey.log") as valkey:
        valkey.wait_until(lambda: listens(port), seconds=20)
        yield port


@pytest.fixture(scope="module")
def site(home, valkey_port):
    env = environment(home, valkey_port)
    django(env, "migrate", "--verbosity=0")
    made = zumo(env, "user", "add", "ada", "--password-stdin", said=PASSWORD)
    assert (made.returncode, made.stderr) == (0, "")
    process, url = serve(home, env)
    with process:
        yield url


@pytest.fixture(scope="module")
def operator(site):
    """A browser's session, logged in to the admin."""
    with requests.Session() as session:
        page = session.get(f"{site}/admin/login/", timeout=30)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
        form = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token, "next": "/admin/"}
        answer = session.post(f"{site}/admin/login/", data=form, timeout=30, headers={"Origin": site})
        assert answer.status_code == 200
        assert answer.url == f"{site}/admin/"
        yield session


def test_root_leads_to_the_admin(site):
    answer = requests.get(site, timeout=30, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


def test_admin_is_ours_and_asks_who_you_are(site):
    page = requests.get(f"{site}/admin/", timeout=30)
    assert page.url.startswith(f"{site}/admin/login/")
    assert "Zumodra operations" in page.text


@pytest.mark.parametrize("model", ["periodictask", "crontabschedule", "intervalschedule"])
def test_admin_lists_the_schedule(operator, site, model):
    page = operator.get(f"{site}/admin/django_celery_beat/{model}/", timeout=30)
    assert page.status_code == 200
    assert "Zumodra operations" in page.text


def test_admin_adds_an_interval(operator, site):
    address = f"{site}/admin/django_celery_beat/intervalschedule/add/"
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', operator.get(address, timeout=30).text)[1]
    inline = {"periodictask_set-TOTAL_FORMS": "0", "periodictask_set-INITIAL_FORMS": "0"}
    form = {"every": "7", "period": "minutes", "csrfmiddlewaretoken": token, **inline}
    page = operator.post(address, data=form, timeout=30, headers={"Origin": site})
    assert page.status_code == 200
    assert "every 7 minutes" in page.text


def test_the_form_of_an_entry_opens(operator, site):
    """It lists the tasks that the app knows, so it imports the app."""
    page = operator.get(f"{site}/admin/django_celery_beat/periodictask/add/", timeout=60)
    assert page.status_code == 200
    assert "zumodra.celery.health_check" in page.text


def test_static_files_are_served(site):
    answer = requests.get(f"{site}/static/admin/css/base.css", timeout=30)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/css")


#   arguments                       password          what is wrong
USERS = [
    (("add", "ada"), PASSWORD, "there is a user 'ada' already; `zumo user password ada`"),
    (("add", "grace"), "12345", "too short"),
    (("add", "grace"), "grace-12", "too similar to the username"),
    (("add", "a name; with"), PASSWORD, "Enter a valid username"),
    (("password", "nobody"), PASSWORD, "there is no user 'nobody'; known: ada"),
]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("arguments", "password", "wrong"), USERS)
def test_a_user_that_cannot_be_made(home, valkey_port, arguments, password, wrong):
    done = zumo(environment(home, valkey_port), "user", *arguments, "--password-stdin", said=password)
    assert done.returncode == 2
    assert wrong in done.stderr
    assert done.stderr.count("\n") == 1
    assert password not in done.stderr


#   the key                  what is said of it
KEYS = [("", "is not set"), ("short", "(5 characters"), ("a" * 60, "1 different")]
SERVERS = [("zumolib", "web", "--port", "0"), ("uvicorn", "zumolib.web.asgi:application", "--port", "0")]


@pytest.mark.parametrize(("key", "wrong"), KEYS)
@pytest.mark.parametrize("server", SERVERS, ids=["zumo web", "uvicorn"])
def test_pages_are_not_served_with_a_key_that_others_know(tmp_path, valkey_port, server, key, wrong):
    env = environment(tmp_path, valkey_port, ZUMO_SECRET_KEY=key)
    command = [sys.executable, "-m", *server]
    done = subprocess.run(
        command, env=env, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("zumo: ZUMO_SECRET_KEY ")
    assert wrong in line
    assert "secrets.token_urlsafe" in line
    assert "Traceback" not in done.stderr


def test_health_is_well(site):
    began = time.monotonic()
    answer = requests.get(f"{site}/health/?only=database,cache,broker", timeout=30)
    assert time.monotonic() - began < 2
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "ok"), body
    assert "no-cache" in answer.headers["Cache-Control"]
    assert set(body["checks"]) == {"database", "cache", "broker"}
    assert all(check["ok"] and 0 <= check["seconds"] < 2 for check in body["checks"].values())


def test_health_is_failing_while_nobody_works(site):
    answer = requests.get(f"{site}/health/", timeout=30)
    states = {name: check["state"] for name, check in answer.json()["checks"].items()}
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")
    assert {name for name, state in states.items() if state == "failing"} == {"worker", "beat", "recorder"}


def test_health_refuses_a_question_that_it_does_not_know(site):
    assert requests.get(f"{site}/health/?only=databse", timeout=30).status_code == 400


@pytest.fixture
def silent_port():
    """A server that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]


#   broker and database         what is at their port
@pytest.mark.parametrize("scheme", ["redis", "amqp"])
@pytest.mark.parametrize("state", ["nothing", "silence"])
def test_health_tells_what_fails_within_seconds(tmp_path, silent_port, scheme, state):
    port = silent_port if state == "silence" else free_port()
    env = environment(
        tmp_path,
        port,
        CELERY_BROKER_URL=f"{scheme}://zumodra:{PASSWORD}@127.0.0.1:{port}/2",
        DATABASE_URL=f"postgres://zumodra:{PASSWORD}@127.0.0.1:{port}/zumodra",
    )
    process, url = serve(tmp_path, env)
    with process:
        began = time.monotonic()
        answer = requests.get(f"{url}/health/", timeout=30)
        assert time.monotonic() - began < 10
    assert answer.status_code == 503
    assert answer.json()["status"] == "failing"
    details = {name: check["detail"] for name, check in answer.json()["checks"].items() if not check["ok"]}
    assert "DATABASE_URL" in details["database"]
    assert "REDIS_URL" in details["cache"]
    assert "CELERY_BROKER_URL" in details["broker"]
    for text in (answer.text, process.tail()):
        assert PASSWORD not in text
        assert "Traceback" not in text
    assert str(port) not in answer.text


def test_health_names_the_missing_tables(tmp_path, valkey_port):
    process, url = serve(tmp_path, environment(tmp_path, valkey_port))
    with process:
        checks = requests.get(f"{url}/health/?only=database,cache,broker", timeout=30).json()["checks"]
    assert {name: check["ok"] for name, check in checks.items()} == {
        "database": False,
        "cache": True,
        "broker": True,
    }
    assert "zumo migrate" in checks["database"]["detail"]


COUNT = """
import os, sys
os.getpid = lambda: 7  # as in two containers, whose process ids are the same
from prometheus_client import Counter
Counter("zumo_task_runs", "Runs of tasks.", ["task"]).labels(sys.argv[1]).inc(int(sys.argv[2]))
"""


def test_metrics_sum_all_workers(site, home, valkey_port):
    assert "zumo_task_runs_total" not in requests.get(f"{site}/metrics", timeout=30).text
    folder = home / "run" / "metrics"
    for name, task, runs in (("medium", "a", 2), ("critical", "a", 3), ("low", "b", 4)):
        (folder / name).mkdir(parents=True)
        env = {**environment(home, valkey_port), "PROMETHEUS_MULTIPROC_DIR": str(folder / name)}
        subprocess.run([sys.executable, "-c", COUNT, task, str(runs)], env=env, check=True, timeout=60)
    answer = requests.get(f"{site}/metrics", timeout=30)
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert 'zumo_task_runs_total{task="a"} 5.0' in answer.text
    assert 'zumo_task_runs_total{task="b"} 4.0' in answer.text
