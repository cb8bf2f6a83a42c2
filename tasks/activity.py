"""What happened at tenants in a span of time, for the letters that tell of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet, Sum

from tasks.models import Application, Candidate, Interview, Job, LoginSession, Payment, StageStay

Facts = tuple[tuple[str, object], ...]  # what was counted, and how many


@dataclass(frozen=True)
class Figure:
    """What is counted, by which moment, for whom."""

    label: str
    rows: QuerySet[Any]
    at: str
    tenant: str = "tenant"
    value: Any = None  # an aggregate; the count of the rows if None


def figures() -> tuple[Figure, ...]:
    """What tenants are told of."""
    interviews = Interview.objects.exclude(state=Interview.State.CANCELLED)
    hires = StageStay.objects.filter(stage=Application.Stage.HIRED)
    return (
        Figure("new applications", Application.objects.all(), "applied_at"),
        Figure("new candidates", Candidate.objects.all(), "created_at"),
        Figure("interviews", interviews, "starts_at", "application__tenant"),
        Figure("hires", hires, "entered_at", "application__tenant"),
        Figure("jobs opened", Job.objects.all(), "created_at"),
        Figure("jobs closed", Job.objects.all(), "closed_at"),
        Figure(
            "people who logged in",
            LoginSession.objects.all(),
            "created_at",
            "user__tenant",
            Count("user", distinct=True),
        ),
    )


def happened(tenants: Collection[int], since: datetime, until: datetime) -> dict[int, Facts]:
    """By tenant, each figure from `since` to before `until`; one query a figure, for however many."""
    counted = [(figure.label, _by_tenant(figure, tenants, since, until)) for figure in figures()]
    return {pk: tuple((label, found.get(pk, 0)) for label, found in counted) for pk in tenants}


def paid(tenants: Collection[int], since: datetime, until: datetime) -> dict[int, Facts]:
    """By tenant, what it paid, by currency."""
    rows = Payment.objects.filter(state=Payment.State.SUCCEEDED, tenant__in=tenants)
    rows = rows.filter(settled_at__gte=since, settled_at__lt=until).order_by("tenant", "currency")
    table: dict[int, Facts] = dict.fromkeys(tenants, ())
    for tenant, currency, cents in rows.values_list("tenant", "currency").annotate(cents=Sum("amount_cents")):
        table[tenant] += (("paid", f"{cents // 100:,}.{cents % 100:02} {currency.upper()}"),)
    return table


def _by_tenant(figure: Figure, tenants: Collection[int], since: datetime, until: datetime) -> dict[int, Any]:
    span = {f"{figure.at}__gte": since, f"{figure.at}__lt": until, f"{figure.tenant}__in": tenants}
    rows = figure.rows.filter(**span).order_by().values_list(figure.tenant)
    return dict(rows.annotate(figure.value or Count("pk")))
