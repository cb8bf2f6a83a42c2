"""The acting notebooks in JupyterLab, by clicks and keys, before and after the broker was restarted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.acceptance.stack import Stack
from tests.browser.acting import VERIFIED, Desk, Panel
from tests.browser.lab import Lab, errors
from tests.browser.tasks import HOSTILE
from tests.browser.worker import NODE, PROCESSES, Worker
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(400)  # seconds; a quiet machine needs 15

ENTRY = "celery-health-check"
FAILURES = 50
RESTARTED = "broker restarted"


@pytest.fixture(scope="module", params=["broker as started", RESTARTED], autouse=True)
def broker(request: pytest.FixtureRequest, stack: Stack, worker: Worker) -> str:
    """The broker, the second time after a restart on which everybody has come back by himself."""
    if request.param == RESTARTED:
        restart(stack, worker)
    return str(request.param)


def restart(stack: Stack, worker: Worker) -> None:
    """Restart the broker, and wait until the worker has come back."""
    stack.stop_service("valkey")
    stack.start_service("valkey")
    wait_until(worker.answers, 120, f"the worker to come back, see {worker.log}")


@pytest.fixture
def endless(stack: Stack) -> Iterator[str]:
    """A task that runs until it is ended."""
    task_id = stack.app.send_task("tests.endless").id
    wait_until(lambda: stack.states([task_id]) == {"STARTED"}, 60, "the task to run")
    yield task_id
    stack.app.control.revoke(task_id, terminate=True, destination=[NODE])


def row(stack: Stack, name: str) -> dict[str, object]:
    """An entry and its interval, as the database has them."""
    query = (
        "select p.total_run_count, p.enabled, i.every, i.period from django_celery_beat_periodictask p"
        " left join django_celery_beat_intervalschedule i on i.id = p.interval_id where p.name = ?"
    )
    with sqlite3.connect(stack.home / "zumodra.sqlite3") as connection:
        runs, enabled, every, period = connection.execute(query, (name,)).fetchone()
    return {"runs": runs, "enabled": bool(enabled), "interval": (every, period)}


def test_a_task_is_called_and_its_result_seen(stack: Stack, lab: Lab, worker: Worker, broker: str) -> None:
    desk = Desk.at(lab, "50-call")
    desk.run_all()
    panel = desk.panel("Call a task")
    panel.fill("task", "no such task")
    panel.refuses("task", "no task contains 'no such task'")
    panel.fill("task", "tests.sum")
    panel.refuses("argument_first", "first is required")
    panel.fill("argument_first", "two")
    panel.refuses("argument_first", "'two' is no int; write a whole number like 30")
    panel.fill("argument_first", "2")
    panel.fill("argument_second", "40")
    panel.fill("priority", "77")
    panel.refuses("priority", "this broker knows 0 to 9")
    panel.fill("priority", "")
    panel.fill("start", "soon")
    panel.refuses("start", "write it like 10 min")
    panel.fill("start", "")
    if broker == RESTARTED:  # once more, beneath a notebook whose kernel has spoken with it
        restart(stack, worker)
    panel.box.locator(".zumo-reason input").fill("to see that it adds")
    receipt = panel.act("Call tests.sum(first=2, second=40) on queue default")
    assert VERIFIED.search(receipt)
    assert "to see that it adds" in receipt
    expect(panel.box.locator('.zumo-state[data-state="SUCCESS"]')).to_be_visible()
    expect(panel.box.locator(".zumo-result")).to_have_text("{'sum': 42}")
    assert errors(desk.page) == []


def test_a_call_in_ten_minutes_is_revoked(lab: Lab, worker: Worker) -> None:
    desk = Desk.at(lab, "50-call")
    desk.run_all()
    panel = desk.panel("Call a task")
    panel.fill("task", "tests.endless")
    panel.fill("start", "10 min")
    panel.act("Call tests.endless() on queue default at")
    task_id = panel.box.locator(".zumo-following .zumo-hint").inner_text().split()[2]
    wait_until(lambda: task_id in worker.scheduled, 60, "the worker to hold it")

    desk = Desk.at(lab, "51-revoke")
    desk.run_all()
    panel = desk.panel("Revoke tasks")
    panel.fill("older", "a while")
    panel.refuses("older", "write it like 90 s, 10 min")
    panel.fill("older", "")
    desk.click(panel.row(task_id))
    assert VERIFIED.search(panel.act("Revoke 1 task of tests.endless: 1 scheduled"))
    assert task_id in worker.revoked
    assert errors(desk.page) == []


def test_from_the_index_a_runaway_task_is_ended_within_five_clicks(
    stack: Stack, lab: Lab, worker: Worker, endless: str
) -> None:
    desk = Desk.at(lab, "README")
    desk.follow("51-revoke")
    desk.run_all()
    panel = desk.panel("Revoke tasks")
    desk.click(panel.row("tests.endless"))
    desk.click(panel.field("terminate").locator("input[type=checkbox]"))
    receipt = panel.act("Terminate 1 running (TERM) of tests.endless")
    assert desk.clicks <= 5
    assert VERIFIED.search(receipt)
    assert endless not in worker.running
    assert stack.states([endless]) == {"REVOKED"}


def test_queues_limits_and_pools_are_changed_by_clicks(stack: Stack, lab: Lab, worker: Worker) -> None:
    desk = Desk.at(lab, "54-queues-and-workers")
    desk.run_all()
    pause_purge_and_resume(stack, worker, desk.panel("Pause, resume or purge a queue"))
    limit_and_undo(worker, desk.panel("Limit a task"))
    grow_and_shrink(worker, desk.panel("Resize or end workers"))
    assert errors(desk.page) == []


def pause_purge_and_resume(stack: Stack, worker: Worker, panel: Panel) -> None:
    """What is sent while a queue is paused waits; what is purged never runs."""
    panel.pick("queue", "hr")
    panel.choose("action", "Resume")
    panel.refuses("queue", "no pause of 'hr' is on record")
    panel.choose("action", "Pause")
    assert VERIFIED.search(panel.act("Pause queue hr on 1 worker"))
    assert worker.queues == set(stack.app.amqp.queues) - {"hr"}
    panel.choose("action", "Resume")
    panel.choose("action", "Pause")
    panel.refuses("queue", "no worker consumes from 'hr'")

    purged = [stack.app.send_task("tests.sum", args=[1, n], queue="hr").id for n in range(3)]
    panel.choose("action", "Purge")
    assert "3 messages purged" in panel.act("Purge 3 messages from queue hr")
    later = stack.app.send_task("tests.sum", args=[1, 2], queue="hr").id
    panel.choose("action", "Resume")
    assert VERIFIED.search(panel.act("Resume queue hr on 1 worker"))
    assert worker.queues == set(stack.app.amqp.queues)
    wait_until(lambda: stack.states([later]) == {"SUCCESS"}, 60, "what waited to run")
    assert stack.states(purged) == {"PENDING"}  # Celery's word for what it knows nothing of
    panel.choose("action", "Purge")
    expect(panel.box).to_contain_text("Nothing to do: queue hr is empty")
    expect(panel.confirm).to_be_disabled()


def limit_and_undo(worker: Worker, panel: Panel) -> None:
    """A rate limit holds in the worker until it is taken back."""
    panel.fill("task", "no such task")
    panel.refuses("task", "no task contains 'no such task'")
    panel.fill("task", "tests.sum")
    panel.fill("rate", "fast")
    panel.refuses("rate", "'fast' is no rate; write it like 10/s")
    panel.fill("rate", "10/m")
    assert VERIFIED.search(panel.act("Rate limit of tests.sum: 10/m on 1 worker"))
    assert worker.rate("tests.sum") == "10/m"
    panel.undo()
    assert worker.rate("tests.sum") is None


def grow_and_shrink(worker: Worker, panel: Panel) -> None:
    """The worker has one process more, then as many as before."""
    panel.fill("workers", NODE)
    panel.fill("count", "two")
    panel.refuses("count", "'two' is no whole number; write it like 2")
    panel.fill("count", "1")
    assert VERIFIED.search(panel.act(f"Grow {NODE} by 1 process"))
    assert worker.processes == PROCESSES + 1
    panel.choose("action", "Shrink")
    panel.fill("count", "9")
    panel.refuses("count", f"has {PROCESSES + 1} processes; shrink it by {PROCESSES} at most")
    panel.fill("count", "1")
    assert VERIFIED.search(panel.act(f"Shrink {NODE} by 1 process"))
    assert worker.processes == PROCESSES


def test_fifty_failed_tasks_are_retried_at_once(stack: Stack, lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "there"
    ids = [stack.app.send_task("tests.needs_file", args=[str(file), n]).id for n in range(FAILURES)]
    wait_until(lambda: stack.states(ids) == {"FAILURE"}, 60, "all to fail")
    wait_until(lambda: stack.recorded(ids) == {"FAILURE"}, 60, "the history to know it")
    file.touch()

    desk = Desk.at(lab, "52-retry")
    desk.run_all()
    panel = desk.panel("Retry failed tasks")
    panel.fill("since", "yesterday")
    panel.refuses("since", "write it like 90 s, 10 min")
    panel.fill("since", "1 h")
    panel.fill("name", "tests.needs_file")
    panel.fill("error", str(file))
    panel.choose("which", "all that match")
    receipt = panel.act(f"Retry {FAILURES} of {FAILURES} failed tasks of tests.needs_file")
    assert f"{FAILURES} of {FAILURES} done" in receipt
    again = wait_until(lambda: retried(stack, panel.receipt.get_attribute("data-receipt")), 60, "new ids")
    wait_until(lambda: stack.states(again) == {"SUCCESS"}, 60, "all to succeed")
    assert len(again) == FAILURES
    assert sorted(stack.app.AsyncResult(i).result for i in again) == list(range(FAILURES))


def retried(stack: Stack, receipt: str | None) -> list[str]:
    """Ids of the new runs, as the receipt has them."""
    with sqlite3.connect(stack.home / "zumodra.sqlite3") as connection:
        [(after,)] = connection.execute("select after from receipts_receipt where id = ?", (receipt,))
    return list(json.loads(after).values())


def test_an_entry_is_rescheduled_fires_at_its_new_times_and_is_put_back(stack: Stack, lab: Lab) -> None:
    before = row(stack, ENTRY)
    desk = Desk.at(lab, "53-reschedule")
    desk.run_all()
    panel = desk.panel("Reschedule an entry")
    panel.fill("entry", ENTRY)
    panel.fill("cron", "61 * * * *")
    panel.refuses("cron", "61")
    panel.fill("cron", "* * *")
    panel.refuses("cron", "a crontab has five")
    panel.choose("kind", "at an interval")
    panel.fill("every", "often")
    panel.refuses("every", "write it like 90 s")
    panel.fill("every", "3 s")
    expect(panel.box.locator(".js-plotly-plot .main-svg").nth(2)).to_be_visible()  # before, and after
    receipt = panel.act(f"{ENTRY}: every 5 minutes → every 3 seconds")
    assert VERIFIED.search(receipt)
    assert row(stack, ENTRY)["interval"] == (3, "seconds")
    runs = int(str(before["runs"]))
    wait_until(lambda: int(str(row(stack, ENTRY)["runs"])) >= runs + 2, 60, "beat to fire it twice")

    panel.undo()
    assert row(stack, ENTRY)["interval"] == before["interval"]
    assert errors(desk.page) == []


def test_hostile_texts_are_shown_and_do_nothing(stack: Stack, lab: Lab) -> None:
    failed = stack.app.send_task("tests.hostile", args=[HOSTILE], kwargs={"fail": True}).id
    wait_until(lambda: stack.recorded([failed]) == {"FAILURE"}, 60, "the history to know the failure")

    desk = Desk.at(lab, "50-call")
    desk.run_all()
    panel = desk.panel("Call a task")
    panel.fill("task", "tests.hostile")
    panel.fill("argument_text", HOSTILE)
    panel.box.locator(".zumo-reason input").fill(HOSTILE)
    assert "<img src=x" in panel.act("Call tests.hostile(")
    result = panel.box.locator(".zumo-result")
    expect(result).to_contain_text("<img src=x")
    expect(result).to_contain_text("(cut, ")  # of a megabyte
    assert desk.page.evaluate("window.hacked") is None

    desk = Desk.at(lab, "52-retry")
    desk.run_all()
    panel = desk.panel("Retry failed tasks")
    panel.fill("name", "tests.hostile")
    expect(panel.row("tests.hostile")).to_contain_text("<img src=x")
    desk.click(panel.row("tests.hostile"))
    expect(panel.confirm).to_contain_text("Retry 1 failed task of tests.hostile")
    assert desk.page.evaluate("window.hacked") is None
    assert not desk.page.locator(".zumo-panel img").count()
