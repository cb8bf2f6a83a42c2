"""Time off that employees earn: booked once a month, for each balance."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from django.db import transaction
from django.db.models import F, OuterRef, Subquery

from tasks.base.summary import Summary
from tasks.hr_core.anniversaries import years_between
from tasks.models import TimeOffAccrual, TimeOffBalance

MONTHS = 12
SERVICE_STEP = 5  # years of service for each of which a policy's extra days are earned
CENT = Decimal("0.01")
MOST = Decimal("9999.99")  # that a balance can hold
MOST_A_MONTH = Decimal("999.99")


def accrue(balances: list[TimeOffBalance], month: date, today: date, summary: Summary) -> None:
    """Add a month's accrual to those of `balances` that have not had it.

    The balances are locked first and what they have had is read afterwards, so that of two runs at once
    the second finds the work of the first done.
    """
    keys = [balance.pk for balance in balances]
    with transaction.atomic():
        locked = TimeOffBalance.objects.select_for_update(of=("self",)).filter(pk__in=keys)
        current = list(locked.select_related("employee", "policy").order_by("pk"))
        had = TimeOffAccrual.objects.filter(month=month, balance__in=keys)
        done = set(had.values_list("balance", flat=True))
        accruals = []
        for balance in current:
            if balance.pk not in done:
                with summary.row("balance", balance.pk):
                    days = earned(balance, today)
                    accruals.append(TimeOffAccrual(balance=balance, month=month, days=days))
        TimeOffAccrual.objects.bulk_create(accruals)
        of_month = had.filter(balance=OuterRef("pk")).values("days")
        grown = TimeOffBalance.objects.filter(pk__in=[accrual.balance_id for accrual in accruals])
        grown.update(days=F("days") + Subquery(of_month))
    summary.add("accrued", len(accruals))
    summary.add("at_limit", sum(not accrual.days for accrual in accruals))
    summary.add("already", len(done))


def earned(balance: TimeOffBalance, today: date) -> Decimal:
    """Days of one month by policy and years of service, as far as the balance may still grow.

    Raises
    ------
    ValueError
        It is more than a month can hold: the policy or the day of hiring is wrong.
    """
    policy = balance.policy
    steps = years_between(balance.employee.hired_on, today) // SERVICE_STEP
    a_month = ((policy.days_a_year + steps * policy.extra_days) / MONTHS).quantize(CENT, ROUND_HALF_UP)
    if not 0 <= a_month <= MOST_A_MONTH:
        raise ValueError(f"{a_month} days a month; correct policy {policy.pk} or the day of hiring")
    room = max(Decimal(0), (MOST if policy.most_days is None else policy.most_days) - balance.days)
    return min(a_month, room)
