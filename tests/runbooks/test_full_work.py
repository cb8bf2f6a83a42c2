"""The runbooks of what workers do, on a deployment of its own (RabbitMQ, PostgreSQL): healthy, with each fault, again, and interrupted."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.runbooks import trials
from tests.runbooks.deployments import Full
from tests.runbooks.faults import WORK, Fault, by_interruption, by_nbval
from zumolib.inspection import remote


def test_healthy(full: Full, tmp_path: Path) -> None:
    trials.healthy(full, WORK, tmp_path)


@pytest.mark.parametrize("fault", by_nbval(Full, WORK), ids=lambda fault: fault.name)
def test_fault(fault: Fault, full: Full, tmp_path: Path) -> None:
    trials.found_cured_over(full, fault, tmp_path)


@pytest.mark.parametrize("fault", by_interruption(Full, WORK), ids=lambda fault: fault.name)
def test_interrupted_and_started_again(fault: Fault, full: Full) -> None:
    trials.interrupted(full, fault)


def test_a_worker_tells_the_sizes_of_its_processes(full: Full) -> None:
    told = remote.ask(full.app, {"stats": {}, "resident": {}}, nodes=[full.node])
    its = told["resident"][full.node]
    assert {int(pid) for pid in its["children"]} == set(told["stats"][full.node]["pool"]["processes"])
    for pid, size in its["children"].items():
        assert size == pytest.approx(psutil.Process(int(pid)).memory_info().rss, rel=0.1)
