"""Charging through the payment provider: each attempt once, each charge booked once.

An attempt is a row with its idempotency key, written before the provider is asked. Asking again with
the key, after a lost answer or by another worker, gives the same charge; the outcome is applied to a
payment only while the payment still waits for that attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from tasks.base.batches import walk
from tasks.base.money import ledger
from tasks.base.money.gateway import TEXT, client, configured, metadata, reached
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.models import Invoice, Payment, PaymentAttempt, Subscription

KEY_LIFE = timedelta(hours=23)  # the provider forgets a key after 24 hours, and would charge again
CANCELLED = "cancelled at the provider"
OUTCOMES = {"succeeded": PaymentAttempt.State.SUCCEEDED, "processing": PaymentAttempt.State.PENDING}


def due(
    now: datetime, max_retries: int, retry_after: timedelta, tenant_id: int | None = None, growth: int = 2
) -> QuerySet[Payment]:
    """Failed payments whose pause is over: `retry_after` before the first retry, then `growth` times as
    long each."""
    ready = Q()
    for retries in range(max_retries):
        ready |= Q(retries=retries, failed_at__lte=now - retry_after * growth**retries)
    rows = Payment.objects.filter(ready, state=Payment.State.FAILED) if ready else Payment.objects.none()
    return within(rows, tenant_id)


def retry_all(rows: QuerySet[Payment], now: datetime, batch_size: int) -> Summary:
    """Retry each of `rows`, in batches; a task's whole result."""
    if not configured():
        return Summary(looked_at=rows.count(), provider="off")
    summary = Summary("looked_at", "recovered", "declined", "pending")
    for batch in walk(rows, batch_size):
        summary.add("looked_at", len(batch))
        retry(batch, now, summary)
    return summary


def retry(payments: Sequence[Payment], now: datetime, summary: Summary) -> None:
    """Ask the provider once more for each of `payments`, and apply what it says.

    Raises
    ------
    ConnectionError
        The provider cannot be reached or is overloaded; outcomes known by then are applied.
    """
    settle(payments, now, summary, "recovered")


def settle(payments: Sequence[Payment], now: datetime, summary: Summary, good: str) -> None:
    """Find out from the provider how `payments` ended, charging what it was not asked for yet.

    Parameters
    ----------
    payments
        Failed ones are charged once more. Pending ones are asked about where the provider has given them
        an id, and charged with the key of their attempt where not.
    now
        The moment of the run.
    summary
        Gets ``declined``, ``pending``, ``cancelled`` and the counter `good`.
    good
        Under which name payments that succeeded are counted.

    Raises
    ------
    ConnectionError
        The provider cannot be reached or is overloaded; outcomes known by then are applied.
    """
    pending = {p.pk: p.provider_id for p in payments if p.state == Payment.State.PENDING and p.provider_id}
    outcomes: list[PaymentAttempt] = []
    try:
        for attempt in _attempts(payments, now):
            with summary.row("payment", attempt.payment_id):
                if attempt.payment_id in pending:
                    outcomes.append(look_up(attempt, pending[attempt.payment_id]))
                else:
                    outcomes.append(_made_before(attempt, now) or ask(attempt))
    finally:
        counts = _apply(outcomes, now)
        counts[good] = counts.pop("recovered")
        summary.merge({name: count for name, count in counts.items() if count})


def charge(payment: Payment | None, now: datetime, summary: Summary) -> None:
    """Charge a payment that is pending; one that failed is left to the retries, with their pauses.

    Raises
    ------
    ConnectionError
        The provider cannot be reached or is overloaded; asking again charges once.
    """
    if payment is not None and payment.state == Payment.State.PENDING:
        settle([payment], now, summary, "charged")
    else:
        summary.add("left")


def unanswered(tenant_id: int | None = None) -> QuerySet[Payment]:
    """Pending payments that the provider was asked for, without an outcome so far."""
    started = PaymentAttempt.objects.filter(payment=OuterRef("pk"), state=PaymentAttempt.State.STARTED)
    rows = Payment.objects.filter(
        Q(provider_id__isnull=False) | Q(Exists(started)), state=Payment.State.PENDING
    )
    return within(rows, tenant_id)


def of_invoice(invoice_id: int, now: datetime) -> Payment | None:
    """The payment of an open invoice, made if there is none; None where nothing is owed."""
    with transaction.atomic():
        # The lock lets two workers never both find that there is no payment yet.
        invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
        if invoice.state != Invoice.State.OPEN or invoice.amount_cents == 0:
            return None
        known = invoice.payments.exclude(state=Payment.State.CANCELLED).order_by("pk").first()
        return known or _first(invoice, now)


def _first(invoice: Invoice, now: datetime) -> Payment:
    subscriptions = Subscription.objects.filter(tenant=invoice.tenant_id).order_by("-pk")
    own = subscriptions.filter(pk=invoice.subscription_id) if invoice.subscription_id else subscriptions
    payer = own.first()
    return Payment.objects.create(
        tenant_id=invoice.tenant_id,
        invoice=invoice,
        amount_cents=invoice.amount_cents,
        currency=invoice.currency,
        payment_method=payer.payment_method if payer else "",
        provider_customer=payer.provider_customer if payer else "",
        created_at=now,
    )


