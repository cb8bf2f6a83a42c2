"""Figures of a day, a week or a month, by tenant and for the platform; any of them can be computed again.

Names are ``family.figure``. A tenant without a figure has nothing of it, which is zero; the platform has
every figure of a day that was computed, so its rows tell which days are known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from tasks.base.tenancy import within
from tasks.models import (
    Application,
    Candidate,
    Interview,
    Invoice,
    Job,
    LoginAttempt,
    Metric,
    PageView,
    Payment,
    Refund,
    StageStay,
    User,
)

FAMILIES = ("hiring", "revenue", "activity")
DAY = timedelta(days=1)
ACTIVE_PEOPLE = "activity.active_people"
AVERAGED = {ACTIVE_PEOPLE}  # the same people come on several days: a longer period has the mean of its days
COUNT = Count("pk")
PLATFORM = None  # the tenant of the platform's own figures

Values = dict[str, float]
ByTenant = dict[int | None, Values]


@dataclass(frozen=True)
class Figure:
    """What is counted, or summed up, at which moment, for whom."""

    name: str
    rows: QuerySet[Any]
    at: str  # column of the moment
    tenant: str = "tenant"
    value: Any = COUNT
    currency: str = ""  # column; the figure's name ends in it


def daily() -> tuple[Figure, ...]:
    """The figures of a day."""
    stays = StageStay.objects.all()
    cents = Sum("amount_cents")
    views = PageView.objects.all()
    people = User.objects.all()
    return (
        Figure("hiring.applications", Application.objects.all(), "applied_at"),
        Figure("hiring.candidates", Candidate.objects.all(), "created_at"),
        Figure("hiring.jobs_opened", Job.objects.all(), "created_at"),
        Figure("hiring.jobs_closed", Job.objects.all(), "closed_at"),
        Figure(
            "hiring.interviews",
            Interview.objects.exclude(state=Interview.State.CANCELLED),
            "starts_at",
            "application__tenant",
        ),
        Figure(
            "hiring.offers", stays.filter(stage=Application.Stage.OFFER), "entered_at", "application__tenant"
        ),
        Figure(
            "hiring.hires", stays.filter(stage=Application.Stage.HIRED), "entered_at", "application__tenant"
        ),
        Figure(
            "revenue.paid_cents",
            Payment.objects.filter(state=Payment.State.SUCCEEDED),
            "settled_at",
            value=cents,
            currency="currency",
        ),
        Figure(
            "revenue.invoiced_cents",
            Invoice.objects.exclude(state=Invoice.State.VOID),
            "issued_at",
            value=cents,
            currency="currency",
        ),
        Figure(
            "revenue.refunded_cents",
            Refund.objects.filter(state=Refund.State.DONE),
            "done_at",
            "payment__tenant",
            value=cents,
            currency="payment__currency",
        ),
        Figure(
            "activity.logins",
            LoginAttempt.objects.filter(succeeded=True, user__isnull=False),
            "at",
            "user__tenant",
        ),
        Figure("activity.sign_ups", people, "created_at"),
        Figure("activity.page_views", views, "at"),
        Figure(ACTIVE_PEOPLE, views.filter(user__isnull=False), "at", value=Count("user_id", distinct=True)),
    )


def midnight(day: date) -> datetime:
    """When a day begins, UTC."""
    return datetime.combine(day, time(), UTC)


def record_days(days: Iterable[date], now: datetime, tenant_id: int | None = None) -> dict[str, int]:
    """Compute the figures of these days and store them in place of what was stored before.

    Each figure is one query, however many days and tenants there are.
    """
    counts = {"days": 0, "stored": 0, "removed": 0}
    wanted = sorted(days)
    if not wanted:
        return counts
    figures = _compute(wanted[0], wanted[-1], tenant_id)
    for day in wanted:
        counts["days"] += 1
        done = store(Metric.Period.DAY, day, figures[day], now, tenant_id)
        counts = {name: counts[name] + done.get(name, 0) for name in counts}
    return counts


def record_span(
    period: str, first: date, last: date, now: datetime, tenant_id: int | None = None
) -> dict[str, int]:
    """Store the figures of a week or a month from those of its days.

    A day that was never computed, because nothing ran on the morning after it, is computed first.
    """
    days = Metric.objects.filter(period=Metric.Period.DAY, start__gte=first, start__lte=last)
    days = days.filter(_of_families(FAMILIES))
    known = set(
        days.filter(Q(tenant=PLATFORM) | Q(tenant=tenant_id)).values_list("start", flat=True).distinct()
    )
    every = [first + DAY * number for number in range((last - first).days + 1)]
    made = record_days([day for day in every if day not in known], now, tenant_id)
    values: ByTenant = defaultdict(dict)
    found = within(days, tenant_id).values_list("tenant", "name")
    for tenant, name, total in found.annotate(total=Sum("value")).order_by():
        values[tenant][name] = total / len(every) if name in AVERAGED else total
    done = store(period, first, values, now, tenant_id)
    return {"days_computed": made["days"], **done}


def store(
    period: str,
    start: date,
    figures: ByTenant,
    now: datetime,
    tenant_id: int | None = None,
    families: tuple[str, ...] = FAMILIES,
) -> dict[str, int]:
    """Put figures in the place of what is stored for the period; what is not among them is removed."""
    rows = [
        Metric(tenant_id=tenant, period=period, start=start, name=name, value=value, computed_at=now)
        for tenant, values in figures.items()
        for name, value in values.items()
    ]
    there = within(Metric.objects.filter(_of_families(families), period=period, start=start), tenant_id)
    with transaction.atomic():
        Metric.objects.bulk_create(
            [row for row in rows if row.tenant_id is not PLATFORM],
            update_conflicts=True,
            unique_fields=["tenant", "period", "start", "name"],
            update_fields=["value", "computed_at"],
        )
        # The constraint of the platform's rows is a partial one, which no upsert of Django's can name.
        own = [row for row in rows if row.tenant_id is PLATFORM]
        ids = dict(there.filter(tenant=PLATFORM).values_list("name", "pk"))
        Metric.objects.bulk_create([row for row in own if row.name not in ids], ignore_conflicts=True)
        for row in own:
            row.pk = ids.get(row.name)
        Metric.objects.bulk_update([row for row in own if row.pk], ["value", "computed_at"])
        removed, _ = there.filter(computed_at__lt=now).delete()
    return {"stored": len(rows), "removed": removed}


def week_before(day: date) -> tuple[date, date]:
    """Monday and Sunday of the week before the day's."""
    monday = day - DAY * (day.weekday() + 7)
    return monday, monday + DAY * 6


