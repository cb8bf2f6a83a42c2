"""Call, follow, revoke, retry: what Celery says afterwards, and what the receipt does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from celery.utils import uuid

from tests.integration.control.conftest import ONE, TWO, System
from tests.waiting import wait_until
from zumolib import control
from zumolib.errors import ControlError, InputError
from zumolib.inspection import messages
from zumolib.masking import MASK


def test_registered_tasks_tell_their_signatures(system: System) -> None:
    known = control.catalog.tasks(system.app, nodes=system.nodes)
    login = known["tests.login"]
    assert login.signature == "(user: str, password: str, *, card_number: str = '', fail: bool = False)"
    assert login.workers == system.nodes
    assert login.queue == "default"
    assert login.doc.startswith("Take arguments that nobody should see")
    registered = system.ask("registered")
    assert set(known) == {line.partition(" [")[0] for lines in registered.values() for line in lines}


def test_a_call_runs_and_is_followed_to_its_result(system: System) -> None:
    plan = control.call.plan(
        system.app, "tests.sleepy", [4.0], queue="emails"
    )  # longer than a busy machine takes to follow
    assert plan.preview.to_dict("records")[0] | {"priority": None, "eta": None, "expires": None} == {
        "id": plan.task_id, "task": "tests.sleepy", "queue": "emails", "args": "4.0", "priority": None,
        "eta": None, "expires": None,
    }  # fmt: skip
    assert system.state(plan.task_id) == "PENDING", "a plan sends nothing"
    receipt = control.apply(plan, reason="a test", actor="tester")
    seen: list[str] = []
    found = control.follow(
        system.app, plan.task_id, timeout=30, changed=lambda change: seen.append(change.state)
    )
    assert (found.state, found.ready) == ("SUCCESS", True)
    assert found.result == system.app.AsyncResult(plan.task_id).get()
    assert seen == ["STARTED", "SUCCESS"]
    assert system.app.backend.get_task_meta(plan.task_id)["queue"] == "emails"
    assert (receipt.state, receipt.verified, receipt.actor, receipt.reason) == (
        *("done", True, "tester", "a test"),
    )
    assert receipt.after == {"id": plan.task_id}
    assert receipt.how_to_undo.startswith("cannot be undone: a message that was sent cannot be called back")


def test_a_call_is_followed_among_others(system: System) -> None:
    plan = control.call.plan(system.app, "tests.sleepy", [4.0])
    control.apply(plan)
    system.app.send_task("tests.flaky", ["value", 1])
    found = control.follow(system.app, plan.task_id, timeout=30)
    assert [change.state for change in found.changes if change.state != "PENDING"] == ["STARTED", "SUCCESS"]


def test_no_state_falls_between_the_first_look_and_the_waiting(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = control.call.plan(system.app, "tests.sleepy", [1.0])

    class Hesitant(system.app.AsyncResult):  # type: ignore[name-defined, misc]
        @property
        def state(self) -> str:
            found = super().state
            if found == "PENDING":
                control.apply(plan)
                state = system.app.backend.get_state
                wait_until(lambda: state(plan.task_id) == "STARTED", 30, "the task to start")
            return str(found)

    with monkeypatch.context() as patched:
        patched.setattr(system.app, "AsyncResult", Hesitant)
        found = control.follow(system.app, plan.task_id, timeout=30)
    assert [change.state for change in found.changes] == ["STARTED", "SUCCESS"]


def test_a_call_that_takes_longer_is_given_up_and_goes_on(system: System) -> None:
    plan = control.call.plan(system.app, "tests.sleepy", [2.0])
    control.apply(plan)
    found = control.follow(system.app, plan.task_id, timeout=0.3)
    assert not found.ready
    assert found.state in ("PENDING", "STARTED")
    assert control.follow(system.app, plan.task_id, timeout=30).state == "SUCCESS"


def test_a_failure_shows_its_error(system: System) -> None:
    plan = control.call.plan(system.app, "tests.flaky", ["value", 1])
    control.apply(plan)
    found = control.follow(system.app, plan.task_id, timeout=30)
    assert found.state == "FAILURE"
    assert found.text == "ValueError: on purpose"
    assert "sleepy.py" in str(found.traceback)


def test_a_countdown_is_kept(system: System) -> None:
    now = datetime.now(UTC)
    plan = control.call.plan(system.app, "tests.sleepy", countdown=600, expires=900, now=now)
    assert plan.preview["eta"][0] == now + timedelta(seconds=600)
    assert plan.preview["expires"][0] == now + timedelta(seconds=900)
    assert control.apply(plan).verified
    scheduled = wait_until(lambda: _scheduled(system).get(plan.task_id), 10, "the worker to hold it")
    assert datetime.fromisoformat(scheduled) == plan.preview["eta"][0]
    control.apply(control.revoke.plan(system.app, [plan.task_id], seen=system.seen))


def _scheduled(system: System) -> dict[str, str]:
    return {
        item["request"]["id"]: item["eta"] for items in system.ask("scheduled").values() for item in items
    }


# arguments of the plan, what the one-line error says
WRONG = [
    ({"name": "tests.slepy"}, "has registered a task 'tests.slepy'; `zumo call` without a name"),
    ({"name": "SLEEPY"}, "did you mean tests.sleepy"),
    ({"args": [1, 2, 3]}, "too many positional arguments"),
    ({"kwargs": {"minutes": 3}}, "unexpected keyword argument 'minutes'"),
    ({"kwargs": {"seconds": object()}}, "have no JSON form"),
    ({"queue": "nowhere"}, "there is no queue 'nowhere'; there are: default, emails"),
    ({"priority": 999}, "priority=999: this broker knows 0 to"),
    ({"countdown": -1}, "countdown=-1"),
    ({"countdown": float("nan")}, "countdown=nan"),
    ({"countdown": 5, "eta": datetime(2030, 1, 1, tzinfo=UTC)}, "pass one of them"),
    ({"eta": datetime(2030, 1, 1)}, "has no time zone"),
    ({"eta": datetime(2020, 1, 1, tzinfo=UTC)}, "that is past"),
    ({"countdown": 60, "expires": 30}, "expires=30: it would expire before it may run"),
]


@pytest.mark.parametrize(("arguments", "error"), WRONG)
def test_a_call_that_cannot_be_is_refused_in_one_line(
    system: System, arguments: dict[str, object], error: str
) -> None:
    given = {"name": "tests.sleepy", **arguments}
    with pytest.raises(InputError, match=error) as caught:
        control.call.plan(system.app, **given)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_secrets_are_masked_before_they_are_stored_or_shown(system: System) -> None:
    plan = control.call.plan(system.app, "tests.login", ["ann", "hunter2"], {"card_number": "4242"})
    receipt = control.apply(plan)
    assert control.follow(system.app, plan.task_id, timeout=30).result == "ann", "the task gets the real ones"
    assert plan.preview["args"][0] == f"'ann', '{MASK}', card_number='{MASK}'"
    assert receipt.asked["args"] == ["ann", MASK]
    assert receipt.asked["kwargs"] == {"card_number": MASK}
    text = repr((receipt, plan.summary, plan.preview.to_dict(), plan.asked))
    assert "hunter2" not in text
    assert "4242" not in text


def test_a_plan_is_applied_once(system: System) -> None:
    plan = control.call.plan(system.app, "tests.sleepy", [0.0])
    first = control.apply(plan)
    with pytest.raises(ControlError, match=f"applied already, see receipt {first.id}"):
        control.apply(plan)


def send(system: System, count: int, *args: object, countdown: float = 900, queue: str = "hr") -> list[str]:
    return [
        system.app.send_task("tests.sleepy", args, countdown=countdown, queue=queue).id for _ in range(count)
    ]


def test_revoke_affects_exactly_what_its_preview_shows(system: System) -> None:
    marked, other = send(system, 3, 7.25), send(system, 2, 8.5)
    elsewhere = send(system, 1, 7.25, queue="emails")
    wait_until(lambda: {*marked, *other, *elsewhere} <= set(_scheduled(system)), 20, "workers to hold all")
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
    wait_until(lambda: task_id in _scheduled(system), 20, "a worker to hold it")
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


def test_a_snapshot_masks_arguments_too(system: System) -> None:
    task_id = system.app.send_task("tests.login", ["ann", "hunter2"], {"card_number": "42"}, countdown=900).id
    wait_until(lambda: task_id in _scheduled(system), 20, "a worker to hold it")
    tasks = system.seen.tasks.set_index("id")
    assert tasks.loc[task_id, "args"] == f"'ann', '{MASK}', card_number='{MASK}'"
    assert tasks.loc[task_id, "worker"] == ONE
    control.apply(control.revoke.plan(system.app, [task_id], seen=system.seen))
