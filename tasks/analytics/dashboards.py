"""The figures on a tenant's first page, computed for many tenants at once and kept in the cache."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, QuerySet, Sum

from tasks.base import aggregates
from tasks.models import Application, Employee, Invoice, Job, LoginSession, Payment, Tenant, User

TENANTS_AT_ONCE = 500
KEPT = 3600  # seconds in the cache: twice the time between two refreshes
WINDOW = timedelta(days=30)  # of the figures that are about a time

Figures = dict[str, Any]


def key(tenant_id: int) -> str:
    """Where a tenant's figures are in the cache."""
    return f"dashboard:{tenant_id}"


def read(tenant_id: int) -> Figures | None:
    """A tenant's figures, as they were last computed."""
    return cache.get(key(tenant_id))


def refresh(tenants: Sequence[Tenant], now: datetime) -> int:
    """Compute the figures of these tenants and keep them; as many queries for many as for one."""
    figures = compute([tenant.pk for tenant in tenants], now)
    for tenant in tenants:
        figures[tenant.pk] |= {"tenant": tenant.name, "state": tenant.state}
    failed = cache.set_many({key(pk): value for pk, value in figures.items()}, KEPT)
    return len(figures) - len(failed)


def compute(tenants: Sequence[int], now: datetime) -> dict[int, Figures]:
    """The figures by tenant. One that has nothing yet gets zeros, so that its page has something to show."""
    since = now - WINDOW
    stages = _by_two(Application.objects.all(), "stage", tenants)
    jobs = _by_two(Job.objects.all(), "state", tenants)
    staff = _by_two(Employee.objects.all(), "state", tenants)
    applied = _by_one(Application.objects.filter(applied_at__gte=since), tenants)
    users = _by_one(User.objects.filter(is_active=True), tenants)
    online = dict(
        LoginSession.objects.filter(user__tenant__in=tenants, last_seen_at__gte=now - timedelta(days=1))
        .order_by()
        .values_list("user__tenant")
        .annotate(people=Count("user_id", distinct=True))
    )
    paid = _sum(Payment.objects.filter(state=Payment.State.SUCCEEDED, settled_at__gte=since), tenants)
    owed = _sum(Invoice.objects.filter(state=Invoice.State.OPEN), tenants)
    market = {row["name"]: row["count"] for row in aggregates.read("pipeline", now)}
    return {
        tenant: {
            "as_of": now.isoformat(),
            "users": users.get(tenant, 0),
            "online": online.get(tenant, 0),
            "jobs": jobs[tenant],
            "applications": stages[tenant],
            "applications_30_days": applied.get(tenant, 0),
            "hire_share": _share(stages[tenant]),
            "hire_share_of_all": _share(market),
            "employees": staff[tenant],
            "paid_30_days": paid[tenant],
            "owed": owed[tenant],
        }
        for tenant in tenants
    }


def _by_one(rows: QuerySet[Any], tenants: Sequence[int]) -> dict[int, int]:
    found = rows.filter(tenant__in=tenants).order_by().values_list("tenant").annotate(count=Count("pk"))
    return dict(found)


def _by_two(rows: QuerySet[Any], column: str, tenants: Sequence[int]) -> defaultdict[int, dict[str, int]]:
    table: defaultdict[int, dict[str, int]] = defaultdict(dict)
    found = rows.filter(tenant__in=tenants).order_by().values_list("tenant", column)
    for tenant, name, count in found.annotate(count=Count("pk")):
        table[tenant][name] = count
    return table


def _sum(rows: QuerySet[Any], tenants: Sequence[int]) -> defaultdict[int, dict[str, int]]:
    """Cents by tenant and currency."""
    table: defaultdict[int, dict[str, int]] = defaultdict(dict)
    found = rows.filter(tenant__in=tenants).order_by().values_list("tenant", "currency")
    for tenant, currency, cents in found.annotate(cents=Sum("amount_cents")):
        table[tenant][currency] = cents
    return table


def _share(stages: dict[str, int]) -> float | None:
    """Hires among the decided; unknown where nothing was decided."""
    hired = stages.get(Application.Stage.HIRED, 0)
    decided = hired + stages.get(Application.Stage.REJECTED, 0) + stages.get(Application.Stage.WITHDRAWN, 0)
    return round(hired / decided, 4) if decided else None
