"""The double-entry ledger: every transfer is booked once and its postings sum to zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from tasks.models import Invoice, Payment, Posting, Transfer

PROVIDER = "provider"  # what the payment provider holds for us


@dataclass(frozen=True)
class Movement:
    """Money from some accounts to others."""

    key: str  # books it once
    at: datetime
    text: str
    currency: str
    cents: Mapping[str, int]  # account to amount; the sum is zero

    def __post_init__(self) -> None:
        if sum(self.cents.values()):
            raise ValueError(f"{self.key} does not balance: {dict(self.cents)}; what leaves must arrive")


def tenant_account(tenant_id: int) -> str:
    """The account of a tenant: negative by what it has paid."""
    return f"tenant {tenant_id}"


def book(movements: Iterable[Movement]) -> int:
    """Book what is not booked yet; returns how many were new."""
    wanted = {movement.key: movement for movement in movements}
    with transaction.atomic():
        known = set(Transfer.objects.filter(key__in=wanted).values_list("key", flat=True))
        fresh = [m for key, m in wanted.items() if key not in known]
        transfers = Transfer.objects.bulk_create(
            [Transfer(key=m.key, at=m.at, text=m.text[:200]) for m in fresh]
        )
        Posting.objects.bulk_create(
            [
                Posting(transfer=transfer, account=account, currency=movement.currency, cents=cents)
                for transfer, movement in zip(transfers, fresh, strict=True)
                for account, cents in movement.cents.items()
                if cents
            ]
        )
    return len(fresh)


def book_payments(payments: Sequence[Payment], at: datetime) -> int:
    """Book payments that succeeded and mark their invoices as paid."""
    paid = [payment.invoice_id for payment in payments if payment.invoice_id]
    if paid:
        Invoice.objects.filter(pk__in=paid, state=Invoice.State.OPEN).update(
            state=Invoice.State.PAID, paid_at=at
        )
    return book(
        Movement(
            key=f"payment {payment.pk}",
            at=payment.settled_at or at,
            text=f"payment {payment.pk} of tenant {payment.tenant_id}",
            currency=payment.currency,
            cents={
                PROVIDER: payment.amount_cents,
                tenant_account(payment.tenant_id): -payment.amount_cents,
            },
        )
        for payment in payments
    )


def imbalance() -> dict[str, int]:
    """Per currency, by how many cents the ledger does not sum to zero; empty when it is right."""
    sums = Posting.objects.values("currency").annotate(cents=Sum("cents")).order_by("currency")
    return {row["currency"]: row["cents"] for row in sums if row["cents"]}
