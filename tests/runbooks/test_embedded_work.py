"""The runbooks of what workers do, on the embedded stack (Valkey, SQLite): healthy, with each fault, again, and interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runbooks import repeated, scheduled, trials
from tests.runbooks.deployments import Embedded
from tests.runbooks.faults import WORK, Fault, by_interruption, by_nbval


def test_healthy(embedded: Embedded, tmp_path: Path) -> None:
    trials.healthy(embedded, WORK, tmp_path)


@pytest.mark.parametrize("fault", by_nbval(Embedded, WORK), ids=lambda fault: fault.name)
def test_fault(fault: Fault, embedded: Embedded, tmp_path: Path) -> None:
    trials.found_cured_over(embedded, fault, tmp_path)


@pytest.mark.parametrize("fault", by_interruption(Embedded, WORK), ids=lambda fault: fault.name)
def test_interrupted_and_started_again(fault: Fault, embedded: Embedded) -> None:
    trials.interrupted(embedded, fault)


ACT = {"apply": True, "reason": trials.REASON}


def test_more_processes_that_are_held_as_well_are_said_and_not_added_again(embedded: Embedded) -> None:
    ids = repeated.hold_all(embedded)
    try:
        found = f"workers-busy ({embedded.node})"
        first = embedded.driver.run("tasks-not-executed", ACT)
        assert first["verdicts"] == [found, found], first["texts"]
        [grown] = first["done"]
        assert grown["what was done"] == f"grow {embedded.node} by 2 processes"
        assert "processes are held by tests.holding, and " in grown["outcome"]
        before = embedded.driver.do(trials.RECEIPTS)
        again = embedded.driver.run("tasks-not-executed", ACT)
        [advice] = again["done"]
        assert advice["state"] == "for you"
        assert advice["outcome"].startswith(f"not repeated: grow {embedded.node} by 2 processes (receipt ")
        assert (
            f"`zumo revoke --name 'tests.holding' --worker '{embedded.node}' --terminate`"
            in advice["outcome"]
        )
        assert embedded.driver.do(trials.RECEIPTS) == before
    finally:
        repeated.let_go(embedded, ids)


def test_an_entry_of_a_task_that_celery_adds_itself_is_left_on(embedded: Embedded) -> None:
    repeated.add_clean_up(embedded)
    try:
        told = embedded.driver.run("tasks-not-executed", ACT)
        assert told["verdicts"] == [trials.NOTHING, trials.NOTHING], told["texts"]
        assert told["done"] == []
        assert not scheduled.unknown_entry_is_off(embedded)
    finally:
        scheduled.remove_unknown_entry(embedded)
