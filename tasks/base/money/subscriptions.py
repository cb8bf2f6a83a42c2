"""The course of subscriptions: renewed when the new period is paid, past due when something is not, ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from tasks.base import batches
from tasks.base.money import billing, payments
from tasks.base.summary import Summary
from tasks.models import Invoice, Payment, Subscription, Tenant

GRACE = timedelta(days=3)  # after a period's end, until which it may be paid
CANCEL_AFTER = timedelta(days=30)  # of an invoice that is past due
State = Subscription.State
RUNNING = (State.TRIALING, State.ACTIVE, State.PAST_DUE)
SETTLED = (Invoice.State.PAID, Invoice.State.VOID)  # nothing is owed for it any more


def follow(rows: QuerySet[Any], now: datetime, cancel_after: timedelta = CANCEL_AFTER) -> dict[str, int]:
    """Bring the state of `rows` in line with their payments and dates, and their tenants' with it.

    Parameters
    ----------
    rows
        Which subscriptions.
    now
        The moment of the run.
    cancel_after
        How long an invoice may be past due until the subscription ends.

    Returns
    -------
    dict
        ``cancelled``, ``renewed``, ``past_due``, ``active``: how many came into that state; ``tenants``
        whose state followed.
    """
    unpaid = Exists(_unpaid(now))
    lost = Exists(_open().filter(due_at__lte=now - cancel_after))
    running = rows.filter(state__in=RUNNING)
    ended = running.filter(cancel_at_period_end=True, period_end__lte=now)
    cancelled = batches.update(ended, state=State.CANCELLED, cancelled_at=F("period_end"))
    given_up = rows.filter(lost, state=State.PAST_DUE)
    cancelled += batches.update(given_up, state=State.CANCELLED, cancelled_at=now)
    renewed = advance(running, now)
    late = rows.filter(Q(unpaid) | Q(period_end__lte=now - GRACE), state__in=(State.ACTIVE, State.TRIALING))
    past_due = batches.update(late, state=State.PAST_DUE)
    well = rows.filter(~unpaid, state=State.PAST_DUE, period_end__gt=now - GRACE)
    active = batches.update(well, state=State.ACTIVE)
    return {
        "cancelled": cancelled,
        "renewed": renewed,
        "past_due": past_due,
        "active": active,
        "tenants": _tenants(rows),
    }


def advance(rows: QuerySet[Any], now: datetime) -> int:
    """Move those whose period has ended, and whose next one is paid, into the period that holds `now`."""
    ended = rows.filter(state__in=RUNNING, cancel_at_period_end=False, period_end__lte=now)
    moved = 0
    for batch in batches.walk(ended):
        with transaction.atomic():
            locked = ended.select_for_update(of=("self",)).filter(pk__in=[row.pk for row in batch])
            next_periods = {row: billing.period_after(row.period_end, now) for row in locked.order_by("pk")}
            settled = _settled(next_periods)
            for row, (start, end) in next_periods.items():
                if (row.pk, billing.month_of(start)) in settled:
                    row.period_start, row.period_end = start, end
                    row.state = State.ACTIVE if row.state == State.TRIALING else row.state
                    moved += 1
            Subscription.objects.bulk_update(next_periods, ["period_start", "period_end", "state"])
    return moved


def renew(subscription: Subscription, now: datetime, summary: Summary) -> None:
    """Invoice the next period of one subscription and charge it, unless it is invoiced or paid already.

    The period itself moves by :func:`advance`, once it is paid.

    Raises
    ------
    ConnectionError
        The payment provider does not answer.
    """
    start, _ = billing.period_after(subscription.period_end, now)
    month = billing.month_of(start)
    summary.add("invoiced", billing.issue([subscription.pk], month, now, summary))
    for invoice in _month(Invoice.objects.filter(subscription=subscription.pk, state="open"), month):
        payments.charge(payments.of_invoice(invoice.pk, now), now, summary)


def _month(invoices: QuerySet[Any], month: Any) -> QuerySet[Any]:
    return invoices.filter(period__gte=month, period__lt=billing.step(month))


def _settled(periods: dict[Subscription, tuple[datetime, datetime]]) -> set[tuple[int, Any]]:
    """Which subscriptions have settled the invoice of which month."""
    if not periods:
        return set()
    months = [billing.month_of(start) for start, _ in periods.values()]
    invoices = Invoice.objects.filter(
        subscription__in=list(periods), state__in=SETTLED, period__gte=min(months)
    )
    return {(pk, billing.month_of(day)) for pk, day in invoices.values_list("subscription", "period")}


def _open() -> QuerySet[Any]:
    return Invoice.objects.filter(subscription=OuterRef("pk"), state=Invoice.State.OPEN)


def _unpaid(now: datetime) -> QuerySet[Any]:
    """Open invoices of the outer subscription that are past due, or whose payment failed."""
    failed = Payment.objects.filter(invoice=OuterRef("pk"), state=Payment.State.FAILED)
    return _open().filter(Q(due_at__lte=now) | Q(Exists(failed)))


def _tenants(rows: QuerySet[Any]) -> int:
    """Let tenants follow their subscription; those that were suspended by hand stay so."""
    own = rows.filter(tenant=OuterRef("pk"))
    running = Subscription.objects.filter(tenant=OuterRef("pk"), state__in=RUNNING)
    state = Tenant.State
    steps = (
        (own.filter(state=State.ACTIVE), (state.TRIAL, state.PAST_DUE), state.ACTIVE),
        (own.filter(state=State.PAST_DUE), (state.ACTIVE,), state.PAST_DUE),
        (own.filter(state=State.CANCELLED), (state.ACTIVE, state.PAST_DUE), state.CANCELLED),
    )
    changed = 0
    for subscriptions, before, after in steps:
        tenants = Tenant.objects.filter(Exists(subscriptions), state__in=before)
        if after == state.CANCELLED:
            tenants = tenants.exclude(Exists(running))
        changed += batches.update(tenants, state=after)
    return changed
