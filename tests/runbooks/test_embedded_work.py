"""The runbooks of what workers do, on the embedded stack (Valkey, SQLite): healthy, with each fault, again, and interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runbooks import trials
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
