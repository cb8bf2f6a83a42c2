"""Money that goes back: each refund sent to the provider once, never more than was paid, and booked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Sum

from tasks.base.money import ledger
from tasks.base.money.gateway import TEXT, client, metadata, reached
from tasks.base.summary import Summary
from tasks.models import Payment, Refund

UNDERWAY = ("succeeded", "pending", "requires_action")  # the provider has taken it


def submit(refunds: Sequence[Refund], now: datetime, summary: Summary) -> None:
    """Send these approved refunds, with their payment loaded, and book what the provider takes.

    Raises
    ------
    ConnectionError
        The provider cannot be reached or is overloaded; what it took by then is booked.
    """
    left = _left({refund.payment for refund in refunds})
    answered: list[Refund] = []
    try:
        for refund in refunds:
            with summary.row("refund", refund.pk):
                payment = refund.payment
                if problem := _problem(refund, payment, left[payment.pk]):
                    refund.state, refund.detail = Refund.State.REFUSED, problem
                else:
                    send(refund)
                if refund.state == Refund.State.DONE:
                    left[payment.pk] -= refund.amount_cents
                answered.append(refund)
    finally:
        summary.merge(_apply(answered, now))


def send(refund: Refund) -> None:
    """Ask the provider to pay back; sets the refund's outcome.

    Raises
    ------
    ConnectionError
        The provider cannot be reached or is overloaded.
    """
    import stripe

    intent: str = refund.payment.provider_id
    about = {"refund": str(refund.pk)}
    params: Any = {"payment_intent": intent, "amount": refund.amount_cents, "metadata": about}
    try:
        # The provider forgets keys after a day, and a run may be delivered again after longer.
        with reached():
            known = client().v1.refunds.list({"payment_intent": intent, "limit": 100}).auto_paging_iter()
            made = next((row for row in known if metadata(row) == about), None)
            made = made or client().v1.refunds.create(params, {"idempotency_key": refund.key})
    except (stripe.InvalidRequestError, stripe.IdempotencyError, stripe.CardError) as error:
        refund.state, refund.detail = Refund.State.REFUSED, str(error.user_message or error)[:TEXT]
    else:
        taken = made.status in UNDERWAY
        refund.provider_id = made.id
        refund.state = Refund.State.DONE if taken else Refund.State.REFUSED
        refund.detail = "" if taken else f"the provider says {made.status}"[:TEXT]


def _left(payments: set[Payment]) -> dict[int, int]:
    """How many cents of each payment were not paid back yet."""
    done = Refund.objects.filter(payment__in=payments, state=Refund.State.DONE).order_by()
    back = dict(done.values_list("payment").annotate(cents=Sum("amount_cents")))
    return {payment.pk: payment.amount_cents - back.get(payment.pk, 0) for payment in payments}


def _problem(refund: Refund, payment: Payment, left: int) -> str:
    """Why the provider need not be asked; empty where it must."""
    if payment.state != Payment.State.SUCCEEDED:
        return f"payment {payment.pk} is {payment.state}: there is nothing to pay back"
    if not payment.provider_id:
        return f"payment {payment.pk} was not made through the provider"
    if refund.amount_cents > left:
        return f"{refund.amount_cents} cents are more than the {left} left of payment {payment.pk}"
    return ""


def _apply(answered: Sequence[Refund], now: datetime) -> dict[str, int]:
    counts = {"refunded": 0, "refused": 0, "cents": 0}
    if not answered:
        return counts
    by_key = {refund.pk: refund for refund in answered}
    with transaction.atomic():
        waiting = Refund.objects.select_for_update().filter(pk__in=by_key, state=Refund.State.APPROVED)
        changed = [by_key[pk] for pk in waiting.order_by("pk").values_list("pk", flat=True)]
        done = [refund for refund in changed if refund.state == Refund.State.DONE]
        for refund in done:
            refund.done_at = now
        Refund.objects.bulk_update(changed, ["state", "detail", "provider_id", "done_at"])
        ledger.book(_movement(refund, now) for refund in done)
    cents = sum(refund.amount_cents for refund in done)
    return {"refunded": len(done), "refused": len(changed) - len(done), "cents": cents}


def _movement(refund: Refund, now: datetime) -> ledger.Movement:
    payment = refund.payment
    return ledger.Movement(
        key=f"refund {refund.pk}",
        at=now,
        text=f"refund {refund.pk} of payment {payment.pk}",
        currency=payment.currency,
        cents={
            ledger.PROVIDER: -refund.amount_cents,
            ledger.tenant_account(payment.tenant_id): refund.amount_cents,
        },
    )
