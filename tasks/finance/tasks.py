"""The tasks ``finance.tasks.*``."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from celery import shared_task
from django.db.models import Q

from tasks.base import batches, mail
from tasks.base.clock import Moment, moment, span
from tasks.base.errors import UnknownRow
from tasks.base.leases import holder, lease
from tasks.base.mail import Letter
from tasks.base.money import billing, gateway, payments, subscriptions
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.finance import reconciliation, refunds
from tasks.models import Invoice, Payment, Refund, Subscription

ROWS = 500  # looked at in one step
ASKED = 50  # payments and refunds sent to the provider between two bookings
RETRY_LIMIT = 4  # retries after the first attempt
RETRY_AFTER_HOURS = 48  # steady, beside the eager first retries of the core task, and on after its last one
REMINDERS = (-3, 0, 7, 14)  # days after the due date
INVOICE_MAIL = "invoice reminder"  # kind of the letters


@shared_task(name="finance.tasks.sync_stripe_subscriptions", bind=True)
def sync_stripe_subscriptions(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Reconcile subscriptions with the payment provider, page by page."""
    at = moment(now)
    rows = within(Subscription.objects.all(), tenant_id)
    if not gateway.configured():
        return Summary(looked_at=rows.count(), provider="off")
    summary = Summary("pages", "looked_at", "updated", "registered", "missing", "unknown", "ended_there")
    with lease("sync subscriptions", holder(self)) as mine:
        if not mine:
            return Summary(in_progress=True)
        seen = reconciliation.pull(rows, at, summary)
        reconciliation.push(rows, seen, summary)
    return summary


@shared_task(name="finance.tasks.retry_failed_payments")
def retry_failed_payments(
    max_retries: int = RETRY_LIMIT,
    retry_after_hours: float = RETRY_AFTER_HOURS,
    now: Moment = None,
    tenant_id: int | None = None,
) -> Summary:
    """Retry the failed payments that are due and under their limit, each attempt with its own key."""
    at = moment(now)
    due = payments.due(at, max_retries, span(hours=retry_after_hours), tenant_id, growth=1)
    return payments.retry_all(due, at, ASKED)


