"""Each runbook on a deployment of its own (RabbitMQ, PostgreSQL): healthy, with each fault, again, and interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.runbooks import trials
from tests.runbooks.deployments import Embedded, Full, full
from tests.runbooks.faults import FAULTS, Fault
from zumolib.runbooks.troubles import TROUBLES

HERE = [fault for fault in FAULTS if Full in fault.on]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Full]:
    with full(tmp_path_factory.mktemp("full")) as made:
        yield made


def test_healthy(deployment: Full) -> None:
    trials.healthy(deployment)


@pytest.mark.parametrize("runbook", TROUBLES)
def test_healthy_and_confirmed(runbook: str, deployment: Full) -> None:
    trials.healthy_and_confirmed(deployment, runbook)


@pytest.mark.parametrize("fault", HERE, ids=lambda fault: fault.name)
def test_fault(fault: Fault, deployment: Full, tmp_path: Path) -> None:
    # Kernels are tried on the embedded stack, but for what is only here or needs the driver meanwhile.
    kernel = Embedded not in fault.on or fault.meanwhile is not nullcontext
    trials.found_cured_over(deployment, fault, tmp_path, kernel=kernel)


@pytest.mark.parametrize("fault", trials.cheap(HERE), ids=lambda fault: fault.name)
def test_interrupted_between_any_two_cells(fault: Fault, deployment: Full) -> None:
    trials.interrupted(deployment, fault)
