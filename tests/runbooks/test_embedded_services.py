"""The runbooks of broker, beat and result backend, on the embedded stack (Valkey, SQLite): healthy, with each fault, again, and interrupted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runbooks import repeated, trials
from tests.runbooks.deployments import Embedded
from tests.runbooks.faults import SERVICES, Fault, by_interruption, by_nbval
from tests.runbooks.stored import all_expire, forever, lift_limit


def test_healthy(embedded: Embedded, tmp_path: Path) -> None:
    trials.healthy(embedded, SERVICES, tmp_path)


@pytest.mark.parametrize("fault", by_nbval(Embedded, SERVICES), ids=lambda fault: fault.name)
def test_fault(fault: Fault, embedded: Embedded, tmp_path: Path) -> None:
    trials.found_cured_over(embedded, fault, tmp_path)


@pytest.mark.parametrize("fault", by_interruption(Embedded, SERVICES), ids=lambda fault: fault.name)
def test_interrupted_and_started_again(fault: Fault, embedded: Embedded) -> None:
    trials.interrupted(embedded, fault)


def test_by_the_command(embedded: Embedded) -> None:
    """A dated copy is run and kept: first it only looks, then it cures."""
    forever(embedded)
    asked = ("runbook", "run", "result-backend-full", "--reason", "results pile up", "--json")
    looked = embedded.stack.zumo(*asked)
    assert looked.returncode == 1, looked.stderr
    assert json.loads(looked.stdout)["verdicts"] == ["results-never-expire", "results-never-expire"]
    cured = embedded.stack.zumo(*asked, "--apply")
    assert cured.returncode == 0, cured.stdout + cured.stderr
    assert json.loads(cured.stdout)["verdicts"] == ["results-never-expire", trials.NOTHING]
    assert all_expire(embedded)
    kept = Path(json.loads(cured.stdout)["notebook"])
    assert kept.parent.parent == embedded.stack.home / "reports"
    assert "results pile up" in kept.read_text()
    lift_limit(embedded)


def test_beat_is_started_once_for_a_missed_entry(embedded: Embedded) -> None:
    repeated.miss_a_day(embedded)
    act = {"apply": True, "reason": trials.REASON, "entry": repeated.MISSED}
    try:
        first = embedded.driver.run("beat-does-not-trigger", act)
        assert first["verdicts"] == ["beat-stopped", trials.NOTHING], first["texts"]
        assert [row["what was done"] for row in first["done"]] == ["start beat anew"]
        repeated.miss_it(embedded)
        before = embedded.driver.do(trials.RECEIPTS)
        again = embedded.driver.run("beat-does-not-trigger", act)
        [advice] = again["done"]
        assert advice["state"] == "for you"
        assert advice["outcome"].startswith("not repeated: start beat anew (receipt ")
        assert "`zumo call 'planted-daily' --entry`" in advice["outcome"]
        assert embedded.driver.do(trials.RECEIPTS) == before, "beat was started once"
        sent = embedded.stack.zumo("call", repeated.MISSED, "--entry", "--yes")
        assert sent.returncode == 0, sent.stdout + sent.stderr
        after = embedded.driver.run("beat-does-not-trigger", act)
        assert after["verdicts"] == [trials.NOTHING, trials.NOTHING], after["texts"]
    finally:
        repeated.forget_the_day(embedded)
