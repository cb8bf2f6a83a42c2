"""Call and follow: what Celery says afterwards, and what the receipt does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.control.conftest import ONE, System
from tests.waiting import wait_until
from zumolib import control
from zumolib.errors import ControlError, InputError
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
    scheduled = wait_until(lambda: system.scheduled().get(plan.task_id), 10, "the worker to hold it")
    assert datetime.fromisoformat(scheduled) == plan.preview["eta"][0]
    control.apply(control.revoke.plan(system.app, [plan.task_id], seen=system.seen))


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


def test_a_snapshot_masks_arguments_too(system: System) -> None:
    task_id = system.app.send_task("tests.login", ["ann", "hunter2"], {"card_number": "42"}, countdown=900).id
    wait_until(lambda: task_id in system.scheduled(), 20, "a worker to hold it")
    tasks = system.seen.tasks.set_index("id")
    assert tasks.loc[task_id, "args"] == f"'ann', '{MASK}', card_number='{MASK}'"
    assert tasks.loc[task_id, "worker"] == ONE
    control.apply(control.revoke.plan(system.app, [task_id], seen=system.seen))
