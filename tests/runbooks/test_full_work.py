"""The runbooks of what workers do, on a deployment of its own (RabbitMQ, PostgreSQL): healthy, with each fault, again, and interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runbooks import trials
from tests.runbooks.deployments import Full
from tests.runbooks.faults import WORK, Fault, by_interruption, by_nbval


def test_healthy(full: Full, tmp_path: Path) -> None:
    trials.healthy(full, WORK, tmp_path)


@pytest.mark.parametrize("fault", by_nbval(Full, WORK), ids=lambda fault: fault.name)
def test_fault(fault: Fault, full: Full, tmp_path: Path) -> None:
    trials.found_cured_over(full, fault, tmp_path)


@pytest.mark.parametrize("fault", by_interruption(Full, WORK), ids=lambda fault: fault.name)
def test_interrupted_and_started_again(fault: Fault, full: Full) -> None:
    trials.interrupted(full, fault)