def ask(attempt: PaymentAttempt) -> PaymentAttempt:
    """Make the provider charge for `attempt`; gives it back with its outcome.

    Raises
    ------
    ConnectionError
        The provider cannot be reached, is overloaded, or still works on the same attempt.
    """
    import stripe

    params: dict[str, Any] = {
        "amount": attempt.amount_cents,
        "currency": attempt.currency,
        "payment_method": attempt.payment_method,
        "confirm": True,
        "off_session": True,
        "metadata": {"payment": str(attempt.payment_id), "attempt": str(attempt.number)},
    }
    if attempt.provider_customer:
        params["customer"] = attempt.provider_customer
    try:
        with reached():
            intent = client().v1.payment_intents.create(params, {"idempotency_key": attempt.key})  # type: ignore[arg-type]
    except stripe.CardError as error:
        attempt.state = PaymentAttempt.State.DECLINED
        attempt.detail = str(error.user_message or error.code or "declined")[:TEXT]
        attempt.provider_id = _intent_of(error)
    except (stripe.InvalidRequestError, stripe.IdempotencyError) as error:
        attempt.state = PaymentAttempt.State.REJECTED
        attempt.detail = str(error.user_message or error)[:TEXT]
    else:
        _read(attempt, intent)
    return attempt


def look_up(attempt: PaymentAttempt, intent_id: str) -> PaymentAttempt:
    """Ask the provider what became of a charge; gives `attempt` back with its outcome.

    Raises
    ------
    LookupError
        The provider does not know the charge.
    ConnectionError
        The provider cannot be reached or is overloaded.
    """
    import stripe

    try:
        with reached():
            return _read(attempt, client().v1.payment_intents.retrieve(intent_id))
    except stripe.InvalidRequestError as error:
        raise LookupError(f"the provider does not know {intent_id}: {error.user_message}") from error


def _made_before(attempt: PaymentAttempt, now: datetime) -> PaymentAttempt | None:
    """The outcome of an attempt whose answer was lost so long ago that its key protects no more."""
    if now - attempt.started_at < KEY_LIFE:
        return None
    wanted: dict[str, Any] = {
        "created": {"gte": int((attempt.started_at - KEY_LIFE).timestamp())},
        "limit": 100,
    }
    if attempt.provider_customer:
        wanted["customer"] = attempt.provider_customer
    about = {"payment": str(attempt.payment_id), "attempt": str(attempt.number)}
    with reached():
        for intent in client().v1.payment_intents.list(wanted).auto_paging_iter():  # type: ignore[arg-type]
            if metadata(intent) == about:
                return _read(attempt, intent)
    return None


def _read(attempt: PaymentAttempt, intent: Any) -> PaymentAttempt:
    attempt.provider_id = intent.id
    attempt.state = OUTCOMES.get(intent.status, PaymentAttempt.State.DECLINED)
    if attempt.state == PaymentAttempt.State.DECLINED:
        error = intent.last_payment_error
        said = error["message"] if error else f"the provider says {intent.status}"
        attempt.detail = CANCELLED if intent.status == "canceled" else str(said)[:TEXT]
    return attempt


def _intent_of(error: Any) -> str:
    intent = getattr(error.error, "payment_intent", None) if error.error else None
    return str(intent["id"]) if intent else ""


def _attempts(payments: Sequence[Payment], now: datetime) -> list[PaymentAttempt]:
    """One attempt for each payment; one that an interrupted run wrote is taken as it stands."""
    wanted = [
        PaymentAttempt(
            payment=payment,
            number=_number(payment),
            key=f"zumodra-payment-{payment.pk}-{_number(payment)}",
            amount_cents=payment.amount_cents,
            currency=payment.currency,
            payment_method=payment.payment_method,
            provider_customer=payment.provider_customer,
            started_at=now,
        )
        for payment in payments
    ]
    PaymentAttempt.objects.bulk_create(wanted, ignore_conflicts=True)
    return list(PaymentAttempt.objects.filter(key__in=[a.key for a in wanted]).order_by("pk"))


def _number(payment: Payment) -> int:
    """Of the attempt that a payment waits for: a failed one for its next, a pending one for this."""
    retries: int = payment.retries
    return retries + 1 if payment.state == Payment.State.FAILED else retries


def _apply(outcomes: Sequence[PaymentAttempt], now: datetime) -> dict[str, int]:
    counts = {"recovered": 0, "declined": 0, "pending": 0, "cancelled": 0}
    if not outcomes:
        return counts
    by_payment = {attempt.payment_id: attempt for attempt in outcomes}
    with transaction.atomic():
        locked = Payment.objects.select_for_update().filter(
            pk__in=by_payment, state__in=(Payment.State.FAILED, Payment.State.PENDING)
        )
        waiting = [p for p in locked.order_by("pk") if _number(p) == by_payment[p.pk].number]
        for payment in waiting:
            counts[_settle(payment, by_payment[payment.pk], now)] += 1
        Payment.objects.bulk_update(
            waiting, ["state", "retries", "failed_at", "settled_at", "failure", "provider_id"]
        )
        PaymentAttempt.objects.bulk_update(outcomes, ["state", "detail", "provider_id"])
        ledger.book_payments([p for p in waiting if p.state == Payment.State.SUCCEEDED], now)
    return counts


def _settle(payment: Payment, attempt: PaymentAttempt, now: datetime) -> str:
    payment.retries = attempt.number
    payment.provider_id = attempt.provider_id or payment.provider_id
    if attempt.state == PaymentAttempt.State.SUCCEEDED:
        payment.state, payment.settled_at, payment.failure = Payment.State.SUCCEEDED, now, ""
        return "recovered"
    if attempt.state == PaymentAttempt.State.PENDING:
        payment.state = Payment.State.PENDING
        return "pending"
    if attempt.detail == CANCELLED:
        payment.state, payment.failure = Payment.State.CANCELLED, CANCELLED
        return "cancelled"
    payment.state, payment.failed_at, payment.failure = Payment.State.FAILED, now, attempt.detail
    return "declined"
