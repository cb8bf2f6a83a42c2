"""Each acting panel, while things come and go beneath it: the rows shown are those that the button names and acts on."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.acceptance.stack import Stack
from tests.browser.acting import Desk, Panel
from tests.browser.lab import Lab, errors
from tests.browser.worker import NODE, PROCESSES, Worker
from tests.waiting import wait_until
from zumolib.inspection.queues import depths

pytestmark = pytest.mark.timeout(400)  # seconds; a quiet machine needs 15

LATER = 900  # seconds; nothing that waits for so long runs within a test
HEALTH = "celery-health-check"


def ask(stack: Stack, query: str, *values: object) -> list[Any]:
    """Ask the stack's database, or change it as somebody else does."""
    with closing(sqlite3.connect(stack.home / "zumodra.sqlite3", timeout=30)) as connection, connection:
        return connection.execute(query, values).fetchall()


def affected(stack: Stack, panel: Panel, column: str) -> list[str]:
    """What the receipt in a panel says was acted on, in order."""
    number = panel.receipt.get_attribute("data-receipt")
    [(rows,)] = ask(stack, "select affected from receipts_receipt where id = ?", number)
    return sorted(row[column] for row in json.loads(rows))


def enabled(stack: Stack, names: list[str]) -> dict[str, bool]:
    """Which entries are on."""
    marks = ", ".join("?" * len(names))
    query = f"select name, enabled from django_celery_beat_periodictask where name in ({marks})"
    return {name: bool(on) for name, on in ask(stack, query, *names)}


def switch(stack: Stack, name: str, *, on: bool) -> None:
    """Somebody else switches an entry, as in the admin."""
    ask(stack, "update django_celery_beat_periodictask set enabled = ? where name = ?", on, name)


@pytest.fixture
def mark() -> str:
    """A word that only the tasks of one test have among their arguments."""
    return f"rows-{uuid4().hex[:8]}"


@pytest.fixture
def endless(stack: Stack, worker: Worker, mark: str) -> Iterator[list[str]]:
    """Two tasks that run until they are ended."""
    ids = [stack.app.send_task("tests.endless", [mark]).id for _ in range(2)]
    wait_until(lambda: set(ids) <= worker.running, 60, "both to run")
    yield ids
    stack.app.control.revoke(ids, terminate=True, destination=[NODE])


def test_tasks_are_revoked_as_shown(
    stack: Stack, lab: Lab, worker: Worker, mark: str, endless: list[str]
) -> None:
    waiting = [
        stack.app.send_task("tests.sum", [n, n], {"label": mark}, countdown=LATER).id for n in range(9)
    ]
    other = stack.app.send_task("tests.sum", [1, 1], {"label": "another"}, countdown=LATER).id
    wait_until(lambda: {*waiting, other} <= worker.scheduled, 60, "the worker to hold them")
    desk = Desk.at(lab, "51-revoke")
    desk.run_all()
    panel = desk.panel("Revoke tasks")
    terminate = panel.field("terminate").locator("input[type=checkbox]")
    expect(terminate).not_to_be_checked()
    panel.fill("typed", mark)
    expect(panel.rows).to_have_count(11)

    # A row that is chosen in a sorted table is the one that is acted on.
    desk.click(panel.box.locator('.zumo-grid thead th:has-text("args")').first)
    last = panel.rows.last
    one = next(task_id for task_id in (*waiting, *endless) if task_id in last.inner_text())
    desk.click(last)
    expect(panel.confirm).to_have_text(re.compile(r"Revoke 1 task of tests\."))
    expect(panel.box.locator(".zumo-preview")).to_contain_text(one)

    panel.choose("which", "all that match")
    expect(panel.confirm).to_have_text("Revoke 11 tasks: 9 scheduled, 2 active")
    assert panel.box.locator("input[type=search]").count() == 0, "no table here has a filter of its own"
    desk.click(terminate)
    expect(panel.confirm).to_have_text("Terminate 2 running (TERM), revoke 9 waiting: 9 scheduled")

    stack.app.control.revoke(endless[0], terminate=True, destination=[NODE])  # somebody else was quicker
    came = stack.app.send_task("tests.sum", [7, 7], {"label": mark}, countdown=LATER).id
    wait_until(
        lambda: came in worker.scheduled and endless[0] not in worker.running, 60, "one to go, one to come"
    )
    already = worker.revoked
    panel.is_asked_again(
        "1 task left the list and 1 task came, which is not included", endless[0], came, "came, not included"
    )
    assert worker.revoked == already
    expect(panel.rows).to_have_count(10)
    expect(panel.field("typed").locator("input")).to_have_value(mark)
    receipt = panel.act("Terminate 1 running (TERM), revoke 9 waiting: 9 scheduled")
    assert "10 of 10 done" in receipt
    assert affected(stack, panel, "id") == sorted([*waiting, endless[1]])
    assert worker.revoked - already == {*waiting, endless[1]}
    assert endless[1] not in worker.running
    assert {came, other} <= worker.scheduled
    stack.app.control.revoke([came, other], destination=[NODE])
    assert errors(desk.page) == []


