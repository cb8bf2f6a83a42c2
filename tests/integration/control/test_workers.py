"""The fleet, limits and pools, seen from Celery's own inspect and from what tasks do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from billiard.exceptions import TimeLimitExceeded

from tests.integration.control.conftest import ONE, TWO, System
from tests.integration.workers import worker
from tests.waiting import wait_until
from zumolib import control
from zumolib.errors import InputError
from zumolib.inspection.fleet import snapshot


def processes(system: System, node: str) -> int:
    return len(system.ask("stats")[node]["pool"]["processes"])


def test_a_snapshot_of_known_workers_does_not_wait(system: System) -> None:
    fleet = snapshot(system.app, nodes=system.nodes, timeout=10)
    assert fleet.seconds < 5, "it ends with the last answer"
    assert fleet.note.startswith("2 of 2 workers replied; as of ")
    one, two = fleet.workers.to_dict("records")
    assert (one["worker"], one["pool"], one["processes"], two["autoscale"]) == (ONE, "prefork", 2, "1 to 3")
    assert set(two["queues"]) == {"hr", "ats"}
    assert fleet.consumers["hr"] == (ONE, TWO)


def test_a_silent_worker_is_shown_and_not_taken_for_dead(system: System) -> None:
    began = time.monotonic()
    fleet = snapshot(system.app, nodes=[*system.nodes, "gone@there"], timeout=1.0)
    assert time.monotonic() - began < 5
    assert fleet.silent == ("gone@there",)
    assert fleet.note.startswith("2 of 3 workers replied, silent: gone@there; as of ")
    gone = fleet.workers.set_index("worker").loc["gone@there"]
    assert not gone["replied"]
    assert gone[["processes", "active", "uptime"]].isna().all()


def test_everybody_is_asked_and_the_silent_are_named(system: System) -> None:
    fleet = snapshot(system.app, nodes=[ONE, "gone@there"], everybody=True)
    assert fleet.replied == (ONE, TWO)
    assert fleet.silent == ("gone@there",)


def test_a_rate_limit_holds_and_is_undone_to_what_it_was(system: System) -> None:
    plan = control.limits.rate(system.app, "tests.sleepy", "1/h", nodes=system.nodes)
    assert plan.preview.to_dict("records") == [
        {"worker": node, "task": "tests.sleepy", "before": "no limit", "after": "1/h"}
        for node in system.nodes
    ]
    receipt = control.apply(plan)
    assert receipt.verified
    for lines in system.ask("registered", "rate_limit").values():
        assert "tests.sleepy [rate_limit=1/h]" in lines
    first, second = (system.app.send_task("tests.sleepy", queue="emails") for _ in range(2))
    first.get(timeout=20)
    wait_until(lambda: second.id in held(system), 10, "the second to be held back")
    assert second.state == "PENDING"
    assert control.undo(system.app, receipt.id).verified
    for lines in system.ask("registered", "rate_limit").values():
        assert "tests.sleepy" in lines
    system.app.send_task("tests.sleepy", queue="emails").get(timeout=20)
    control.apply(control.revoke.plan(system.app, [second.id], seen=system.seen, anyway=True))


def test_a_plan_names_the_limit_that_holds_across_workers(system: System) -> None:
    plan = control.limits.rate(system.app, "finance.tasks.process_payment", "60/m", nodes=system.nodes)
    assert (
        "across all workers it runs at most 30/m, as its code says; this does not change it" in plan.caveats
    )
    plan = control.limits.rate(system.app, "tests.sleepy", "60/m", nodes=system.nodes)
    assert not any("across all workers" in caveat for caveat in plan.caveats)


def held(system: System) -> set[str]:
    reserved = {item["id"] for items in system.ask("reserved").values() for item in items}
    return reserved | {
        task_id
        for answer in (system.app.control.broadcast("rate_limited", reply=True, timeout=1) or [])
        for tasks in answer.values()
        for task in tasks.values()
        for task_id in task["ids"]
    }


def test_each_worker_gets_its_own_old_limit_back(system: System) -> None:
    first = control.apply(control.limits.rate(system.app, "tests.login", "5/m", nodes=[TWO]))
    second = control.apply(control.limits.rate(system.app, "tests.login", "9/m", nodes=system.nodes))
    assert control.undo(system.app, second.id).verified
    registered = system.ask("registered", "rate_limit")
    assert "tests.login" in registered[ONE]
    assert "tests.login [rate_limit=5/m]" in registered[TWO]
    control.undo(system.app, first.id)


def test_time_limits_hold_and_are_undone(system: System) -> None:
    plan = control.limits.times(system.app, "tests.stubborn", soft=0.5, hard=1, nodes=system.nodes)
    assert set(plan.preview["before"]) == {"soft 3300 s, hard 3600 s"}
    receipt = control.apply(plan)
    assert (receipt.state, receipt.verified) == ("done", True)
    task = system.app.tasks["tests.stubborn"]
    assert task.time_limit == 3600, "this process knows other limits, which its messages do not carry"
    for result in (
        system.app.send_task("tests.stubborn", [60.0], queue="emails"),
        task.apply_async([60.0], queue="emails"),
    ):
        with pytest.raises(TimeLimitExceeded):
            result.get(timeout=30)
    task.apply_async([1.5], queue="emails", soft_time_limit=20, time_limit=30).get(timeout=30)  # its caller's
    assert control.undo(system.app, receipt.id).verified
    for lines in system.ask("registered", "soft_time_limit", "time_limit").values():
        assert "tests.stubborn [soft_time_limit=3300.0 time_limit=3600.0]" in lines
    system.app.send_task("tests.stubborn", [1.5], queue="emails").get(timeout=30)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"limit": "fast"}, "'fast' is no rate; write it like 10/s"),
        ({"limit": "-1/s"}, "'-1/s' is no rate"),
        ({"task": "tests.nothing", "limit": "1/s"}, "no worker that replies knows a task 'tests.nothing'"),
    ],
)
def test_a_rate_that_cannot_be_is_refused(system: System, arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(InputError, match=error):
        control.limits.rate(system.app, **{"task": "tests.sleepy", "nodes": system.nodes, **arguments})


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"soft": 0}, "soft=0"),
        ({"soft": 5, "hard": 5}, "the soft limit must be below the hard one"),
        ({"hard": float("nan")}, "hard=nan"),
        ({"hard": 10}, "hard=10 alone has no effect: .* soft limit of 3300 s"),
    ],
)
def test_a_time_that_cannot_be_is_refused(system: System, arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(InputError, match=error):
        control.limits.times(system.app, "tests.sleepy", nodes=system.nodes, **arguments)


def test_a_pool_grows_and_is_undone(system: System) -> None:
    plan = control.pool.grow(system.app, [ONE], 2)
    assert plan.preview.to_dict("records") == [{"worker": ONE, "before": 2, "after": 4}]
    receipt = control.apply(plan)
    assert (receipt.verified, receipt.after) == (True, {"processes": {ONE: 4}})
    assert processes(system, ONE) == 4
    undone = control.undo(system.app, receipt.id)
    assert (undone.action, undone.verified) == ("shrink", True)
    assert processes(system, ONE) == 2


@pytest.mark.parametrize(
    ("nodes", "count", "error"),
    [
        ([ONE], 2, "has 2 processes; shrink it by 1 at most"),
        ([ONE], 0, "count=0"),
        ([ONE], -1, "count=-1"),
        ([TWO], 1, "scales by itself; change its bounds with autoscale"),
        (["gone@there"], 1, "gone@there does not reply"),
        ([], 1, "which workers"),
    ],
)
def test_a_size_that_cannot_be_is_refused(system: System, nodes: list[str], count: int, error: str) -> None:
    with pytest.raises(InputError, match=error):
        control.pool.shrink(system.app, nodes, count)


def test_bounds_of_autoscaling_change_and_are_undone(system: System) -> None:
    plan = control.pool.autoscale(system.app, [TWO], least=2, most=4)
    assert plan.preview.to_dict("records") == [{"worker": TWO, "before": "1 to 3", "after": "2 to 4"}]
    receipt = control.apply(plan)
    assert receipt.verified
    scale = system.ask("stats")[TWO]["autoscaler"]
    assert (scale["min"], scale["max"]) == (2, 4)
    assert control.undo(system.app, receipt.id).verified
    scale = system.ask("stats")[TWO]["autoscaler"]
    assert (scale["min"], scale["max"]) == (1, 3)
    with pytest.raises(InputError, match=f"{ONE} does not scale by itself; start it with --autoscale"):
        control.pool.autoscale(system.app, [ONE], least=1, most=2)
    with pytest.raises(InputError, match="least=3, most=2"):
        control.pool.autoscale(system.app, [TWO], least=3, most=2)


def test_a_worker_is_shut_down(system: System, valkey_url: str, tmp_path: Path) -> None:
    with worker(system.url, valkey_url, tmp_path / "log", name="third", queues=("celery",)) as node:
        plan = control.shutdown.plan(system.app, [node])
        assert list(plan.preview["worker"]) == [node]
        receipt = control.apply(plan)
        assert receipt.verified
        assert system.app.control.ping(destination=[node], timeout=1) == []
        with pytest.raises(InputError, match="start it where it ran"):
            control.undo(system.app, receipt.id)
    assert processes(system, ONE) == 2, "the others are there as before"
