"""Subscriptions, invoices and payments for one test, as few as it needs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tasks.models import Invoice, Payment, PaymentAttempt, Plan, Subscription, Tenant


def plan(slug: str = "growth", cents: int = 19_900, **more: Any) -> Plan:
    values = {"name": slug.title(), "price_cents": cents} | more
    return Plan.objects.update_or_create(slug=slug, defaults=values)[0]


def subscription(owner: Tenant, now: Any, **more: Any) -> Subscription:
    """Active for 100 days, in a period that ends in 10 days."""
    values = {
        "plan": owner.plan,
        "state": "active",
        "started_at": now - timedelta(days=100),
        "period_start": now - timedelta(days=20),
        "period_end": now + timedelta(days=10),
        "payment_method": "pm_card_visa",
        "provider_customer": f"cus_{owner.pk}",
    }
    return Subscription.objects.create(tenant=owner, **values | more)


def invoice(owner: Tenant, now: Any, **more: Any) -> Invoice:
    values = {
        "number": f"I-{Invoice.objects.count()}",
        "amount_cents": 19_900,
        "issued_at": now - timedelta(days=1),
        "due_at": now + timedelta(days=13),
    }
    return Invoice.objects.create(tenant=owner, **values | more)


def month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def pending(owner: Tenant, now: Any, *, asked: bool = True, **more: Any) -> Payment:
    """A pending payment; `asked` leaves the attempt whose answer was lost."""
    values = {"amount_cents": 5_000, "payment_method": "pm_card_visa", "created_at": now}
    row = Payment.objects.create(tenant=owner, **values | more)
    if asked:
        PaymentAttempt.objects.create(
            payment=row,
            number=0,
            key=f"zumodra-payment-{row.pk}-0",
            amount_cents=row.amount_cents,
            currency=row.currency,
            payment_method=row.payment_method,
            started_at=now,
        )
    return row


def paid(platform: Any, owner: Tenant, cents: int = 10_000) -> Payment:
    """A payment that the provider has really made, booked."""
    from tasks.base.money import payments
    from tasks.base.summary import Summary

    row = pending(owner, platform.now, amount_cents=cents)
    payments.settle([row], platform.now, Summary(), "charged")
    row.refresh_from_db()
    assert row.state == Payment.State.SUCCEEDED
    return row
