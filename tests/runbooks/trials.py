"""What is asked of every runbook, wherever it runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tests.runbooks import validation
from tests.runbooks.deployments import Deployment
from tests.runbooks.driver import code_cells
from tests.runbooks.faults import Fault, disable, forever, pause
from zumolib.runbooks.troubles import TROUBLES

NOTHING = "nothing to do"
RECEIPTS = "from zumolib.receipts.models import Receipt\nvalue = Receipt.objects.count()"
APPLY_CELL = "cures.apply("


def applying(d: Deployment, fault: Fault) -> dict[str, Any]:
    """Parameters that let a runbook act."""
    return {**fault.parameters, "apply": True, "reason": "the test planted it", "patience": d.patience}


def healthy(d: Deployment) -> None:
    """Every output of every runbook is the committed one, and no receipt was written."""
    before = d.driver.do(RECEIPTS)
    validation.nbval([validation.find(runbook) for runbook in TROUBLES], d.environment, lax=False)
    assert d.driver.do(RECEIPTS) == before


def healthy_and_confirmed(d: Deployment, runbook: str) -> None:
    """It may act, and there is nothing to do."""
    before = d.driver.do(RECEIPTS)
    told = d.driver.run(runbook, {"apply": True, "reason": "a test", "patience": d.patience})
    assert told["verdicts"] == [NOTHING, NOTHING]
    assert told["done"] == []
    assert d.driver.do(RECEIPTS) == before


def found_cured_over(d: Deployment, fault: Fault, folder: Path, *, kernel: bool = True) -> None:
    """The diagnosis names this cause and no other, the cure cures it, a second run changes nothing.

    Without `kernel` the cells run in the driver's process, which saves the start of a kernel.
    """
    fault.plant(d)
    try:
        before = d.driver.do(RECEIPTS)
        with _person(d, fault), fault.meanwhile(d):
            if kernel:
                expected = [fault.verdict, NOTHING]
                path = validation.with_expectations(fault.runbook, applying(d, fault), expected, folder)
                validation.nbval([path], d.environment, lax=True)
            else:
                told = d.driver.run(fault.runbook, applying(d, fault))
                assert told["verdicts"] == [fault.verdict, NOTHING], told["texts"]
        assert fault.over(d)
        receipts = d.driver.do(RECEIPTS)
        assert receipts > before
        again = d.driver.run(fault.runbook, applying(d, fault))
        assert again["verdicts"] == [NOTHING, NOTHING]
        assert again["done"] == []
        assert d.driver.do(RECEIPTS) == receipts
        assert fault.over(d)
    finally:
        fault.clear(d)


def cheap(faults: Sequence[Fault]) -> list[Fault]:
    """One fault of each kind of cure that takes no new process: workers, schedule, results."""
    return [fault for fault in faults if fault.plant in (pause, disable, forever)]


def interrupted(d: Deployment, fault: Fault) -> None:
    """Stopped after any of its cells and started again, it ends the same.

    Before the cell that applies, nothing is touched; after it, cells only look. So the fault is planted
    anew only where an earlier run has cured it.
    """
    cells = code_cells(fault.runbook)
    act = next(n for n, cell in enumerate(cells, start=1) if APPLY_CELL in cell.source)
    confirmed = applying(d, fault)
    try:
        fault.plant(d)
        before = d.driver.do(RECEIPTS)
        for count in range(1, act):
            d.driver.run(fault.runbook, confirmed, cells=count)
            assert d.driver.do(RECEIPTS) == before
        told = d.driver.run(fault.runbook, confirmed)
        assert told["verdicts"] == [fault.verdict, NOTHING]
        assert fault.over(d)
        for last in (act, len(cells) - 1):
            fault.plant(d)
            before = d.driver.do(RECEIPTS)
            for count in range(act, last + 1):
                d.driver.run(fault.runbook, confirmed, cells=count)
            told = d.driver.run(fault.runbook, confirmed)
            assert told["verdicts"] == [NOTHING, NOTHING]
            assert fault.over(d)
            assert d.driver.do(RECEIPTS) == before + 1
    finally:
        fault.clear(d)


def _person(d: Deployment, fault: Fault) -> Any:
    act = fault.by_hand
    return nullcontext() if act is None else d.person(lambda: act(d))