def test_failures_are_retried_as_shown(
    stack: Stack, lab: Lab, worker: Worker, mark: str, tmp_path: Path
) -> None:
    file = tmp_path / mark

    def fail(path: Path, count: int) -> list[str]:
        ids = [stack.app.send_task("tests.needs_file", [str(path), n]).id for n in range(count)]
        wait_until(lambda: stack.recorded(ids) == {"FAILURE"}, 60, "the history to know the failures")
        return ids

    failed = fail(file, 9)
    desk = Desk.at(lab, "52-retry")
    desk.run_all()
    panel = desk.panel("Retry failed tasks")
    assert panel.chosen("which") == "rows that I choose"
    panel.fill("typed", mark)
    expect(panel.rows).to_have_count(9)
    panel.choose("which", "all that match")
    expect(panel.confirm).to_have_text("Retry 9 of 9 failed tasks of tests.needs_file")
    assert panel.box.locator("input[type=search]").count() == 0

    file.touch()
    stack.zumo("retry", failed[0], "--yes")  # somebody else was quicker
    [came] = fail(tmp_path / f"{mark}-another", 1)
    panel.is_asked_again(
        "1 failed task left the list and 1 failed task came, which is not included", failed[0], came
    )
    receipt = panel.act("Retry 8 of 9 failed tasks of tests.needs_file")
    assert "8 of 8 done" in receipt
    assert affected(stack, panel, "id") == sorted(failed[1:])
    assert errors(desk.page) == []


def test_entries_are_switched_and_moved_as_shown(stack: Stack, lab: Lab) -> None:
    names = ["cleanup-old-login-history", "cleanup-old-messages", "cleanup-old-visits"]
    desk = Desk.at(lab, "53-reschedule")
    desk.run_all()
    panel = desk.panel("Enable, disable or run entries")
    assert panel.chosen("action") == "Disable"
    panel.fill("entries", "cleanup-old")
    expect(panel.field("entries").locator("select option").first).to_contain_text("cleanup-old")
    shown = panel.offered("entries")
    assert set(names) <= set(shown)
    assert all("cleanup-old" in name for name in shown)
    panel.field("entries").locator("select").select_option(label=names)
    expect(panel.confirm).to_have_text("Disable 3 entries")
    try:
        switch(stack, names[0], on=False)  # somebody else was quicker
        panel.is_asked_again("1 row left the list", names[0])
        panel.act("Disable 2 entries")
        assert affected(stack, panel, "entry") == names[1:]
        assert enabled(stack, shown) == {name: name not in names for name in shown}
    finally:
        for name in names:
            switch(stack, name, on=True)

    panel = desk.panel("Reschedule an entry")
    panel.fill("entry", HEALTH)
    panel.choose("kind", "at an interval")
    panel.fill("every", "7 h")
    expect(panel.confirm).to_contain_text(f"{HEALTH}: every 5 minutes → every 7 hours")
    expect(panel.confirm).to_be_enabled()
    row = "select interval_id from django_celery_beat_periodictask where name = ?"
    [(interval,)] = ask(stack, row, HEALTH)
    own = "update django_celery_beat_periodictask set interval_id = ? where name = ?"
    [(another,)] = ask(
        stack,
        "insert into django_celery_beat_intervalschedule (every, period) values (11, 'minutes') returning id",
    )
    try:
        ask(stack, own, another, HEALTH)
        panel.is_asked_again("1 row changed", "every 5 minutes → every 11 minutes")
        panel.act(f"{HEALTH}: every 11 minutes → every 7 hours")
        [(every,)] = ask(
            stack, f"select every from django_celery_beat_intervalschedule where id = ({row})", HEALTH
        )
        assert every == 7
    finally:
        ask(stack, own, interval, HEALTH)
    assert errors(desk.page) == []


