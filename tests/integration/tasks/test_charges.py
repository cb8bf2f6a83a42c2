"""Charges: asked for once, booked once, settled by what the provider says, tried again under a limit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tasks.base.clock import moment
from tasks.base.errors import UnknownRow
from tasks.base.money import payments
from tasks.finance import tasks as finance
from tasks.models import Payment, PaymentAttempt, Transfer
from tests.integration.tasks import billing_rows, rows
from tests.integration.tasks.interruptions import at_once, killed

pytestmark = pytest.mark.usefixtures("balanced")


def test_an_invoice_is_charged_once_and_booked(platform: Any) -> None:
    row = billing_rows.subscription(rows.tenant(), platform.now)
    invoice = billing_rows.invoice(row.tenant, platform.now, subscription=row)
    assert finance.process_payment(invoice_id=invoice.pk, now=platform.now)["charged"] == 1
    assert finance.process_payment(invoice_id=invoice.pk, now=platform.now)["left"] == 1
    [intent] = platform.provider.intents()
    payment = Payment.objects.get()
    assert (payment.state, payment.provider_id, payment.retries) == ("succeeded", intent["id"], 0)
    assert (intent["amount"], intent["customer"]) == (19_900, row.provider_customer)
    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_at) == ("paid", platform.now)
    assert dict(Transfer.objects.get().postings.values_list("account", "cents")) == {
        "provider": 19_900,
        f"tenant {row.tenant_id}": -19_900,
    }


@pytest.mark.parametrize("by", ["payment_id", "invoice_id"])
def test_a_charge_whose_worker_was_killed_before_booking_is_one_charge(
    by: str, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = billing_rows.subscription(rows.tenant(), platform.now)
    invoice = billing_rows.invoice(row.tenant, platform.now, subscription=row)
    given = invoice.pk
    if by == "payment_id":
        given = billing_rows.pending(row.tenant, platform.now, asked=False, invoice=invoice).pk
    with monkeypatch.context() as patched:
        patched.setattr(payments, "_apply", killed)
        with pytest.raises(KeyboardInterrupt):
            finance.process_payment(**{by: given}, now=platform.now)
    assert len(platform.provider.intents()) == 1
    assert not Transfer.objects.exists()
    assert finance.process_payment(**{by: given}, now=platform.now)["charged"] == 1
    assert len(platform.provider.intents()) == Transfer.objects.count() == 1
    assert Payment.objects.get().provider_id == platform.provider.intents()[0]["id"]


def test_deliveries_at_the_same_time_charge_once(platform: Any) -> None:
    row = billing_rows.subscription(rows.tenant(), platform.now)
    invoice = billing_rows.invoice(row.tenant, platform.now, subscription=row)
    results = at_once(lambda: finance.process_payment(invoice_id=invoice.pk, now=platform.now))
    assert sum(result["charged"] for result in results) == 1
    assert len(platform.provider.intents()) == Payment.objects.count() == Transfer.objects.count() == 1


def test_a_declined_charge_is_left_to_the_retries(platform: Any) -> None:
    row = billing_rows.pending(
        rows.tenant(), platform.now, asked=False, payment_method="pm_card_chargeDeclined"
    )
    assert finance.process_payment(row.pk, now=platform.now)["declined"] == 1
    assert finance.process_payment(row.pk, now=platform.now)["left"] == 1
    row.refresh_from_db()
    assert (row.state, row.retries, row.failed_at) == ("failed", 0, platform.now)
    assert len(platform.provider.intents()) == 1


@pytest.mark.parametrize("state", ["void", "paid"])
def test_invoices_that_are_not_owed_are_not_charged(state: str, platform: Any) -> None:
    invoice = billing_rows.invoice(rows.tenant(), platform.now, state=state)
    assert finance.process_payment(invoice_id=invoice.pk, now=platform.now)["left"] == 1
    assert not Payment.objects.exists()


def test_what_to_charge_must_be_said(platform: Any) -> None:
    for given in ({}, {"payment_id": 1, "invoice_id": 1}):
        with pytest.raises(ValueError, match="one of the two"):
            finance.process_payment(**given)
    for name in ("payment", "invoice"):
        with pytest.raises(UnknownRow, match=f"no {name} 4711"):
            finance.process_payment(**{f"{name}_id": 4711})


def test_pending_payments_are_settled_by_what_the_provider_says(platform: Any) -> None:
    owner = rows.tenant()
    slow = billing_rows.pending(owner, platform.now, payment_method="pm_usBankAccount")
    lost = billing_rows.pending(owner, platform.now)
    declined = billing_rows.pending(owner, platform.now, payment_method="pm_card_chargeDeclined")
    never_asked = billing_rows.pending(owner, platform.now, asked=False)
    unknown = billing_rows.pending(owner, platform.now, provider_id="pi_unknown")
    summary = finance.sync_stripe_payments(now=platform.now)
    assert (summary["looked_at"], summary["settled"], summary["declined"]) == (4, 1, 1)
    assert (summary["pending"], summary["skipped_ids"]) == (1, [f"payment {unknown.pk}"])
    cancelled = billing_rows.pending(owner, platform.now)
    payments.settle([slow], platform.now, summary, "settled")
    platform.provider.store.add(
        "payment_intent",
        "pi",
        {"id": "pi_c", "status": "canceled", "metadata": {}, "last_payment_error": None},
    )
    Payment.objects.filter(pk=cancelled.pk).update(provider_id="pi_c")
    summary = finance.sync_stripe_payments(now=platform.now + timedelta(hours=1))
    assert (summary["cancelled"], summary["skipped"]) == (1, 1)
    assert dict(Payment.objects.values_list("pk", "state")) == {
        slow.pk: "succeeded",
        lost.pk: "succeeded",
        declined.pk: "failed",
        never_asked.pk: "pending",
        unknown.pk: "pending",
        cancelled.pk: "cancelled",
    }
    assert Transfer.objects.count() == 2


def test_an_answer_lost_for_longer_than_keys_live_is_looked_for(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = moment()
    owner = rows.tenant()
    charged, unasked = (billing_rows.pending(owner, now - timedelta(hours=30)) for _ in range(2))
    with monkeypatch.context() as patched:
        patched.setattr(payments, "_apply", killed)
        with pytest.raises(KeyboardInterrupt):
            payments.settle([charged], now - timedelta(hours=30), {}, "settled")
    platform.provider.store._db.execute("DELETE FROM answer")  # the provider has forgotten the keys
    assert finance.sync_stripe_payments(now=now)["settled"] == 2
    assert len(platform.provider.intents()) == 2
    about = [intent["metadata"]["payment"] for intent in platform.provider.intents()]
    assert sorted(about) == sorted([str(charged.pk), str(unasked.pk)])


@pytest.mark.parametrize(
    ("retries", "hours", "due"), [(0, 47.9, False), (0, 48, True), (3, 48, True), (4, 900, False)]
)
def test_failed_payments_are_retried_daily_under_their_limit(
    retries: int, hours: float, due: bool, platform: Any
) -> None:
    row = rows.payment(rows.tenant(), platform.now, failed_hours=hours, retries=retries)
    assert finance.retry_failed_payments(now=platform.now)["recovered"] == int(due)
    assert finance.retry_failed_payments(now=platform.now)["looked_at"] == 0
    keys = list(PaymentAttempt.objects.values_list("key", flat=True))
    assert keys == ([f"zumodra-payment-{row.pk}-{retries + 1}"] if due else [])
