"""Each runbook on the embedded stack (Valkey, SQLite): healthy, with each fault, again, and interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runbooks import trials
from tests.runbooks.deployments import Embedded, embedded
from tests.runbooks.faults import FAULTS, Fault, all_expire, forever, lift_limit
from zumolib.runbooks.troubles import TROUBLES

HERE = [fault for fault in FAULTS if Embedded in fault.on]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with embedded(tmp_path_factory.mktemp("embedded")) as made:
        yield made


def test_healthy(deployment: Embedded) -> None:
    trials.healthy(deployment)


@pytest.mark.parametrize("runbook", TROUBLES)
def test_healthy_and_confirmed(runbook: str, deployment: Embedded) -> None:
    trials.healthy_and_confirmed(deployment, runbook)


@pytest.mark.parametrize("fault", HERE, ids=lambda fault: fault.name)
def test_fault(fault: Fault, deployment: Embedded, tmp_path: Path) -> None:
    trials.found_cured_over(deployment, fault, tmp_path)


def test_by_the_command(deployment: Embedded) -> None:
    """A dated copy is run and kept: first it only looks, then it cures."""
    forever(deployment)
    asked = ("runbook", "run", "result-backend-full", "--reason", "results pile up", "--json")
    looked = deployment.stack.zumo(*asked)
    assert looked.returncode == 1, looked.stderr
    assert json.loads(looked.stdout)["verdicts"] == ["results-never-expire", "results-never-expire"]
    cured = deployment.stack.zumo(*asked, "--apply")
    assert cured.returncode == 0, cured.stdout + cured.stderr
    assert json.loads(cured.stdout)["verdicts"] == ["results-never-expire", trials.NOTHING]
    assert all_expire(deployment)
    kept = Path(json.loads(cured.stdout)["notebook"])
    assert kept.parent.parent == deployment.stack.home / "reports"
    assert "results pile up" in kept.read_text()
    lift_limit(deployment)


@pytest.mark.parametrize("fault", trials.cheap(HERE), ids=lambda fault: fault.name)
def test_interrupted_between_any_two_cells(fault: Fault, deployment: Embedded) -> None:
    trials.interrupted(deployment, fault)