def test_queues_limits_and_pools_change_as_shown(stack: Stack, lab: Lab, worker: Worker) -> None:
    stack.app.control.cancel_consumer("hr", destination=[NODE], reply=True)
    desk = Desk.at(lab, "54-queues-and-workers")
    desk.run_all()
    try:
        purge(stack, desk.panel("Pause, resume or purge a queue"))
    finally:
        stack.app.control.add_consumer("hr", destination=[NODE], reply=True)
    limit(stack, worker, desk.panel("Limit a task"))
    grow(stack, worker, desk.panel("Resize or end workers"))
    assert errors(desk.page) == []


def purge(stack: Stack, panel: Panel) -> None:
    """What came to a queue since the preview is counted before it is thrown away."""
    send = stack.app.send_task
    for n in range(3):
        send("tests.sum", [n, n], queue="hr")
    assert panel.chosen("action") == "Pause"
    panel.pick("queue", "hr")
    panel.choose("action", "Purge")
    expect(panel.confirm).to_have_text("Purge 3 messages from queue hr")
    for name in ("tests.sum", "tests.endless"):
        send(name, [1, 2], queue="hr")
    panel.is_asked_again("1 row changed and 1 row came", "count: 3 → 4", "tests.endless")
    assert "5 messages purged" in panel.act("Purge 5 messages from queue hr")
    assert depths(stack.app).set_index("queue")["ready"]["hr"] == 0


def limit(stack: Stack, worker: Worker, panel: Panel) -> None:
    """A limit that somebody else has set since the preview is shown before it is replaced."""
    panel.fill("task", "tests.sum")
    panel.fill("rate", "10/m")
    expect(panel.confirm).to_have_text("Rate limit of tests.sum: 10/m on 1 worker")
    expect(panel.confirm).to_be_enabled()
    stack.app.control.rate_limit("tests.sum", "7/m", destination=[NODE], reply=True)
    panel.is_asked_again("1 row changed", "7/m")
    panel.act("Rate limit of tests.sum: 10/m on 1 worker")
    assert affected(stack, panel, "before") == ["7/m"]
    assert worker.rate("tests.sum") == "10/m"
    stack.app.control.rate_limit("tests.sum", "0", destination=[NODE], reply=True)


def grow(stack: Stack, worker: Worker, panel: Panel) -> None:
    """A pool that somebody else has resized since the preview is shown at its new size."""
    assert panel.chosen("action") == "Grow"
    panel.fill("workers", NODE)
    assert panel.offered("workers") == [NODE]
    expect(panel.confirm).to_have_text(f"Grow {NODE} by 1 process")
    expect(panel.confirm).to_be_enabled()
    stack.app.control.pool_grow(1, destination=[NODE], reply=True)
    wait_until(lambda: worker.processes == PROCESSES + 1, 30, "the pool to grow")
    panel.is_asked_again("1 row changed", f"before: {PROCESSES} → {PROCESSES + 1}")
    panel.act(f"Grow {NODE} by 1 process")
    assert worker.processes == PROCESSES + 2
    stack.app.control.pool_shrink(2, destination=[NODE], reply=True)


def test_the_action_that_is_shown_is_taken_back(stack: Stack, lab: Lab) -> None:
    names = ["cleanup-old-messages", "cleanup-old-visits"]
    stack.python(
        "from zumolib import control; from zumolib.database import orm; from zumolib.deployment import target; orm.ready(); app = target.app()\n"
        f"for name in {names}: control.apply(control.switch.plan(app, name, on=False), allow=True)\n"
        "print('[]')"
    )
    desk = Desk.at(lab, "59-actions")
    desk.run_all()
    panel = desk.panel("Actions")
    panel.fill("target", "cleanup-old-visits")
    expect(panel.rows).to_have_count(1)
    panel.fill("target", "cleanup-old")
    for name in names:
        desk.click(panel.row(name))
        expect(panel.confirm).to_have_text(f"Enable {name}")
    expect(panel.box.locator(".zumo-grid tr.selected")).to_have_count(1)  # one is taken back at a time
    expect(panel.confirm).to_be_enabled()
    switch(stack, names[1], on=True)  # somebody else was quicker
    desk.click(panel.confirm)
    expect(panel.box).to_contain_text("Nothing is left to do: 1 row left the list")
    expect(panel.confirm).to_be_disabled()
    assert enabled(stack, names) == {names[0]: False, names[1]: True}

    desk.click(panel.row(names[0]))
    panel.act(f"Enable {names[0]}")
    assert enabled(stack, names) == dict.fromkeys(names, True)
    assert errors(desk.page) == []
