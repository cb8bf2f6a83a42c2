"""Each runbook on the embedded stack (Valkey, SQLite): healthy, with each fault, again, and interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runbooks import trials
from tests.runbooks.deployments import Embedded, embedded
from tests.runbooks.faults import FAULTS, Fault
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


@pytest.mark.parametrize("fault", trials.cheap(HERE), ids=lambda fault: fault.name)
def test_interrupted_between_any_two_cells(fault: Fault, deployment: Embedded) -> None:
    trials.interrupted(deployment, fault)
