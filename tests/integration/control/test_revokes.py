"""Revoke: what Celery says afterwards, and what the receipt does."""

from __future__ import annotations

import pytest
from celery.utils import uuid

from tests.integration.control.conftest import ONE, TWO, System
from tests.waiting import wait_until
from zumolib import control
from zumolib.errors import InputError
from zumolib.inspection import messages


def send(system: System, count: int, *args: object, countdown: float = 900, queue: str = "hr") -> list[str]:
    return [
        system.app.send_task("tests.sleepy", args, countdown=countdown, queue=queue).id for _ in range(count)
    ]


def test_revoke_affects_exactly_what_its_preview_shows(system: System) -> None:
    marked, other = send(system, 3, 7.25), send(system, 2, 8.5)
    elsewhere = send(system, 1, 7.25, queue="emails")
    wait_until(lambda: {*marked, *other, *elsewhere} <= set(system.scheduled()), 20, "workers to hold all")
    plan = control.revoke.plan(
        system.app, name="tests.*", queue="hr", state="scheduled", args="7.25", seen=system.seen
    )
    assert set(plan.preview["id"]) == set(marked)
    assert set(plan.preview["state"]) == {"scheduled"}
    assert plan.summary == "revoke 3 tasks of tests.sleepy: 3 scheduled"
    receipt = control.apply(plan, reason="too many")
    assert (receipt.state, receipt.verified) == ("done", True)
    assert receipt.checked.observed == "2 of 2 workers hold the revoke"
    assert receipt.checked.lasting == f"until each restarts; {ONE}, {TWO} may not keep it on disk"
    assert receipt.checked.at is not None
    assert receipt.started_at <= receipt.checked.at
    for node, ids in system.ask("revoked").items():
        assert set(marked) <= set(ids), f"{node} knows of them"
        assert not {*other, *elsewhere} & set(ids), f"{node} knows of no other"
    assert [system.state(task_id) for task_id in marked] == ["REVOKED"] * 3
    assert {row["id"] for row in receipt.affected} == set(marked)
    assert {step["target"] for step in receipt.steps} == set(marked)
    control.apply(control.revoke.plan(system.app, [*other, *elsewhere], seen=system.seen))


def test_terminate_ends_a_task_that_runs_and_its_worker_lives(system: System) -> None:
    runaway, harmless = (system.app.send_task("tests.sleepy", [60.0], queue="emails").id for _ in range(2))
    wait_until(lambda: _active(system) >= {runaway, harmless}, 20, "both to run")
    plan = control.revoke.plan(system.app, [runaway], terminate=True, signal="KILL", seen=system.seen)
    assert plan.summary == "terminate 1 running (KILL) of tests.sleepy"
    assert plan.preview["age"][0] >= 0
    assert "may by then run another task" in " ".join(plan.caveats)
    receipt = control.apply(plan)
    assert receipt.verified
    assert wait_until(lambda: system.state(runaway) == "REVOKED", 10, "the state of the runaway")
    assert harmless in _active(system)
    control.apply(control.revoke.plan(system.app, [harmless], terminate=True, seen=system.seen))


def _active(system: System) -> set[str]:
    return {item["id"] for items in system.ask("active").values() for item in items}


def test_a_revoke_by_age_takes_the_old_ones_only(system: System) -> None:
    old = system.app.send_task("tests.sleepy", [30.0], queue="emails").id
    wait_until(lambda: old in _active(system), 20, "it to run")
    aged = wait_until(
        lambda: list(
            control.revoke.plan(system.app, older=1.0, name="tests.*", seen=system.seen).preview["id"]
        ),
        10,
        "it to be old enough",
    )
    assert aged == [old]
    assert control.revoke.plan(system.app, older=3_600, seen=system.seen).preview.empty
    control.apply(control.revoke.plan(system.app, [old], terminate=True, seen=system.seen))


def test_what_waits_in_a_queue_is_revoked_where_the_broker_shows_it(system: System) -> None:
    pause = control.apply(control.pause.plan(system.app, "payments", seen=system.seen))
    waiting = send(system, 4, 0.0, countdown=0, queue="payments")
    plan = control.revoke.plan(system.app, queue="payments", state="queued", seen=system.seen)
    if system.broker == "rabbitmq":
        assert plan.preview.empty
        assert messages.NOT_ALLOWED in " ".join(plan.caveats)
        with pytest.raises(InputError, match="nothing to do"):
            control.apply(plan)
        control.apply(control.revoke.plan(system.app, waiting, anyway=True, seen=system.seen))
    else:
        assert set(plan.preview["id"]) == set(waiting)
        control.apply(plan)
    control.undo(system.app, pause.id)
    wait_until(lambda: {system.state(i) for i in waiting} == {"REVOKED"}, 20, "them to be dropped")


def test_an_id_that_nobody_knows_is_refused(system: System) -> None:
    plan = control.revoke.plan(system.app, ["not-an-id"], seen=system.seen)
    assert plan.preview.empty
    [reason] = plan.refused["reason"]
    if system.broker == "valkey":
        who = "unknown to every worker, to the broker, to the result backend and to history;"
    else:
        who = "unknown to every worker, to the result backend and to history; this broker does not show"
    assert reason.startswith(who)
    with pytest.raises(InputError, match="nothing to do: revoke none of 1 tasks, as not-an-id: unknown"):
        control.apply(plan)
    assert system.state("not-an-id") == "PENDING"


def test_an_id_on_its_way_is_revoked_all_the_same_and_marked(system: System) -> None:
    task_id = uuid()
    plan = control.revoke.plan(system.app, [task_id], anyway=True, seen=system.seen)
    receipt = control.apply(plan)
    assert (receipt.state, receipt.checked.verdict) == ("done", "unknown")
    assert receipt.checked.observed == "2 of 2 workers hold the revoke, and nobody knows this id"
    system.app.send_task("tests.sleepy", [0.0], task_id=task_id, queue="hr")
    marker = system.app.send_task("tests.sleepy", [0.0], queue="hr")
    marker.get(timeout=20)
    assert system.state(task_id) == "REVOKED"


def test_a_task_that_has_ended_is_not_revoked(system: System) -> None:
    ended = system.app.send_task("tests.sleepy", [0.0])
    ended.get(timeout=20)
    plan = control.revoke.plan(system.app, [ended.id], seen=system.seen)
    assert plan.preview.empty
    assert plan.refused["reason"][0].startswith("it has ended (SUCCESS, says the result backend)")


@pytest.mark.parametrize("task_id", ["", " ", "a\nb", "x" * 256])
def test_what_cannot_be_an_id_is_refused(system: System, task_id: str) -> None:
    with pytest.raises(InputError, match="cannot be a task's id"):
        control.revoke.plan(system.app, [task_id], anyway=True, seen=system.seen)


def test_an_unknown_id_is_shown_as_such(system: System) -> None:
    plan = control.revoke.plan(system.app, ["no-such-task"], anyway=True, seen=system.seen)
    assert plan.preview[["id", "state"]].to_dict("records") == [{"id": "no-such-task", "state": "unknown"}]
    assert "turns REVOKED although no such task may exist" in " ".join(plan.caveats)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, "revoke which tasks"),
        ({"state": "running"}, "state='running': expected one of active, reserved"),
        ({"name": "x", "signal": "NOPE"}, "signal='NOPE'"),
        ({"older": -1}, "older=-1"),
    ],
)
def test_a_revoke_that_cannot_be_is_refused(system: System, arguments: dict[str, object], error: str) -> None:
    with pytest.raises(InputError, match=error):
        control.revoke.plan(system.app, **arguments)  # type: ignore[arg-type]
