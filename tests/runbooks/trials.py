"""What is asked of every runbook, wherever it runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.runbooks import validation
from tests.runbooks.deployments import Deployment
from tests.runbooks.driver import APPLY, code_cells
from tests.runbooks.faults import Fault

NOTHING = "nothing to do"
RECEIPTS = "from zumolib.receipts.models import Receipt\nvalue = Receipt.objects.count()"
OUTCOMES = (
    "from zumolib.receipts.models import Receipt\n"
    "value = list(Receipt.objects.order_by('id').values_list('state', 'verdict', 'observed', 'outcome'))"
)
REASON = "the test planted it"
BRIEFLY = {"worker-memory-grows": {"watch": 3}}  # where nothing is to be found


def applying(d: Deployment, fault: Fault) -> dict[str, Any]:
    """Parameters that let a runbook act."""
    return {**fault.parameters, "apply": True, "reason": REASON, "patience": d.patience}


def healthy(d: Deployment, runbooks: Sequence[str], folder: Path) -> None:
    """They may act, every output of every cell is the committed one, and no receipt was written."""
    before = d.driver.do(RECEIPTS)
    may = {"apply": True, "reason": "a test", "patience": d.patience}
    d.validator.nbval(
        [validation.with_parameters(name, may | BRIEFLY.get(name, {}), folder) for name in runbooks],
        lax=False,
    )
    assert d.driver.do(RECEIPTS) == before


def found_cured_over(d: Deployment, fault: Fault, folder: Path) -> None:
    """The diagnosis names this cause and no other, the cure cures it, a second run changes nothing."""
    fault.plant(d)
    try:
        before = d.driver.do(RECEIPTS)
        with _person(d, fault), fault.meanwhile(d):
            expected = [fault.verdict, NOTHING]
            path = validation.with_expectations(fault.runbook, applying(d, fault), expected, folder)
            d.validator.nbval([path], lax=True)
        assert fault.over(d)
        _done_and_seen(d, before)
        _changes_nothing(d, fault)
        assert fault.over(d)
    finally:
        fault.clear(d)


def interrupted(d: Deployment, fault: Fault) -> None:
    """Stopped between any two cells and started again, it ends the same.

    No cell but the one that applies leaves a receipt, so there are two states to be stopped in: before
    that one and after it. The run that is stopped goes on in the end: it finds the same as the other.
    """
    act = next(n for n, cell in enumerate(code_cells(fault.runbook)) if APPLY in cell.source)
    confirmed = applying(d, fault)
    fault.plant(d)
    try:
        before = d.driver.do(RECEIPTS)
        with fault.meanwhile(d):
            _changes_nothing_yet(d, fault, act, before)
            stopped = uuid4().hex
            with _person(d, fault):
                told = d.driver.run(fault.runbook, confirmed, until=act + 1, name=stopped)
        assert told["verdicts"] == [fault.verdict], told["texts"]
        assert told["receipts"] == [before] * act + told["receipts"][-1:]
        _done_and_seen(d, before)
        _changes_nothing(d, fault)
        rest = d.driver.run(fault.runbook, {}, name=stopped)
        assert rest["verdicts"] == [NOTHING], rest["texts"]
        assert set(rest["receipts"]) == {told["receipts"][-1]}
        assert fault.over(d)
    finally:
        fault.clear(d)


def _changes_nothing_yet(d: Deployment, fault: Fault, act: int, before: int) -> None:
    """The cells before the one that applies touch nothing; nor does that one where nobody is waited for."""
    alone = fault.by_hand is not None and d.patience > 0
    without = applying(d, fault) | fault.briefly | {"patience": 0}
    looked = d.driver.run(fault.runbook, without, until=act + alone)
    assert set(looked["receipts"]) == {before}
    assert {row["state"] for row in looked["done"]} == ({"for you"} if alone else set())


def _done_and_seen(d: Deployment, before: int) -> None:
    """There are receipts more than `before`, and none of an action that failed or whose effect was not seen."""
    told = d.driver.do(OUTCOMES)[before:]
    assert told
    assert all(state == "done" and verdict != "not verified" for state, verdict, *_ in told), told


def _changes_nothing(d: Deployment, fault: Fault) -> None:
    """A new run, which may act, finds nothing to do and does nothing."""
    before = d.driver.do(RECEIPTS)
    again = d.driver.run(fault.runbook, applying(d, fault) | fault.briefly)
    assert again["verdicts"] == [NOTHING, NOTHING], again["texts"]
    assert again["done"] == []
    assert set(again["receipts"]) == {before}


def _person(d: Deployment, fault: Fault) -> AbstractContextManager[None]:
    act = fault.by_hand
    return nullcontext() if act is None else d.person(lambda: act(d))
