"""Charging through the payment provider: each attempt once, each charge booked once.

An attempt is a row with its idempotency key, written before the provider is asked. Asking again with
the key, after a lost answer or by another worker, gives the same charge; the outcome is applied to a
payment only while the payment still waits for that attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from tasks import ledger
from tasks.models import Payment, PaymentAttempt
from tasks.summary import Summary

if TYPE_CHECKING:
    import stripe

TIMEOUT = 20  # seconds for one answer of the provider
NETWORK_RETRIES = 2  # the library's own, with the same idempotency key
TEXT = 200  # characters kept of a reason
OUTCOMES = {"succeeded": PaymentAttempt.State.SUCCEEDED, "processing": PaymentAttempt.State.PENDING}


def configured() -> bool:
    """Whether there is a payment provider to ask."""
    return bool(settings.STRIPE_API_KEY)


def client(timeout: float = TIMEOUT, retries: int = NETWORK_RETRIES) -> stripe.StripeClient:
    """The provider's official library, pointed at the configured address."""
    return _client(settings.STRIPE_API_KEY, settings.STRIPE_API_BASE, timeout, retries)


@cache
def _client(key: str, base: str, timeout: float, retries: int) -> stripe.StripeClient:
    import stripe  # a third of a second, which only the tasks that pay need

    return stripe.StripeClient(
        key,
        base_addresses={"api": base} if base else {},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=timeout),
    )


def due(
    now: datetime, max_retries: int, retry_after: timedelta, tenant_id: int | None = None
) -> QuerySet[Payment]:
    """Failed payments whose pause is over: `retry_after` before the first retry, then twice as long each."""
    ready = Q()
    for retries in range(max_retries):
        ready |= Q(retries=retries, failed_at__lte=now - retry_after * 2**retries)
    rows = Payment.objects.filter(ready, state=Payment.State.FAILED) if ready else Payment.objects.none()
    return rows if tenant_id is None else rows.filter(tenant_id=tenant_id)


def retry(payments: Sequence[Payment], now: datetime, summary: Summary) -> None:
    """Ask the provider once more for each of `payments`, and apply what it says.

    Raises
    ------
    ConnectionError
        The provider cannot be reached or is overloaded; outcomes known by then are applied.
    """
    attempts = _attempts(payments, now)
    outcomes: list[PaymentAttempt] = []
    try:
        for attempt in attempts:
            with summary.row("payment", attempt.payment_id):
                outcomes.append(ask(attempt))
    finally:
        summary.merge(_apply(outcomes, now))


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
        intent = client().v1.payment_intents.create(params, {"idempotency_key": attempt.key})  # type: ignore[arg-type]
    except stripe.CardError as error:
        attempt.state = PaymentAttempt.State.DECLINED
        attempt.detail = str(error.user_message or error.code or "declined")[:TEXT]
        attempt.provider_id = _intent_of(error)
    except (stripe.InvalidRequestError, stripe.IdempotencyError) as error:
        attempt.state = PaymentAttempt.State.REJECTED
        attempt.detail = str(error.user_message or error)[:TEXT]
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError) as error:
        raise ConnectionError(f"the payment provider does not answer: {error}") from error
    else:
        attempt.provider_id = intent.id
        attempt.state = OUTCOMES.get(intent.status, PaymentAttempt.State.DECLINED)
        if attempt.state == PaymentAttempt.State.DECLINED:
            attempt.detail = f"the provider says {intent.status}"[:TEXT]
    return attempt


def _intent_of(error: Any) -> str:
    intent = getattr(error.error, "payment_intent", None) if error.error else None
    return str(intent["id"]) if intent else ""


def _attempts(payments: Sequence[Payment], now: datetime) -> list[PaymentAttempt]:
    """One attempt for each payment; one that an interrupted run wrote is taken as it stands."""
    wanted = [
        PaymentAttempt(
            payment=payment,
            number=payment.retries + 1,
            key=f"zumodra-payment-{payment.pk}-{payment.retries + 1}",
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


def _apply(outcomes: Sequence[PaymentAttempt], now: datetime) -> dict[str, int]:
    counts = {"recovered": 0, "declined": 0, "pending": 0}
    if not outcomes:
        return counts
    by_payment = {attempt.payment_id: attempt for attempt in outcomes}
    with transaction.atomic():
        locked = Payment.objects.select_for_update().filter(pk__in=by_payment, state=Payment.State.FAILED)
        waiting = [p for p in locked.order_by("pk") if p.retries + 1 == by_payment[p.pk].number]
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
    payment.failed_at, payment.failure = now, attempt.detail
    return "declined"
