"""What happened at tenants in a span of time, for the letters that tell of it.

The figures are those of :mod:`tasks.base.metrics`, counted here over any span instead of by day.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Count, Sum

from tasks.base.metrics import Figure, daily
from tasks.models import LoginSession

Facts = tuple[tuple[str, object], ...]  # what was counted, and how many

# How a letter calls a figure.
TOLD = {
    "hiring.applications": "new applications",
    "hiring.candidates": "new candidates",
    "hiring.interviews": "interviews",
    "hiring.hires": "hires",
    "hiring.jobs_opened": "jobs opened",
    "hiring.jobs_closed": "jobs closed",
}
PAID = "revenue.paid_cents"


def happened(tenants: Collection[int], since: datetime, until: datetime) -> dict[int, Facts]:
    """By tenant, each figure from `since` to before `until`; one query a figure, for however many."""
    known = {figure.name: figure for figure in daily()}
    people = Figure(
        "people", LoginSession.objects.all(), "created_at", "user__tenant", Count("user", distinct=True)
    )
    told = [(label, known[name]) for name, label in TOLD.items()] + [("people who logged in", people)]
    counted = [(label, _by_tenant(figure, tenants, since, until)) for label, figure in told]
    return {pk: tuple((label, found.get(pk, 0)) for label, found in counted) for pk in tenants}


def paid(tenants: Collection[int], since: datetime, until: datetime) -> dict[int, Facts]:
    """By tenant, what it paid, by currency."""
    figure = next(figure for figure in daily() if figure.name == PAID)
    rows = _within(figure, tenants, since, until).order_by("tenant", "currency")
    table: dict[int, Facts] = dict.fromkeys(tenants, ())
    for tenant, currency, cents in rows.values_list("tenant", "currency").annotate(cents=Sum("amount_cents")):
        table[tenant] += (("paid", f"{cents // 100:,}.{cents % 100:02} {currency.upper()}"),)
    return table


def _within(figure: Figure, tenants: Collection[int], since: datetime, until: datetime) -> Any:
    span = {f"{figure.at}__gte": since, f"{figure.at}__lt": until, f"{figure.tenant}__in": tenants}
    return figure.rows.filter(**span)


def _by_tenant(figure: Figure, tenants: Collection[int], since: datetime, until: datetime) -> dict[int, Any]:
    rows = _within(figure, tenants, since, until).order_by().values_list(figure.tenant)
    return dict(rows.annotate(figure.value))
