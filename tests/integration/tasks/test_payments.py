"""Money: each failed payment is tried again when its pause is over, and charged once whatever happens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tasks.base.money import ledger, payments
from tasks.core.tasks import failed_payment_retry_task as retry
from tasks.models import Invoice, Payment, PaymentAttempt, Transfer
from tests.integration.tasks import rows


def test_recovered_payments_are_settled_booked_and_their_invoice_paid(platform: Any) -> None:
    owner = rows.tenant()
    invoice = Invoice.objects.create(
        tenant=owner, number="Z-1", amount_cents=19_900, issued_at=platform.now, due_at=platform.now
    )
    row = rows.payment(owner, platform.now, failed_hours=25, invoice=invoice)
    summary = retry(now=platform.now)
    assert summary == {"looked_at": 1, "recovered": 1, "declined": 0, "pending": 0, "skipped": 0}
    row.refresh_from_db()
    [intent] = platform.provider.intents()
    assert (row.state, row.retries, row.settled_at) == (Payment.State.SUCCEEDED, 1, platform.now)
    assert (row.provider_id, intent["amount"], intent["status"]) == (intent["id"], 19_900, "succeeded")
    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_at) == (Invoice.State.PAID, platform.now)
    postings = dict(Transfer.objects.get().postings.values_list("account", "cents"))
    assert postings == {"provider": 19_900, f"tenant {owner.pk}": -19_900}
    assert ledger.imbalance() == {}


# retries so far | hours since the failure | due, with pauses of 24, 48 and 96 hours
@pytest.mark.parametrize(
    ("retries", "hours", "due"),
    [
        (0, 23.9, False),
        (0, 24, True),
        (1, 47.9, False),
        (1, 48, True),
        (2, 95.9, False),
        (2, 96, True),
        (3, 999, False),
    ],
)
def test_pauses_double_and_retries_end(retries: int, hours: float, due: bool, platform: Any) -> None:
    row = rows.payment(rows.tenant(), platform.now, failed_hours=hours, retries=retries)
    assert retry(now=platform.now)["looked_at"] == int(due)
    row.refresh_from_db()
    assert (row.state == Payment.State.SUCCEEDED) == due


def test_declined_payments_wait_for_the_next_pause(platform: Any) -> None:
    row = rows.payment(
        rows.tenant(), platform.now, failed_hours=30, payment_method="pm_card_chargeDeclinedInsufficientFunds"
    )
    assert retry(now=platform.now)["declined"] == 1
    row.refresh_from_db()
    assert (row.state, row.retries, row.failed_at) == (Payment.State.FAILED, 1, platform.now)
    assert row.failure == "Your card has insufficient funds."
    assert retry(now=platform.now + timedelta(hours=47))["looked_at"] == 0
    assert retry(now=platform.now + timedelta(hours=48))["looked_at"] == 1
    assert not Transfer.objects.exists()


def test_a_payment_still_processing_is_pending(platform: Any) -> None:
    row = rows.payment(rows.tenant(), platform.now, failed_hours=30, payment_method="pm_usBankAccount")
    assert retry(now=platform.now)["pending"] == 1
    row.refresh_from_db()
    assert row.state == Payment.State.PENDING
    assert not Transfer.objects.exists()


def test_an_answer_that_was_lost_charges_once(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    row = rows.payment(rows.tenant(), platform.now, failed_hours=30)

    def killed(*_: Any) -> dict[str, int]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(payments, "_apply", killed)  # the provider has charged, nothing of it is stored
        with pytest.raises(KeyboardInterrupt):
            retry(now=platform.now)
    assert Payment.objects.get().state == Payment.State.FAILED
    row.payment_method = "pm_card_mastercard"  # the customer changes the card before the message comes again
    row.save()
    assert retry(now=platform.now)["recovered"] == 1
    assert len(platform.provider.intents()) == 1
    assert PaymentAttempt.objects.get().payment_method == "pm_card_visa"
    assert retry(now=platform.now)["looked_at"] == 0


def test_an_outcome_counts_once_when_two_workers_had_it(platform: Any) -> None:
    rows.payment(rows.tenant(), platform.now, failed_hours=30, payment_method="pm_card_chargeDeclined")
    attempts = payments._attempts(list(Payment.objects.all()), platform.now)
    outcomes = [payments.ask(attempt) for attempt in attempts]
    assert payments._apply(outcomes, platform.now)["declined"] == 1
    assert payments._apply(outcomes, platform.now)["declined"] == 0
    assert Payment.objects.get().retries == 1


def test_bad_payments_do_not_stop_the_others(platform: Any) -> None:
    owner = rows.tenant()
    bad = [
        rows.payment(owner, platform.now, failed_hours=30, currency="???"),
        rows.payment(owner, platform.now, failed_hours=30, payment_method=""),
        rows.payment(owner, platform.now, failed_hours=30, payment_method=rows.HOSTILE[0]),
    ]
    rows.payment(owner, platform.now, failed_hours=30)
    summary = retry(now=platform.now, batch_size=2)
    assert (summary["looked_at"], summary["recovered"], summary["declined"]) == (4, 1, 3)
    for row in bad:
        row.refresh_from_db()
        assert (row.state, row.retries) == (Payment.State.FAILED, 1)
        assert row.failure


def test_what_was_charged_before_the_provider_went_away_is_kept(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = rows.tenant()
    for _ in range(3):
        rows.payment(owner, platform.now, failed_hours=30)
    ask, asked = payments.ask, []

    def going_away(attempt: PaymentAttempt) -> PaymentAttempt:
        asked.append(attempt)
        if len(asked) > 1:
            raise ConnectionError("gone")
        return ask(attempt)

    with monkeypatch.context() as patched:
        patched.setattr(payments, "ask", going_away)
        with pytest.raises(ConnectionError):
            retry(now=platform.now)
    assert Payment.objects.filter(state=Payment.State.SUCCEEDED).count() == 1
    assert retry(now=platform.now)["recovered"] == 2
    assert len(platform.provider.intents()) == 3


def test_a_provider_that_is_down_is_a_connection_error(platform: Any, settings: Any) -> None:
    rows.payment(rows.tenant(), platform.now, failed_hours=30)
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    with pytest.raises(ConnectionError, match="does not answer"):
        retry(now=platform.now)


def test_without_a_provider_nothing_is_tried(platform: Any, settings: Any) -> None:
    rows.payment(rows.tenant(), platform.now, failed_hours=30)
    settings.STRIPE_API_KEY = ""
    assert retry(now=platform.now) == {"looked_at": 1, "provider": "off", "skipped": 0}


def test_one_tenant_alone(platform: Any) -> None:
    first, second = rows.tenant(), rows.tenant()
    for owner in (first, second):
        rows.payment(owner, platform.now, failed_hours=30)
    assert retry(now=platform.now, tenant_id=second.pk)["recovered"] == 1
    assert Payment.objects.get(state=Payment.State.FAILED).tenant_id == first.pk


def test_the_ledger_refuses_what_does_not_balance(platform: Any) -> None:
    with pytest.raises(ValueError, match="does not balance"):
        ledger.Movement("x", platform.now, "x", "usd", {"provider": 5, "fees": -4})
