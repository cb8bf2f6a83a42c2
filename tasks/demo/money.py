"""Subscriptions, invoices and payments; some payments failed and wait to be tried again."""

from __future__ import annotations

from datetime import datetime, timedelta

from tasks import ledger
from tasks.demo.world import Dice, World
from tasks.models import Invoice, Payment, PaymentAttempt, Subscription

MONTHS = 3  # of past
FAILING = 0.3  # share of the latest payments that failed
PAYING = ("active", "past_due", "suspended")
# The provider's own test methods: what they do when they are charged is in their name.
GOOD, BAD = "pm_card_visa", ("pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds")
REASONS = ("Your card was declined.", "Your card has insufficient funds.", "Your card has expired.")


def make_subscriptions(world: World) -> int:
    """One running subscription for each tenant that pays."""
    dice = world.dice("subscriptions")
    states = {"active": "active", "past_due": "past_due", "suspended": "past_due"}
    rows = []
    for tenant in world.tenants:
        if tenant.state in PAYING:
            start = world.now - timedelta(days=dice.uniform(6, 29))
            rows.append(
                Subscription(
                    tenant=tenant,
                    plan=tenant.plan,
                    state=states[tenant.state],
                    started_at=tenant.created_at,
                    period_start=start,
                    period_end=start + timedelta(days=30),
                    cancel_at_period_end=dice.random() < 0.08,
                    provider_id=f"sub_demo_{tenant.slug}".replace("-", "_"),
                    provider_customer=f"cus_demo_{tenant.slug}".replace("-", "_"),
                    payment_method=GOOD if dice.random() < 0.85 else dice.choice(BAD),
                )
            )
    world.subscriptions = world.save(rows)
    return len(rows)


def make_invoices(world: World) -> int:
    """An invoice a month for each subscription, paid, or its payment failed."""
    dice = world.dice("invoices")
    pairs: list[tuple[Invoice, Payment]] = []
    for subscription in world.subscriptions:
        for months in reversed(range(MONTHS)):
            issued = subscription.period_start - timedelta(days=30 * months)
            if issued < subscription.started_at:
                continue
            latest = months == 0
            failed = latest and (subscription.state == "past_due" or dice.random() < FAILING)
            pairs.append(_month(world, dice, subscription, issued, failed))
    invoices = world.save([invoice for invoice, _ in pairs])
    payments = world.save([payment for _, payment in pairs])
    world.save([_attempt(payment) for payment in payments])
    ledger.book_payments([p for p in payments if p.state == Payment.State.SUCCEEDED], world.now)
    return len(invoices) + 2 * len(payments)


def _month(
    world: World, dice: Dice, subscription: Subscription, issued: datetime, failed: bool
) -> tuple[Invoice, Payment]:
    plan = subscription.plan
    invoice = Invoice(
        tenant=subscription.tenant,
        subscription=subscription,
        number=f"Z-{issued:%Y%m}-{subscription.pk:06d}-{issued:%d}",
        period=issued.date(),
        amount_cents=plan.price_cents,
        currency=plan.currency,
        state=Invoice.State.OPEN if failed else Invoice.State.PAID,
        issued_at=issued,
        due_at=issued + timedelta(days=14),
        paid_at=None if failed else issued + timedelta(minutes=2),
    )
    payment = Payment(
        tenant=subscription.tenant,
        invoice=invoice,
        amount_cents=plan.price_cents,
        currency=plan.currency,
        state=Payment.State.FAILED if failed else Payment.State.SUCCEEDED,
        payment_method=subscription.payment_method,
        provider_customer=subscription.provider_customer,
        created_at=issued,
        settled_at=None if failed else issued + timedelta(minutes=2),
    )
    if failed:
        # The pause of those that are past due is over; of the others some are, and some have given up.
        late = subscription.state == Subscription.State.PAST_DUE
        payment.retries = dice.choice((0, 0, 1) if late else (0, 0, 0, 1, 1, 2, 3))
        pause = timedelta(days=2**payment.retries)
        payment.failed_at = max(issued, world.now - pause * dice.uniform(1.1 if late else 0.4, 2.5))
        payment.failure = dice.choice(REASONS)
    return invoice, payment


def _attempt(payment: Payment) -> PaymentAttempt:
    failed = payment.state == Payment.State.FAILED
    number = payment.retries
    return PaymentAttempt(
        payment=payment,
        number=number,
        key=f"zumodra-payment-{payment.pk}-{number}",
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        payment_method=payment.payment_method,
        provider_customer=payment.provider_customer,
        state=PaymentAttempt.State.DECLINED if failed else PaymentAttempt.State.SUCCEEDED,
        detail=payment.failure,
        started_at=payment.failed_at or payment.created_at,
    )
