"""What holds for every task: it finds work in the demo data, works once for one moment, asks the database
as often for much data as for little, and takes whatever people type."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.base import mail
from tasks.base.errors import TaskError
from tests.integration.tasks import hostile
from tests.integration.tasks.calls import CALLED, CALLS, Call, registered
from tests.integration.tasks.conftest import DEMO
from tests.integration.tasks.platforms import Platforms
from tests.integration.tasks.state import differences, snapshot
from zumolib.platform.entries import ENTRIES

# Counters of what was there; all others count what was done.
IDLE = {"looked_at", "left", "kept", "skipped", "refused", "deferred"}
TRACELESS = {"database-vacuum-weekly"}  # it frees room; the numbers in its summary tell how much
SCALES = 0.2, 0.6
# Lists of values and of rows are one shape, however long.
SHAPE = ((r"%s(, %s)+", "%s"), (r"\(%s\)(, \(%s\))+", "(%s)"), (r"WHEN .* THEN .*", "WHEN"))
TRANSACTION = ("BEGIN", "SAVEPOINT", "RELEASE", "COMMIT")
each_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)


def test_every_entry_has_its_task() -> None:
    known = {*registered(), "zumodra.celery.health_check"}
    assert {entry.name: entry.task for entry in ENTRIES if entry.task not in known} == {}
    assert [name for name in CALLED if name not in known] == []


def test_every_task_is_called() -> None:
    assert registered().keys() - {call.task.name for call in CALLS} == set()


@each_call
def test_first_run_on_demo_data_finds_work_and_second_changes_nothing(call: Call, loaded: Any) -> None:
    row, before = call.row(loaded.now), snapshot(loaded)
    summary = json.loads(json.dumps(call.run(loaded.now, row)))
    assert _work(summary), summary
    assert summary["skipped"] == 0, summary
    after = snapshot(loaded)
    assert after != before or call.name in TRACELESS
    call.run(loaded.now, row)
    assert differences(after, snapshot(loaded)) == {}


def _work(summary: dict[str, Any]) -> set[str]:
    """The counters that tell of work."""
    counters = {name for name, value in summary.items() if type(value) is int and value > 0}
    return counters - IDLE


def test_queries_do_not_grow_with_rows(
    platforms: Platforms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    from django.db import connections

    # Letters go in portions, each with its own claim, and SQLite takes few values in one statement: here
    # all go in one, so that what is made more often is made for each row.
    monkeypatch.setattr(mail, "CHUNK", 100_000)
    made: dict[str, list[Counter[str]]] = {call.name: [] for call in CALLS}
    for scale in SCALES:
        with platforms.opened(platforms.demo(scale), tmp_path / str(scale)) as platform:
            settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
            monkeypatch.setattr(connections["default"].features, "max_query_params", 30_000)
            # Rows are chosen, and worked on, before an entry's task takes up all that wait.
            rows = {call.name: call.row(platform.now) for call in CALLS}
            for second, call in enumerate(sorted(CALLS, key=lambda call: call.choice is None)):
                with statements() as counted:
                    call.run(platform.now + timedelta(seconds=second), rows[call.name])
                made[call.name].append(counted)
    assert {name: more for name, (few, many) in made.items() if (more := _grown(few, many))} == {}


@contextmanager
def statements() -> Iterator[Counter[str]]:
    """How often each statement is made in the block, whatever its values and however many."""
    from django.db import connection

    counted: Counter[str] = Counter()

    def count(execute: Any, sql: str, *given: Any) -> Any:
        shape = sql
        for pattern, instead in SHAPE:
            shape = re.sub(pattern, instead, shape)
        if not shape.startswith(TRANSACTION):
            counted[shape] += 1
        return execute(sql, *given)

    with connection.execute_wrapper(count):
        yield counted


def _grown(few: Counter[str], many: Counter[str]) -> dict[str, tuple[int, int]]:
    """Statements that are made more often for more rows; once more is a second portion."""
    return {sql[:300]: (few[sql], count) for sql, count in many.items() if count > max(few[sql], 1) + 1}


def test_an_empty_platform_is_no_trouble(platform: Any) -> None:
    summaries = {call.name: call.run(platform.now, None) for call in CALLS if call.choice is None}
    assert {name: summary for name, summary in summaries.items() if summary["skipped"]} == {}
    assert platform.provider.intents() == []


@pytest.mark.parametrize("call", [call for call in CALLS if call.choice], ids=lambda call: call.name)
def test_a_row_that_is_gone_is_named(call: Call, platform: Any) -> None:
    try:
        named = str(call.run(platform.now, 4711)["skipped_ids"])
    except TaskError as error:
        named = str(error)
    assert "4711" in named


@each_call
def test_a_wrong_moment_is_refused(call: Call) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        call.run("tomorrow", 1)


@pytest.fixture
def attacked(platforms: Platforms, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A platform whose every column holds what somebody may have typed to do harm."""
    template = platforms.prepared("hostile", DEMO, lambda _: hostile.overwrite())
    with platforms.opened(template, tmp_path) as opened:
        yield opened


@each_call
def test_hostile_data_does_no_harm(call: Call, attacked: Any, caplog: pytest.LogCaptureFixture) -> None:
    harmless = mail.Letter(
        "test", "it", "a@example.com", "subject", ("line",), (("a", "b"),), "https://example.com/"
    )
    allowed = hostile.elements(mail._row(harmless, attacked.now).html).found
    with caplog.at_level(logging.WARNING):
        summary = json.loads(json.dumps(call.run(attacked.now, call.row(attacked.now))))
    logged = [record for record in caplog.messages if record.startswith("skipped ")]
    assert len(logged) == summary["skipped"]
    for message in attacked.inbox.messages:
        hostile.assert_contained(message, allowed)
