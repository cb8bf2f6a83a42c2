"""The embedded stack from a person's side: it starts, it repairs itself, it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests.acceptance.stack import Stack
from tests.waiting import wait_until

NODE = f"celery@{socket.gethostname()}"
SERVICES = ["valkey", "mail", "provider", "jupyter", "worker", "beat", "recorder"]


def test_status_names_every_service(stack: Stack) -> None:
    done = stack.zumo("status", "--json")
    assert done.returncode == 0
    state = stack.status()
    assert sorted(service["name"] for service in state["services"]) == sorted(SERVICES)
    assert {service["state"] for service in state["services"]} == {"running"}
    assert set(state["queues"]) == {
        *("default", "emails", "payments", "analytics"),
        *("notifications", "hr", "ats", "celery"),
    }
    assert state["jupyter_url"].startswith("http://127.0.0.1:")


def test_services_listen_on_loopback_only(stack: Stack) -> None:
    ports = set(stack.plan().ports.values())
    ours = {process.pid for process in stack.processes()}
    listening = {
        connection.laddr
        for connection in psutil.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.pid in ours
    }
    assert ports <= {address.port for address in listening}
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1"}


def test_secrets_are_readable_by_their_owner_only(stack: Stack) -> None:
    for name in ("stack.json", "run/valkey.conf", "run/supervisord.conf"):
        assert (stack.home / name).stat().st_mode & 0o077 == 0, name


@pytest.mark.parametrize(
    "what", ["ping", "active", "registered", "scheduled", "active_queues", "stats", "pool"]
)
def test_celery_inspect_answers(what: str, stack: Stack) -> None:
    done = stack.celery("inspect", what, "--timeout", "5", "--destination", NODE)
    assert done.returncode == 0, done.stderr
    assert "1 node online" in done.stdout
    expected = {"ping": "pong", "pool": "max-concurrency", "registered": "zumodra.celery.health_check"}
    assert expected.get(what, "") in done.stdout


def test_the_worker_consumes_all_queues(stack: Stack) -> None:
    code = f"""
import json
from zumolib.celery import app
node = {NODE!r}
answer, = app.control.inspect([node], timeout=5).active_queues().values()
print(json.dumps(sorted((q['name'], q['exchange']['name'], q['routing_key']) for q in answer)))
"""
    assert stack.python(code) == [
        ["analytics", "analytics", "analytics"],
        ["ats", "ats", "ats"],
        ["celery", "default", "celery"],
        ["default", "default", "default"],
        ["emails", "emails", "emails"],
        ["hr", "hr", "hr"],
        ["notifications", "notifications", "notifications"],
        ["payments", "payments", "payments"],
    ]


def test_health_check_and_debug_task_answer_as_documented(stack: Stack) -> None:
    code = """
import json
from zumolib.celery import debug_task, health_check
health, debug = health_check.delay(), debug_task.delay()
print(json.dumps([health.get(timeout=20), health.id, debug.get(timeout=20), debug.id]))
"""
    health, health_id, debug, debug_id = stack.python(code)
    assert debug == {"status": "ok", "task_id": debug_id}
    assert health["status"] == "healthy"
    assert health["task_id"] == health_id
    assert health["worker_hostname"] == NODE
    assert health["python_version"] == sys.version
    assert set(health) == {
        *("status", "timestamp", "python_version", "platform"),
        *("task_id", "worker_hostname"),
    }


def test_the_schedule_holds_the_entries_whose_task_exists(stack: Stack) -> None:
    counted = stack.python("""
import json
from zumolib.database import orm
from zumolib.celery import app
from zumolib.platform import installation
from zumolib.platform.entries import ENTRIES
orm.ready()
from django_celery_beat.models import PeriodicTask
known = installation.known_tasks(app)
print(json.dumps([PeriodicTask.objects.count(), sum(entry.task in known for entry in ENTRIES)]))
""")
    assert counted[0] == counted[1] > 0


def test_a_second_beat_refuses_to_start(stack: Stack) -> None:
    done = stack.celery("beat")
    assert done.returncode != 0
    assert "another beat is running" in done.stdout + done.stderr
    assert stack.service("beat").running


def test_an_edited_entry_keeps_its_edit_over_a_restart_of_beat(stack: Stack) -> None:
    edit = """
import json
from zumolib.database import orm; orm.ready()
from django_celery_beat.models import CrontabSchedule, PeriodicTask
row = PeriodicTask.objects.get(name='backup-database')
row.crontab, _ = CrontabSchedule.objects.get_or_create(minute='17', hour='5', timezone='UTC')
row.save()
print(json.dumps('done'))
"""
    look = """
