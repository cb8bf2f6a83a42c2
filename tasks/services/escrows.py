"""Clients' money that is held until the work is done: released once, and booked in the same step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet, Sum

from tasks.base.money import ledger
from tasks.base.summary import Summary
from tasks.models import Contract, Escrow, Posting

FEES = "fees"  # what the platform earns


def account(escrow_id: int) -> str:
    """The account of an escrow: positive by what it holds."""
    return f"escrow {escrow_id}"


def earner(provider_id: int) -> str:
    """The account of somebody who offers services: positive by what they have earned."""
    return f"earner {provider_id}"


def releasable(now: datetime) -> QuerySet[Any]:
    """Escrows whose contract is complete and whose hold has passed."""
    return Escrow.objects.filter(
        state=Escrow.State.HELD, hold_until__lte=now, contract__state=Contract.State.COMPLETED
    )


def release(escrows: Sequence[Escrow], now: datetime, summary: Summary) -> None:
    """Release those of `escrows` that still are to be released; four queries, however many."""
    with transaction.atomic():
        # Locked, so that of two runs the second finds them released. The ledger's key is the second lock.
        rows = releasable(now).select_for_update(of=("self",)).select_related("contract__service")
        locked = list(rows.filter(pk__in=[escrow.pk for escrow in escrows]).order_by("pk"))
        held = _held(locked)
        moved: list[tuple[Escrow, ledger.Movement]] = []
        for escrow in locked:
            with summary.row("escrow", escrow.pk):
                moved.append((escrow, _movement(escrow, held, now)))
        ledger.book(movement for _, movement in moved)
        done = [escrow.pk for escrow, _ in moved]
        Escrow.objects.filter(pk__in=done).update(state=Escrow.State.RELEASED, released_at=now)
    for escrow, _ in moved:
        summary.add("released")
        summary.add(f"{escrow.currency}_cents", escrow.amount_cents)


def _held(escrows: Sequence[Escrow]) -> dict[tuple[str, str], int]:
    """What the ledger says is in each of these escrows."""
    postings = Posting.objects.filter(account__in=[account(escrow.pk) for escrow in escrows]).order_by()
    found = postings.values_list("account", "currency").annotate(held=Sum("cents"))
    return {(name, currency): cents for name, currency, cents in found}


def _movement(escrow: Escrow, held: dict[tuple[str, str], int], now: datetime) -> ledger.Movement:
    there = held.get((account(escrow.pk), escrow.currency), 0)
    if there != escrow.amount_cents:
        raise ValueError(
            f"the ledger holds {there} {escrow.currency} cents of {escrow.amount_cents}; book what is missing"
        )
    return ledger.Movement(
        key=f"escrow {escrow.pk} released",
        at=now,
        text=f"released for contract {escrow.contract_id}",
        currency=escrow.currency,
        cents={
            account(escrow.pk): -escrow.amount_cents,
            earner(escrow.contract.service.provider_id): escrow.amount_cents - escrow.fee_cents,
            FEES: escrow.fee_cents,
        },
    )
