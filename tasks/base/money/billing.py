"""What a subscription costs in a calendar month, pro-rated where it changed, and its invoice: one a month."""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from django.db import transaction

from tasks.base.summary import Summary
from tasks.models import Invoice, InvoiceLine, Plan, Subscription, SubscriptionChange

DUE = timedelta(days=14)  # from the issue of an invoice
CARRIED = "credit carried to the next invoice"  # the line that the next invoice looks for
TEXT = 200  # characters of a line
Line = tuple[str, int]  # text and cents


def month_of(at: datetime | date) -> date:
    """First day of the month."""
    return date(at.year, at.month, 1)


def step(month: date, months: int = 1) -> date:
    """First day of the month that is `months` later."""
    count = month.year * 12 + month.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def later(at: datetime, months: int) -> datetime:
    """The same day and time `months` later, or the month's last day where it has no such day."""
    month = step(month_of(at), months)
    last = calendar.monthrange(month.year, month.month)[1]
    return at.replace(year=month.year, month=month.month, day=min(at.day, last))


def period_after(end: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The monthly period after `end` that holds `now`; the first one after it if that has not ended."""
    months = max(0, (now.year - end.year) * 12 + now.month - end.month - 1)
    while later(end, months + 1) <= now:
        months += 1
    return later(end, months), later(end, months + 1)


def lines(
    subscription: Subscription,
    month: date,
    changes: Sequence[SubscriptionChange],
    before: Invoice | None,
    now: datetime,
) -> list[Line]:
    """The positions of one month.

    Parameters
    ----------
    subscription
        With its plan, which holds from the last change on.
    month
        First day of the month to bill.
    changes
        Changes of plan from the month before on, oldest first.
    before
        The invoice before this one. Without one, what it was running in the month before is billed too, if
        it started then.
    now
        Later changes are not known yet.

    Raises
    ------
    ValueError
        A plan before had another currency, which no invoice can hold.
    """
    begin, end, earlier = _midnight(month), _midnight(step(month)), _midnight(step(month, -1))
    if subscription.cancel_at_period_end:
        end = min(end, subscription.period_end)
    started: datetime = subscription.started_at
    first = started if started > begin or (before is None and started >= earlier) else begin
    known = [change for change in changes if change.at <= now]
    for plan in (plan for change in known for plan in (change.old_plan, change.new_plan)):
        if plan.currency != subscription.plan.currency:
            raise ValueError(f"plan {plan.slug} is in {plan.currency}; issue this invoice by hand")
    found: list[Line] = []
    if before and before.period == step(month, -1):
        for change in known:
            if max(earlier, before.issued_at) < change.at < begin:
                found += [
                    _line(change.old_plan, change.at, begin, sign=-1),
                    _line(change.new_plan, change.at, begin),
                ]
    if first < end:
        inner = {at for at in (begin, *(change.at for change in known)) if first < at < end}
        for since, until in pairwise(sorted({first, end} | inner)):
            plan = next((c.old_plan for c in known if c.at > since), subscription.plan)
            found.append(_line(plan, since, until))
    return found


def issue(keys: Iterable[int], month: date, now: datetime, summary: Summary) -> int:
    """Write the invoices of `month` for those of these subscriptions that have none; returns how many.

    Subscriptions are locked meanwhile, so that two runs never both find that there is none.
    """
    with transaction.atomic():
        rows = Subscription.objects.select_for_update(of=("self",)).select_related("plan")
        subscriptions = list(rows.filter(pk__in=list(keys)).order_by("pk"))
        known = _latest(subscriptions, step(month))
        due = [s for s in subscriptions if s.pk not in known or _period(known[s.pk]) < month]
        changes = _changes(due, step(month, -1))
        carried = dict(
            InvoiceLine.objects.filter(
                invoice__in=[known[s.pk].pk for s in due if s.pk in known], text=CARRIED
            ).values_list("invoice", "amount_cents")
        )
        made: list[tuple[Invoice, list[Line]]] = []
        for subscription in due:
            with summary.row("subscription", subscription.pk):
                before = known.get(subscription.pk)
                found = lines(subscription, month, changes[subscription.pk], before, now)
                if not found:
                    continue
                if before and before.pk in carried:
                    found.append(("credit of the invoice before", -carried[before.pk]))
                made.append(_invoice(subscription, month, found, now))
        invoices = Invoice.objects.bulk_create([invoice for invoice, _ in made])
        InvoiceLine.objects.bulk_create(
            InvoiceLine(invoice=invoice, text=text[:TEXT], amount_cents=cents)
            for invoice, (_, found) in zip(invoices, made, strict=True)
            for text, cents in found
        )
    return len(made)


def _invoice(
    subscription: Subscription, month: date, found: list[Line], now: datetime
) -> tuple[Invoice, list[Line]]:
    total = sum(cents for _, cents in found)
    if total < 0:
        found = [*found, (CARRIED, -total)]
    free = total <= 0
    invoice = Invoice(
        tenant_id=subscription.tenant_id,
        subscription=subscription,
        number=f"Z-{month:%Y%m}-{subscription.pk:06d}",
        period=month,
        amount_cents=max(0, total),
        currency=subscription.plan.currency,
        state=Invoice.State.PAID if free else Invoice.State.OPEN,
        issued_at=now,
        due_at=now + DUE,
        paid_at=now if free else None,
    )
    return invoice, found


def _latest(subscriptions: Sequence[Subscription], before: date) -> dict[int, Invoice]:
    """The latest invoice of each subscription for a month before `before`."""
    rows = Invoice.objects.filter(subscription__in=subscriptions, period__lt=before)
    return {row.subscription_id: row for row in rows.order_by("period")}


def _changes(
    subscriptions: Sequence[Subscription], since: date
) -> defaultdict[int, list[SubscriptionChange]]:
    table: defaultdict[int, list[SubscriptionChange]] = defaultdict(list)
    rows = SubscriptionChange.objects.filter(subscription__in=subscriptions, at__gte=_midnight(since))
    for change in rows.select_related("old_plan", "new_plan").order_by("at", "pk"):
        table[change.subscription_id].append(change)
    return table


def _period(invoice: Invoice) -> date:
    period: date = invoice.period
    return period


def _line(plan: Plan, since: datetime, until: datetime, sign: int = 1) -> Line:
    what = "credit for" if sign < 0 else ""
    return f"{what} {plan.name}, {since:%Y-%m-%d} to {until:%Y-%m-%d}".strip(), sign * _share(
        plan, since, until
    )


def _share(plan: Plan, since: datetime, until: datetime) -> int:
    """Cents for a part of a month, rounded to the nearest one."""
    month = month_of(since)
    whole = _midnight(step(month)) - _midnight(month)
    cents: int = plan.price_cents
    return int((cents * (until - since) * 2 + whole) // (whole * 2))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
