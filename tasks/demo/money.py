"""Subscriptions, invoices and payments; some payments failed and wait to be tried again."""

from __future__ import annotations

from datetime import timedelta

from tasks.base.money import ledger
from tasks.base.money.billing import month_of, step
from tasks.demo.world import Dice, World
from tasks.models import Invoice, Payment, PaymentAttempt, Plan, Refund, Subscription, SubscriptionChange

MONTHS = 3  # of past
FAILING = 0.3  # share of the latest payments that failed
PAYING = ("active", "past_due", "suspended")
# The provider's own test methods: what they do when they are charged is in their name.
GOOD, BAD = "pm_card_visa", ("pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds")
MARKS = (-3, 0, 7, 14)  # days past due at which reminders go out
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
            pairs.append(_month(world, dice, subscription, months, failed))
    invoices = world.save([invoice for invoice, _ in pairs])
    payments = world.save([payment for _, payment in pairs])
    world.save([_attempt(payment) for payment in payments])
    paid = [p for p in payments if p.state == Payment.State.SUCCEEDED]
    refunds = world.save([_refund(number, payment) for number, payment in enumerate(paid[::6])])
    changes = world.save(_changes(world))
    ledger.book_payments(paid, world.now)
    return len(invoices) + 2 * len(payments) + len(refunds) + len(changes)


def _refund(number: int, payment: Payment) -> Refund:
    at = payment.created_at + timedelta(days=2)
    return Refund(
        payment=payment,
        key=f"zumodra-refund-demo-{payment.pk}",
        amount_cents=payment.amount_cents // 2,
        state=Refund.State.APPROVED if number % 2 == 0 else Refund.State.REQUESTED,
        reason="service credit",
        requested_at=at,
    )


def _changes(world: World) -> list[SubscriptionChange]:
    """A tenth of the subscribers went from a smaller plan to theirs within this period."""
    smaller = Plan.objects.order_by("price_cents").first()
    return [
        SubscriptionChange(
            subscription=subscription,
            at=subscription.period_start + (world.now - subscription.period_start) / 2,
            old_plan=smaller,
            new_plan=subscription.plan,
        )
        for subscription in world.subscriptions[::10]
        if smaller is not None and subscription.plan_id != smaller.pk
    ]


def _month(
    world: World, dice: Dice, subscription: Subscription, months: int, failed: bool
) -> tuple[Invoice, Payment]:
    """The invoice from `months` before the present period, and its payment. This month has none yet."""
    plan, issued = subscription.plan, subscription.period_start - timedelta(days=30 * months)
    invoice = Invoice(
        tenant=subscription.tenant,
        subscription=subscription,
        number=f"Z-{issued:%Y%m}-{subscription.pk:06d}-{issued:%d}",
        period=step(month_of(world.now), -1 - months),
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
        provider_id=None if failed else _charge(invoice),
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


def _charge(invoice: Invoice) -> str:
    """The provider's id of a charge that was paid; its stand-in reads the amount from it."""
    return f"pi_demo_{invoice.number.replace('-', '_')}_{invoice.amount_cents}"


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


def make_open_ends(world: World) -> int:
    """What waits for the daily round: invoices to remind of, charges without an answer or declined, and
    periods that ended.
    """
    payers = [world.subscriptions[n % len(world.subscriptions)] for n in range(world.many(12) + 4)]
    reminded = [_extra(world, n, payer, MARKS[n % 4]) for n, payer in enumerate(payers)]
    charged = [_extra(world, len(payers) + n, payer, -10) for n, payer in enumerate(payers)]
    failed = [_extra(world, 2 * len(payers) + n, payer, -12) for n, payer in enumerate(payers)]
    invoices = world.save(reminded + charged + failed)
    payments = world.save([_unanswered(world, n, invoice) for n, invoice in enumerate(charged)])
    attempts = [_attempt(payment) for payment in payments]
    for attempt in attempts:
        attempt.state = PaymentAttempt.State.STARTED
    declined = world.save([_declined(world, n, invoice) for n, invoice in enumerate(failed)])
    world.save(attempts + [_attempt(payment) for payment in declined])
    renewed, ended = world.subscriptions[2::10], world.subscriptions[6::20]
    for subscription in renewed + ended:
        # Within this month, so that the invoice of the new period is this month's.
        midnight = world.now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        subscription.period_end = max(midnight, world.now - timedelta(hours=2))
        subscription.period_start = subscription.period_end - timedelta(days=30)
        subscription.cancel_at_period_end = subscription in ended
    Subscription.objects.bulk_update(
        renewed + ended, ["period_start", "period_end", "cancel_at_period_end"], batch_size=100
    )
    paid = [_new_period(world, subscription) for subscription in renewed]
    world.save([invoice for invoice, _ in paid])
    ledger.book_payments(world.save([payment for _, payment in paid]), world.now)
    return len(invoices) + 2 * len(payments + declined) + 2 * len(paid)


def _extra(world: World, number: int, payer: Subscription, days: int) -> Invoice:
    """An open invoice beside the subscription's, `days` past due."""
    due = world.now - timedelta(days=days)
    return Invoice(
        tenant=payer.tenant,
        number=f"Z-{due:%Y%m%d}-{payer.pk:06d}-S{number}",
        amount_cents=25_000,
        issued_at=due - timedelta(days=14),
        due_at=due,
    )


def _unanswered(world: World, number: int, invoice: Invoice) -> Payment:
    """A payment whose worker was killed before it could store the provider's answer."""
    return Payment(
        tenant=invoice.tenant,
        invoice=invoice,
        amount_cents=invoice.amount_cents,
        payment_method=BAD[0] if number % 4 == 3 else GOOD,
        created_at=world.now - timedelta(hours=2),
    )


def _declined(world: World, number: int, invoice: Invoice) -> Payment:
    """A failed payment: one for the eager retries of the first days, one for the steady ones after."""
    retries, hours = ((0, 30), (3, 60))[number % 2]
    at = world.now - timedelta(hours=hours)
    return Payment(
        tenant=invoice.tenant,
        invoice=invoice,
        amount_cents=invoice.amount_cents,
        state=Payment.State.FAILED,
        payment_method=GOOD,
        created_at=at - timedelta(days=retries),
        retries=retries,
        failed_at=at,
        failure=REASONS[1],
    )


def _new_period(world: World, subscription: Subscription) -> tuple[Invoice, Payment]:
    """This month's invoice, paid a moment ago."""
    plan, at = subscription.plan, world.now - timedelta(minutes=5)
    month = month_of(world.now)
    invoice = Invoice(
        tenant=subscription.tenant,
        subscription=subscription,
        number=f"Z-{month:%Y%m}-{subscription.pk:06d}",
        period=month,
        amount_cents=plan.price_cents,
        currency=plan.currency,
        state=Invoice.State.PAID,
        issued_at=at,
        due_at=at + timedelta(days=14),
        paid_at=at,
    )
    payment = Payment(
        tenant=subscription.tenant,
        invoice=invoice,
        amount_cents=plan.price_cents,
        currency=plan.currency,
        state=Payment.State.SUCCEEDED,
        payment_method=GOOD,
        provider_customer=subscription.provider_customer,
        provider_id=_charge(invoice),
        created_at=at,
        settled_at=at,
    )
    return invoice, payment
