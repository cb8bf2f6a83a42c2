"""The runbooks of broker, beat and result backend, on a deployment of its own (RabbitMQ, PostgreSQL): healthy, with each fault, again, and interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runbooks import trials
from tests.runbooks.deployments import Full
from tests.runbooks.faults import SERVICES, Fault, by_interruption


def test_healthy(full: Full, tmp_path: Path) -> None:
    trials.healthy(full, SERVICES, tmp_path)


@pytest.mark.parametrize("fault", by_interruption(Full, SERVICES), ids=lambda fault: fault.name)
def test_interrupted_and_started_again(fault: Fault, full: Full) -> None:
    trials.interrupted(full, fault)