import json
from zumolib.database import orm; orm.ready()
from django_celery_beat.models import PeriodicTask
row = PeriodicTask.objects.get(name='backup-database')
print(json.dumps([row.crontab.minute, row.crontab.hour]))
"""
    stack.python(edit)
    before = stack.service("beat").pid
    os.kill(before, signal.SIGTERM)
    wait_until(lambda: stack.service("beat").pid not in (before, None), 30, "a new beat")
    wait_until(lambda: "0 entries installed" in stack.zumo("up").stdout, 60, "beat to hold its lock")
    assert stack.python(look) == ["17", "5"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_service_comes_back_and_nothing_is_lost(name: str, stack: Stack) -> None:
    first = stack.send(60)
    before = stack.service(name).pid
    assert before
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: stack.service(name).running and stack.service(name).pid != before, 30, f"a new {name}")
    wait_until(lambda: stack.states(first) == {"SUCCESS"}, 60, "the tasks sent before the kill")
    second = stack.send(5)
    wait_until(lambda: stack.states(second) == {"SUCCESS"}, 60, "the tasks sent after it")
    # A worker sends its events in batches: what it had not sent when it was killed, nobody can record.
    told = {"SUCCESS", "STARTED", "RECEIVED"} if name == "worker" else {"SUCCESS"}
    wait_until(lambda: stack.recorded(first) <= told, 30, "their records in the history")
    wait_until(lambda: stack.recorded(second) == {"SUCCESS"}, 30, "the records of the later ones")


@pytest.fixture(scope="module")
def second_home(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Another home, in a deep folder with spaces and percent signs."""
    made = Stack(tmp_path_factory.mktemp("deep") / ("a folder 100% " * 6) / "home").with_database(migrated)
    yield made
    made.zumo("down")
    assert made.processes() == []


@pytest.fixture
def second(second_home: Stack) -> Stack:
    """The stack there, running."""
    second_home.up()
    return second_home


def test_two_homes_run_side_by_side(stack: Stack, second: Stack) -> None:
    assert second.zumo("status").returncode == 0
    assert set(stack.plan().ports.values()).isdisjoint(second.plan().ports.values())
    ids = second.send(3)
    wait_until(lambda: second.states(ids) == {"SUCCESS"}, 30, "tasks of the second stack")
    assert stack.states(ids) == {"PENDING"}, "the first one must not know them"


def test_a_terminal_of_the_lab_is_its_users(second: Stack) -> None:
    plan = second.plan()
    lab = f"http://127.0.0.1:{plan.ports['jupyter']}/api/terminals"
    token = {"Authorization": f"token {plan.jupyter_token}"}
    before = {process.pid for process in psutil.Process(second.service("jupyter").pid).children()}
    made = requests.post(lab, headers=token, timeout=10)
    made.raise_for_status()
    shells = [p for p in psutil.Process(second.service("jupyter").pid).children() if p.pid not in before]
    assert len(shells) == 1
    assert "ZUMO_STACK" not in shells[0].environ()
    requests.delete(f"{lab}/{made.json()['name']}", headers=token, timeout=10).raise_for_status()


def test_a_killed_supervisor_is_replaced_without_leftovers(second: Stack) -> None:
    old = {process.pid for process in second.processes()}
    os.kill(int((second.home / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    status = second.zumo("status")
    assert status.returncode == 1
    assert "processes were left behind" in status.stdout
    done = second.zumo("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "that an earlier stack left behind" in done.stdout
    assert old.isdisjoint(process.pid for process in second.processes())


def test_down_leaves_no_process_and_no_port(second: Stack) -> None:
    ports = second.plan().ports
    assert second.zumo("down").returncode == 0
    assert second.processes() == []
    for port in ports.values():
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert "nothing was running" in second.zumo("down").stdout
    assert "not running" in second.zumo("status").stdout


def test_a_broker_that_is_down(stack: Stack) -> None:
    broken = Stack(stack.home, {"CELERY_BROKER_URL": "redis://127.0.0.1:1/2"})
    done = broken.zumo("drill")
    assert done.returncode == 1
    assert "the broker does not answer" in done.stderr
    assert "CELERY_BROKER_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_logs_show_the_end_of_a_log_and_refuse_an_unknown_name(stack: Stack) -> None:
    assert "Task " in stack.zumo("logs", "worker", "-n", "500").stdout
    done = stack.zumo("logs", "wroker")
    assert done.returncode == 2
    assert "there is no log of 'wroker'" in done.stderr
    assert "worker" in done.stderr


def test_logs_can_be_followed(stack: Stack) -> None:
    follow = subprocess.Popen(
        [sys.executable, "-m", "zumolib", "logs", "worker", "-f", "-n", "1"],
        env=stack.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert follow.stdout is not None
        follow.stdout.readline()
        (task_id,) = stack.send(1)
        assert any(task_id in line for line in iter(follow.stdout.readline, "")), "the new task in the log"
    finally:
        follow.terminate()
        follow.wait(10)