@shared_task(name="finance.tasks.send_invoice_reminders", bind=True)
def send_invoice_reminders(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Remind of invoices due in 3 days, due today, and 7 and 14 days overdue, once each."""
    at = moment(now)
    marked = Q()
    for days in REMINDERS:
        day = datetime.combine(at.date(), time(), at.tzinfo) - timedelta(days=days)
        marked |= Q(due_at__gte=day, due_at__lt=day + timedelta(days=1))
    rows = Invoice.objects.filter(marked, state=Invoice.State.OPEN).select_related("tenant")
    summary = Summary("looked_at", "written")
    for batch in batches.walk(within(rows, tenant_id), ROWS):
        summary.add("looked_at", len(batch))
        summary.add("written", mail.write((_reminder(invoice, at) for invoice in batch), at))
    summary.merge(mail.deliver(INVOICE_MAIL, holder(self)))
    return summary


@shared_task(name="finance.tasks.generate_monthly_invoices")
def generate_monthly_invoices(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """One invoice for each active subscription for this month, pro-rated for changes of plan."""
    at = moment(now)
    month = billing.month_of(at)
    active = Subscription.objects.filter(state=Subscription.State.ACTIVE, started_at__lte=at)
    summary = Summary("looked_at", "invoiced")
    for batch in batches.walk(within(active, tenant_id).only("pk"), ROWS):
        summary.add("looked_at", len(batch))
        keys = [subscription.pk for subscription in batch]
        summary.add("invoiced", billing.issue(keys, month, at, summary))
    return summary


@shared_task(name="finance.tasks.sync_stripe_payments")
def sync_stripe_payments(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Settle pending payments by asking the provider what became of them."""
    at = moment(now)
    pending = payments.unanswered(tenant_id)
    if not gateway.configured():
        return Summary(looked_at=pending.count(), provider="off")
    summary = Summary("looked_at", "settled", "declined", "pending", "cancelled")
    for batch in batches.walk(pending, ASKED):
        summary.add("looked_at", len(batch))
        payments.settle(batch, at, summary, "settled")
    return summary


@shared_task(name="finance.tasks.process_pending_refunds", bind=True)
def process_pending_refunds(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Submit approved refunds to the provider, and book them."""
    at = moment(now)
    approved = Refund.objects.filter(state=Refund.State.APPROVED, requested_at__lte=at)
    approved = within(approved.select_related("payment"), tenant_id, "payment__tenant")
    if not gateway.configured():
        return Summary(looked_at=approved.count(), provider="off")
    summary = Summary("looked_at", "refunded", "refused", "cents")
    # What is left of a payment is counted before the provider is asked: one run at a time.
    with lease("refunds", holder(self)) as mine:
        if not mine:
            return Summary(in_progress=True)
        for batch in batches.walk(approved, ASKED):
            summary.add("looked_at", len(batch))
            refunds.submit(batch, at, summary)
    return summary


@shared_task(name="finance.tasks.update_subscription_status")
def update_subscription_status(
    cancel_after_days: float = subscriptions.CANCEL_AFTER.days,
    now: Moment = None,
    tenant_id: int | None = None,
) -> Summary:
    """Make subscriptions past due, cancelled, renewed or active again, by their payments and dates."""
    at = moment(now)
    rows = within(Subscription.objects.all(), tenant_id)
    changed = subscriptions.follow(rows, at, span(days=cancel_after_days))
    return Summary(looked_at=rows.count(), **changed)


@shared_task(name="finance.tasks.process_payment", bind=True)
def process_payment(
    self: Any,
    payment_id: int | None = None,
    invoice_id: int | None = None,
    now: Moment = None,
    tenant_id: int | None = None,
) -> Summary:
    """Charge a payment, or an open invoice, once, and book it.

    Called, not scheduled. What is paid, void or cancelled is left alone; so is what failed, which the
    retries take up.

    Raises
    ------
    ValueError
        Not exactly one of the two ids is given.
    UnknownRow
        There is no such payment or invoice.
    ConnectionError
        The payment provider does not answer; asking again charges once.
    """
    at = moment(now)
    if (payment_id is None) == (invoice_id is None):
        raise ValueError(f"payment_id={payment_id} and invoice_id={invoice_id}: give one of the two")
    rows = within(Payment.objects.all() if invoice_id is None else Invoice.objects.all(), tenant_id)
    row = rows.filter(pk=payment_id or invoice_id).first()
    if row is None:
        kind = "payment" if invoice_id is None else "invoice"
        raise UnknownRow(f"there is no {kind} {payment_id or invoice_id}; was it deleted?")
    if not gateway.configured():
        return Summary(looked_at=1, provider="off")
    summary = Summary("charged", "declined", "pending", looked_at=1)
    payment = row if invoice_id is None else payments.of_invoice(row.pk, at)
    payments.charge(payment, at, summary)
    return summary


def _reminder(invoice: Invoice, at: datetime) -> Letter:
    days = (at.date() - invoice.due_at.date()).days
    when = f"due in {-days} days" if days < 0 else "due today" if days == 0 else f"{days} days overdue"
    return Letter(
        INVOICE_MAIL,
        f"invoice {invoice.pk}, {when}",
        invoice.tenant.email,
        f"Invoice {invoice.number} is {when}",
        lines=(f"Invoice {invoice.number} for {invoice.tenant.name} is {when}.",),
        facts=(
            ("amount", f"{invoice.amount_cents / 100:,.2f} {invoice.currency.upper()}"),
            ("due on", f"{invoice.due_at:%Y-%m-%d}"),
            ("for", f"{invoice.period:%B %Y}" if invoice.period else "services"),
        ),
        tenant_id=invoice.tenant_id,
    )
