"""Retry: what Celery says afterwards, and what the receipt does."""

from __future__ import annotations

from threading import Event

import pytest
from celery.utils import uuid

from tests.integration.control.conftest import System
from tests.waiting import wait_until
from zumolib import control
from zumolib.errors import InputError


def fail(system: System, count: int) -> list[str]:
    ids = [
        system.app.send_task("tests.login", [f"user {n}", "hunter2"], {"fail": True}, queue="hr").id
        for n in range(count)
    ]
    wait_until(lambda: {system.state(i) for i in ids} == {"FAILURE"}, 30, "all to fail")
    return ids


def test_failed_tasks_are_retried_from_their_real_arguments(system: System) -> None:
    failed = fail(system, 50)
    succeeded = system.app.send_task("tests.sleepy")
    succeeded.get(timeout=20)
    plan = control.retry.plan(system.app, [*failed, succeeded.id, "never-sent"])
    assert list(plan.preview["id"]) == failed
    assert set(plan.preview["queue"]) == {"hr"}
    assert dict(zip(plan.refused["id"], plan.refused["reason"], strict=True)) == {
        succeeded.id: "its state is SUCCESS, not FAILURE",
        "never-sent": "its state is PENDING, not FAILURE",
    }
    steps: list[tuple[int, int]] = []
    receipt = control.apply(plan, progress=lambda done, total: steps.append((done, total)))
    assert receipt.state == "done"
    assert steps[-1] == (50, 50)
    new = list(plan.preview["new_id"])
    wait_until(lambda: {system.state(i) for i in new} == {"FAILURE"}, 30, "the new ones to have run")
    for old_id, new_id in zip(failed, new, strict=True):
        old, again = system.app.backend.get_task_meta(old_id), system.app.backend.get_task_meta(new_id)
        for key in ("name", "args", "kwargs", "queue"):
            assert again[key] == old[key]
    assert again["args"][1] == "hunter2"
    assert "hunter2" not in repr((receipt, plan.preview.to_dict()))
    assert receipt.after == dict(zip(failed, new, strict=True))

    once_more = control.retry.plan(system.app, failed)
    assert once_more.preview.empty
    assert f"retried already, see receipt {receipt.id}" in once_more.refused["reason"][0]
    assert len(control.retry.plan(system.app, failed, again=True).preview) == 50


# what a result keeps of its arguments
KEPT = [
    {},  # without result_extended
    {"name": "tests.sleepy", "args": None, "kwargs": None},
    {"name": "tests.sleepy", "args": "(60.0,)", "kwargs": "{}"},  # representations
    {"name": "tests.sleepy", "args": "(60.0, ...", "kwargs": {}},
]


@pytest.mark.parametrize("kept", KEPT)
def test_without_real_arguments_a_retry_is_refused(system: System, kept: dict[str, object]) -> None:
    task_id, backend = uuid(), system.app.backend
    meta = {"status": "FAILURE", "result": None, **kept}
    backend.client.set(backend.get_key_for_task(task_id), backend.encode(meta), ex=60)
    plan = control.retry.plan(system.app, [task_id])
    assert plan.preview.empty
    assert "keeps no arguments; set result_extended" in plan.refused["reason"][0]
    with pytest.raises(InputError, match=r"nothing to do: retry none of 1 tasks \(its result keeps no"):
        control.apply(plan)


def test_a_message_that_still_lies_there_has_real_arguments(system: System) -> None:
    """As with a task that was given back to its queue after its failure was stored."""
    task_id, backend = uuid(), system.app.backend
    system.app.send_task("tests.login", ["ann", "hunter2"], countdown=900, task_id=task_id)
    wait_until(lambda: task_id in system.scheduled(), 20, "a worker to hold it")
    meta = {"status": "FAILURE", "result": None}
    backend.client.set(backend.get_key_for_task(task_id), backend.encode(meta), ex=60)
    plan = control.retry.plan(system.app, [task_id])
    if system.broker == "rabbitmq":
        assert plan.preview.empty
    else:
        assert list(plan.preview["source"]) == ["message"]
        assert plan.tasks[0].args == ("ann", "hunter2")
        assert "hunter2" not in repr(plan.preview.to_dict())
    control.apply(control.revoke.plan(system.app, [task_id], seen=system.seen))


def test_a_bulk_action_can_be_cancelled_in_the_middle(system: System) -> None:
    failed = fail(system, 5)
    stop = Event()
    plan = control.retry.plan(system.app, failed)
    receipt = control.apply(plan, cancelled=stop, progress=lambda done, _: stop.set() if done == 2 else None)
    assert (receipt.state, len(receipt.after)) == ("cancelled", 2)
    assert set(receipt.after) == set(failed[:2])
    new = dict(zip(failed, plan.preview["new_id"], strict=True))
    wait_until(lambda: {system.state(new[i]) for i in failed[:2]} == {"FAILURE"}, 20, "the first two")
    assert {system.state(new[i]) for i in failed[2:]} == {"PENDING"}
    assert set(control.retry.plan(system.app, failed).preview["id"]) == set(failed[2:])
