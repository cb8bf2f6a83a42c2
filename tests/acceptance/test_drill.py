"""`zumo drill` on the embedded stack: every entry's task does real work on the demo data."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.stack import Stack
from zumolib.platform.entries import ENTRIES
from zumolib.platform.queues import RATE_LIMITS

ONCE_AN_HOUR = {entry.name for entry in ENTRIES if RATE_LIMITS.get(entry.task) == "1/h"}
LIMITED = {entry.name for entry in ENTRIES if entry.task in RATE_LIMITS}
# Entries with the same work: the first that runs finds it.
TWINS = (
    {"cleanup-old-audit-logs", "cleanup-audit-logs"},
    {"process-failed-payments", "failed-payment-retry-core"},
    {"cleanup-expired-sessions-daily", "cleanup-expired-sessions", "expire-sessions"},
    {"backup-database", "backup-rotation-weekly"},  # which do not run at the same time
)
# Counters of what was there; all others count what was done.
IDLE = {"looked_at", "left", "kept", "skipped", "refused", "deferred", "seconds"}
ONLY = """
import json
from zumolib.database import orm; orm.ready()
from django.db.models import Q
from django_celery_beat.models import PeriodicTask
chosen = Q(name={name!r})
PeriodicTask.objects.filter(chosen).update(enabled=True, kwargs={kwargs!r})
print(json.dumps(PeriodicTask.objects.exclude(chosen).update(enabled={others})))
"""


def drill(stack: Stack) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and rows of a drill."""
    done = stack.zumo("drill", "--json", timeout=200)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def first(stack: Stack) -> tuple[int, list[dict[str, Any]]]:
    """A drill on fresh demo data, by a worker that has not run anything yet, with a beat that sends nothing."""
    stack.stop_service("beat")
    loaded = stack.zumo("demo", "load", "--scale", "0.5", "--json")
    assert loaded.returncode == 0, loaded.stderr
    try:
        return drill(stack)
    finally:
        stack.start_service("beat")


def test_every_entry_succeeds(first: tuple[int, list[dict[str, Any]]]) -> None:
    code, rows = first
    assert {row["entry"]: row["summary"] for row in rows if row["state"] != "SUCCESS"} == {}
    assert [row["entry"] for row in rows] == [entry.name for entry in ENTRIES]
    assert [row["task"] for row in rows] == [entry.task for entry in ENTRIES]
    assert {tuple(row) for row in rows} == {("entry", "task", "queue", "state", "seconds", "summary")}
    assert all(row["seconds"] > 0 for row in rows)
    assert code == 0


def test_every_entry_found_something_to_do(first: tuple[int, list[dict[str, Any]]]) -> None:
    _, rows = first
    counts = {row["entry"]: re.findall(r"(\w+) ([1-9]\d*)(?!\S*[.\d])", row["summary"]) for row in rows}
    idle = {entry for entry, found in counts.items() if {name for name, _ in found} <= IDLE}
    assert idle <= set().union(*TWINS)
    assert [twins for twins in TWINS if twins <= idle] == []


def test_a_second_drill_shows_what_its_rate_limit_holds(
    first: tuple[int, list[dict[str, Any]]], stack: Stack
) -> None:
    code, rows = drill(stack)
    states = {row["entry"]: row["state"] for row in rows}
    # What may run twice a minute is held as well where the first drill was not long ago.
    assert ONCE_AN_HOUR <= {entry for entry, state in states.items() if state == "HELD"} <= LIMITED
    assert {state for state in states.values() if state != "HELD"} == {"SUCCESS"}
    for row in rows:
        if row["entry"] in ONCE_AN_HOUR:
            found = re.fullmatch(r"held by its rate limit until (.{16}) UTC", row["summary"])
            assert found is not None
            wait = datetime.fromisoformat(found[1]).replace(tzinfo=UTC) - datetime.now(UTC)
            assert timedelta(minutes=45) < wait < timedelta(minutes=61)
            assert row["seconds"] is None
    assert code == 0


def test_a_failed_task_fails_the_drill_and_shows_its_error(stack: Stack) -> None:
    name, kwargs = "cleanup-temp-files", json.dumps({"max_age_hours": 24})
    stack.python(ONLY.format(name=name, kwargs=json.dumps({"max_age_hours": -1}), others=False))
    try:
        code, [row] = drill(stack)
        shown = stack.zumo("drill").stdout
    finally:
        stack.python(ONLY.format(name=name, kwargs=kwargs, others=True))
    assert (row["entry"], row["state"]) == (name, "FAILURE")
    assert row["summary"] == "ValueError: hours=-1 must be above 0"
    assert code == 1
    assert "FAILURE" in shown
