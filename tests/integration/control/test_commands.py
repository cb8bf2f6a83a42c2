"""The commands that act, as a person types them, on a real system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.integration.control.conftest import ONE, TWO, System
from tests.waiting import wait_until
from zumolib.cli import main, target
from zumolib.database import orm
from zumolib.inspection.queues import depths
from zumolib.receipts import book

Zumo = Callable[..., Result]

pytestmark = pytest.mark.parametrize("system", ["valkey"], indirect=True)


@pytest.fixture
def zumo(system: System, monkeypatch: pytest.MonkeyPatch) -> Zumo:
    """Runs a command on the system; a second argument is what is typed when it asks."""
    monkeypatch.setattr(target, "find_app", lambda name="": system.app)
    monkeypatch.setattr(target, "known_nodes", lambda: list(system.nodes))
    orm.ready()
    from django_celery_beat.models import CrontabSchedule, PeriodicTask

    crontab, _ = CrontabSchedule.objects.get_or_create(minute="0", hour="4", timezone="UTC")
    PeriodicTask.objects.update_or_create(
        name="nightly",
        defaults={"task": "tests.sleepy", "crontab": crontab, "interval": None, "enabled": True},
    )
    return lambda *words: CliRunner().invoke(main, list(words))


def acted(done: Result) -> dict[str, Any]:
    """The receipt that a command printed as JSON."""
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert printed["applied"] is True
    return dict(printed["receipt"])


# words that act, for dry runs and read-only; none of them needs more than the two workers
ACTS = [
    ("call", "tests.sleepy", "0.0"),
    ("revoke", "some-task", "--anyway"),
    ("reschedule", "nightly", "--every", "5m"),
    ("disable", "nightly"),
    ("pause", "hr"),
    ("limit", "rate", "tests.sleepy", "1/h"),
    ("limit", "time", "tests.sleepy", "--soft", "5", "--hard", "6"),
    ("pool", "grow", ONE),
    ("pool", "shrink", ONE),
    ("pool", "autoscale", TWO, "--least", "2", "--most", "3"),
    ("pool", "shutdown", ONE),
]


@pytest.mark.parametrize("words", ACTS, ids=" ".join)
def test_a_dry_run_shows_and_does_nothing(zumo: Zumo, words: tuple[str, ...]) -> None:
    count = len(book.latest(limit=10_000))
    shown = zumo(*words, "--dry-run")
    assert shown.exit_code == 0, shown.output
    printed = json.loads(zumo(*words, "--dry-run", "--json").stdout)
    assert printed["applied"] is False
    assert printed["preview"]
    assert printed["summary"] in shown.stdout
    for caveat in printed["caveats"]:
        assert f"note: {caveat}" in shown.stdout
    assert len(book.latest(limit=10_000)) == count


@pytest.mark.parametrize("words", [ACTS[0], ACTS[2]], ids=" ".join)
def test_nothing_is_done_unasked(zumo: Zumo, words: tuple[str, ...]) -> None:
    for more in ((), ("--json",)):
        done = zumo(*words, *more)
        assert done.exit_code == 2
        assert done.stderr == (
            "zumo: nothing was done: add --yes to do it, or --dry-run to see what it would affect\n"
        )


def test_read_only_refuses(zumo: Zumo, monkeypatch: pytest.MonkeyPatch) -> None:
    from zumolib import conf as settings

    frozen = settings.read(ZUMO_READ_ONLY=True)
    monkeypatch.setattr("zumolib.conf.permission.conf", lambda: frozen)
    done = zumo("call", "tests.sleepy", "--yes")
    assert (done.exit_code, done.stderr) == (
        *(1, "zumo: ZUMO_READ_ONLY is set, so nothing is changed from here; unset it to act\n"),
    )


def test_call_and_wait(zumo: Zumo) -> None:
    done = zumo("call", "tests.login", "ann", "password=hunter2", "fail=no", "--yes", "--wait", "30s")
    assert done.exit_code == 0, done.output
    assert "SUCCESS" in done.stdout
    assert "'ann'" in done.stdout
    assert "hunter2" not in done.output
    failing = zumo("call", "tests.login", "ann", "x", "fail:=true", "--yes", "--wait", "30s")
    assert failing.exit_code == 1
    assert "PermissionError: no entry for ann" in failing.stdout


def test_tasks_are_listed(zumo: Zumo) -> None:
    listed = json.loads(zumo("call", "--json").stdout)
    assert {
        "name": "tests.sleepy",
        "signature": "(seconds: float = 0.0)",
        "queue": "default",
    }.items() <= next(row for row in listed if row["name"] == "tests.sleepy").items()


def test_an_entry_is_run_now(zumo: Zumo, system: System) -> None:
    receipt = acted(zumo("call", "nightly", "--entry", "--yes", "--json"))
    assert receipt["action"] == "run now"
    wait_until(lambda: system.state(receipt["after"]["id"]) == "SUCCESS", 20, "it to have run")


def test_pause_resume_actions_and_undo(zumo: Zumo, system: System) -> None:
    receipt = acted(zumo("pause", "ats", "--yes", "--json", "--reason", "a look"))
    assert receipt["how_to_undo"] == f"zumo undo {receipt['id']}"
    shown = zumo("actions")
    assert f"zumo undo {receipt['id']}" in shown.stdout
    assert "a look" in zumo("actions", str(receipt["id"])).stdout
    listed = json.loads(zumo("actions", "--json", "-n", "1").stdout)
    assert (listed[0]["id"], listed[0]["action"]) == (receipt["id"], "pause")
    undone = zumo("undo", str(receipt["id"]), "--yes")
    assert undone.exit_code == 0, undone.output
    assert "done: 2 of 2 done" in undone.stdout
    checked = str(book.latest(limit=1)["checked"][0])
    assert checked.startswith("verified: 2 of 2 workers consume from it (looked at ")
    assert checked in undone.stdout
    queues = system.ask("active_queues")
    assert all("ats" in {queue["name"] for queue in queues[node]} for node in system.nodes)
    assert acted(zumo("pause", "ats", "--yes", "--json"))["state"] == "done"
    assert acted(zumo("resume", "ats", "--yes", "--json"))["state"] == "done"


def test_reschedule_shows_the_next_firings(zumo: Zumo) -> None:
    shown = zumo("reschedule", "nightly", "--cron", "30 2 * * *", "--zone", "Europe/Paris", "--dry-run")
    assert "At 04:00 (UTC) → At 02:30 (UTC)" in shown.stdout
    assert "next firings" in shown.stdout
    receipt = acted(zumo("reschedule", "nightly", "--every", "2h", "--yes", "--json"))
    from django_celery_beat.models import PeriodicTask

    assert str(PeriodicTask.objects.get(name="nightly").interval) == "every 2 hours"
    acted(zumo("undo", str(receipt["id"]), "--yes", "--json"))
    assert PeriodicTask.objects.get(name="nightly").crontab.hour == "4"
    acted(zumo("disable", "nightly", "--yes", "--json"))
    acted(zumo("enable", "nightly", "--yes", "--json"))


def test_revoke_and_retry(zumo: Zumo, system: System) -> None:
    waits = acted(zumo("call", "tests.sleepy", "--countdown", "10m", "--queue", "hr", "--yes", "--json"))
    task_id = waits["after"]["id"]
    revoked = wait_until(
        lambda: (
            (done := zumo("revoke", "--name", "tests.sleepy", "--state", "scheduled", "--yes", "--json"))
            and done.exit_code == 0
            and done
        ),
        20,
        "a worker to hold it",
    )
    assert [row["id"] for row in acted(revoked)["affected"]] == [task_id]
    failing = system.app.send_task("tests.flaky", ["value", 1])
    wait_until(lambda: failing.state == "FAILURE", 20, "it to fail")
    assert acted(zumo("retry", failing.id, "--yes", "--json"))["affected_count"] == 1
    done = zumo("retry", failing.id, "--yes")
    assert done.exit_code == 2
    assert "retried already" in done.stderr


def test_purge_asks_for_what_is_there(zumo: Zumo, system: System) -> None:
    acted(zumo("pause", "analytics", "--yes", "--json"))
    system.app.send_task("tests.sleepy", queue="analytics")
    # A worker on Valkey that was just told to stop may take one more message, and gives it back.
    wait_until(lambda: _depth(system, "analytics") == 1, 10, "it to lie in the queue")
    assert acted(zumo("purge", "analytics", "--yes", "--json"))["after"]["purged"] == 1
    acted(zumo("resume", "analytics", "--yes", "--json"))


def _depth(system: System, queue: str) -> int:
    return int(depths(system.app).set_index("queue")["ready"][queue])


# words, the one line that says what is wrong
WRONG = [
    (("call", "tests.slepy", "--yes"), "no worker has registered a task 'tests.slepy'"),
    (("call", "tests.sleepy", "soon"), "'soon' is no float; write a number like 0.5"),
    (("call", "tests.sleepy", "--args", "[1"), "--args '[1' is no JSON"),
    (("call", "tests.sleepy", "--kwargs", "[1]"), "is no JSON object like"),
    (
        ("call", "tests.sleepy", "--countdown", "later"),
        "--countdown 'later' is no duration; write it like 90s",
    ),
    (("call", "tests.sleepy", "--eta", "noon"), "--eta 'noon' is no time"),
    (("call", "tests.sleepy", "--priority", "high"), "'high' is not a valid integer"),
    (("call", "tests.sleepy", "--queue", "nowhere"), "there is no queue 'nowhere'"),
    (("revoke",), "revoke which tasks"),
    (("revoke", "--state", "running"), "state='running'"),
    (("revoke", "--older", "old"), "--older 'old' is no duration"),
    (("retry",), "retry which tasks"),
    (("retry", "x", "--name", "y"), "give IDS, or filters, and not both"),
    (("reschedule", "nothing", "--every", "5m"), "no entry 'nothing'"),
    (("reschedule", "nightly", "--cron", "x"), "'x' has 1 fields"),
    (("reschedule", "nightly"), "give one of: a crontab"),
    (("enable",), "Missing argument 'ENTRIES...'"),
    (("pause", "nowhere"), "no worker consumes from 'nowhere'"),
    (("resume", "emails"), "no pause of 'emails' is on record"),
    (("purge", "nowhere"), "there is no queue 'nowhere'"),
    (("limit", "rate", "tests.sleepy", "fast"), "'fast' is no rate"),
    (("limit", "time", "tests.sleepy", "--soft", "x"), "--soft 'x' is no duration"),
    (("pool", "grow", "gone@there"), "gone@there does not reply"),
    (("pool", "grow", ONE, "--count", "0"), "count=0"),
    (("pool", "autoscale", ONE, "--least", "1", "--most", "2"), "does not scale by itself"),
    (("actions", "999999999"), "there is no receipt 999999999"),
    (("undo", "999999999"), "there is no receipt 999999999"),
    (("undo", "first"), "'first' is not a valid integer"),
]


@pytest.mark.parametrize(("words", "error"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_wrong_input_is_one_line_with_exit_code_2(zumo: Zumo, words: tuple[str, ...], error: str) -> None:
    done = zumo(*words, "--json") if words[0] != "actions" else zumo(*words)
    assert done.exit_code == 2, done.output
    assert error in done.stderr
    assert done.stderr.startswith("zumo: ")
    assert done.stderr.count("\n") == 1


def test_hostile_names_show_as_text(zumo: Zumo) -> None:
    done = zumo("call", "\x1b[31mred\x1b[0m", "--yes")
    assert done.exit_code == 2
    assert "\x1b" not in done.output


def test_the_command_itself_finds_the_app_by_the_settings(system: System, valkey_url: str) -> None:
    environment = {
        **os.environ,
        "CELERY_BROKER_URL": system.url,
        "CELERY_RESULT_BACKEND": f"{valkey_url}/1",
        "REDIS_URL": f"{valkey_url}/0",
    }
    words = [sys.executable, "-m", "zumolib", "call", "tests.sleepy", "0.1", "--yes", "--wait", "30s"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "SUCCESS" in done.stdout