def month_before(day: date) -> tuple[date, date]:
    """First and last day of the month before the day's."""
    last = day.replace(day=1) - DAY
    return last.replace(day=1), last


def _of_families(families: tuple[str, ...]) -> Q:
    found = Q()
    for family in families:
        found |= Q(name__startswith=f"{family}.")
    return found


def _compute(first: date, last: date, tenant_id: int | None) -> defaultdict[date, ByTenant]:
    table: defaultdict[date, ByTenant] = defaultdict(lambda: defaultdict(dict))
    days = [first + DAY * number for number in range((last - first).days + 1)]
    for figure in daily():
        rows = figure.rows.filter(
            **{f"{figure.at}__gte": midnight(first), f"{figure.at}__lt": midnight(last + DAY)}
        )
        if tenant_id is not None:
            rows = rows.filter(**{figure.tenant: tenant_id})
        elif not figure.currency:
            for day in days:
                table[day][PLATFORM][figure.name] = 0.0
        columns = [figure.tenant, *([figure.currency] if figure.currency else [])]
        found = rows.order_by().annotate(day_=TruncDate(figure.at)).values_list("day_", *columns)
        for day, tenant, *currency, value in found.annotate(value_=figure.value):
            name = "_".join((figure.name, *currency))
            if tenant is not None:
                table[day][tenant][name] = float(value)
            if tenant_id is None:
                whole = table[day][PLATFORM]
                whole[name] = whole.get(name, 0.0) + value
    return table
