"""All tasks about money together, with the provider and without."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.finance import tasks as finance
from tasks.models import Invoice, Payment, Transfer

pytestmark = pytest.mark.usefixtures("balanced")


@pytest.mark.parametrize(
    "task",
    [
        finance.retry_failed_payments,
        finance.sync_stripe_payments,
        finance.sync_stripe_subscriptions,
        finance.process_pending_refunds,
    ],
)
def test_without_a_provider_nothing_is_asked(task: Any, platform: Any, settings: Any) -> None:
    settings.STRIPE_API_KEY = ""
    assert task(now=platform.now)["provider"] == "off"


def test_everything_together_leaves_the_ledger_at_zero(platform: Any) -> None:
    from tasks import demo

    demo.load(scale=0.2, now=platform.now)
    every = (
        finance.update_subscription_status,
        finance.generate_monthly_invoices,
        finance.sync_stripe_payments,
        finance.retry_failed_payments,
        finance.process_pending_refunds,
        finance.sync_stripe_subscriptions,
    )
    for _ in range(2):
        for task in every:
            assert task(now=platform.now)["skipped"] == 0
    for invoice in Invoice.objects.filter(state="open"):
        for _ in range(2):
            finance.process_payment(invoice_id=invoice.pk, now=platform.now)
    paid = Payment.objects.filter(state="succeeded")
    assert Transfer.objects.filter(key__startswith="payment").count() == paid.count()
    charged = [p.provider_id for p in paid if not p.provider_id.startswith("pi_demo")]
    there = [i["id"] for i in platform.provider.intents() if i["status"] == "succeeded"]
    assert sorted(charged) == sorted(i for i in there if not i.startswith("pi_demo"))
