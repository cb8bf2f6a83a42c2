"""Pause, resume and purge, seen from Celery's own inspect and from the broker."""

from __future__ import annotations

import pytest

from tests.integration.control.conftest import ONE, TWO, System
from tests.waiting import wait_until
from zumolib import control
from zumolib.errors import InputError
from zumolib.inspection.queues import depths
from zumolib.receipts import book, pauses


def consumed(system: System) -> dict[str, set[str]]:
    """Queues by worker."""
    return {node: {queue["name"] for queue in queues} for node, queues in system.ask("active_queues").items()}


def depth(system: System, queue: str) -> int:
    return int(depths(system.app).set_index("queue")["ready"].fillna(0)[queue])


def test_a_pause_stops_every_worker_that_consumes_and_a_resume_starts_the_same(system: System) -> None:
    before = consumed(system)
    plan = control.pause.plan(system.app, "hr", seen=system.seen)
    assert list(plan.preview["worker"]) == [ONE, TWO]
    for row in plan.preview.itertuples():
        assert set(row.consumes) == before[row.worker]
        assert set(row.will_consume) == before[row.worker] - {"hr"}
    assert consumed(system) == before, "a plan changes nothing"
    receipt = control.apply(plan, reason="a test")
    assert (receipt.state, receipt.verified) == ("done", True)
    assert consumed(system) == {node: queues - {"hr"} for node, queues in before.items()}
    assert pauses.paused()["hr"] == [ONE, TWO]

    waiting = system.app.send_task("tests.sleepy", queue="hr")
    wait_until(lambda: depth(system, "hr") == 1, 10, "the task to wait")
    other = system.app.send_task("tests.sleepy", queue="ats")
    other.get(timeout=20)
    assert waiting.state == "PENDING"

    plan = control.resume.plan(system.app, "hr", seen=system.seen)
    assert list(plan.preview["worker"]) == [ONE, TWO]
    receipt = control.apply(plan)
    assert (receipt.state, receipt.verified) == ("done", True)
    assert consumed(system) == before
    waiting.get(timeout=20)
    assert "hr" not in pauses.paused()


def test_a_pause_is_undone_where_it_was_done(system: System) -> None:
    before = consumed(system)
    paused = control.apply(control.pause.plan(system.app, "hr", seen=system.seen, only=[TWO]))
    assert consumed(system) == {**before, TWO: before[TWO] - {"hr"}}
    undone = control.undo(system.app, paused.id, reason="over")
    assert (undone.action, undone.undoes, undone.verified) == ("resume", paused.id, True)
    assert consumed(system) == before
    assert book.read(paused.id).undone_by == undone.id
    with pytest.raises(InputError, match=f"receipt {paused.id} was undone already, by receipt {undone.id}"):
        control.undo(system.app, paused.id)


def test_a_queue_that_nobody_consumes_cannot_be_paused(system: System) -> None:
    with pytest.raises(InputError, match=r"no worker consumes from 'nowhere' \(2 of 2 workers replied"):
        control.pause.plan(system.app, "nowhere", seen=system.seen)


def test_a_resume_without_a_pause_asks_who(system: System) -> None:
    # Receipts know queues by name; each broker's run of this test takes one that no other test pauses.
    queue = {"valkey": "notifications", "rabbitmq": "celery"}[system.broker]
    with pytest.raises(InputError, match=f"no pause of '{queue}' is on record; name the workers"):
        control.resume.plan(system.app, queue, seen=system.seen)
    receipt = control.apply(control.resume.plan(system.app, queue, seen=system.seen, only=[TWO]))
    assert queue in consumed(system)[TWO]
    control.undo(system.app, receipt.id)
    assert queue not in consumed(system)[TWO]


def test_a_purge_throws_away_what_its_preview_counts(system: System) -> None:
    pause = control.apply(control.pause.plan(system.app, "analytics", seen=system.seen))
    for name, count in (("tests.sleepy", 3), ("tests.login", 2)):
        for _ in range(count):
            system.app.send_task(name, ["ann", "x"] if "login" in name else [], queue="analytics")
    wait_until(lambda: depth(system, "analytics") == 5, 10, "all to wait")
    plan = control.purge.plan(system.app, "analytics")
    counts = dict(zip(plan.preview["task"], plan.preview["count"], strict=True))
    if system.broker == "valkey":
        assert counts == {"tests.sleepy": 3, "tests.login": 2}
    else:
        assert counts == {control.purge.UNREAD: 5}
    assert depth(system, "analytics") == 5
    receipt = control.apply(plan)
    assert (receipt.state, receipt.verified, receipt.after["purged"]) == ("done", True, 5)
    assert receipt.outcome == "5 messages purged"
    assert depth(system, "analytics") == 0
    with pytest.raises(InputError, match="what was purged is gone"):
        control.undo(system.app, receipt.id)
    with pytest.raises(InputError, match="nothing to do: queue analytics is empty"):
        control.apply(control.purge.plan(system.app, "analytics"))
    control.undo(system.app, pause.id)


def test_a_purge_that_meets_more_than_it_planned_says_so(system: System) -> None:
    pause = control.apply(control.pause.plan(system.app, "analytics", seen=system.seen))
    system.app.send_task("tests.sleepy", queue="analytics")
    wait_until(lambda: depth(system, "analytics") == 1, 10, "it to wait")
    plan = control.purge.plan(system.app, "analytics")
    system.app.send_task("tests.sleepy", queue="analytics")
    wait_until(lambda: depth(system, "analytics") == 2, 10, "the other to wait")
    receipt = control.apply(plan)
    assert receipt.outcome == "2 messages purged; 1 were there when it was planned"
    control.undo(system.app, pause.id)


def test_a_purge_of_no_queue_is_refused(system: System) -> None:
    with pytest.raises(InputError, match="there is no queue 'nowhere'; there are: default, emails"):
        control.purge.plan(system.app, "nowhere")
