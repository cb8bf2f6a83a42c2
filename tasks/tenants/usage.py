"""What tenants use of their plans, and the alerts about limits that they near or have reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet, Sum

from tasks.base import mail
from tasks.base.mail import Letter
from tasks.models import Candidate, Document, Job, Plan, Tenant, TenantUsage, UsageAlert, User

MEGABYTE = 1_000_000  # bytes
LIMITS = {
    "users": "user_limit",
    "open_jobs": "job_limit",
    "candidates": "candidate_limit",
    "storage_mb": "storage_limit_mb",
}
NAMES = {
    "users": "users",
    "open_jobs": "open jobs",
    "candidates": "candidates",
    "storage_mb": "MB of storage",
}
SERVED = (Tenant.State.TRIAL, Tenant.State.ACTIVE, Tenant.State.PAST_DUE)
MAIL = "usage limit"  # kind of the letters

Usage = dict[str, int]  # resource to amount
Alert = tuple[int, str, str]  # tenant, resource, level


def measure(tenants: Sequence[int]) -> dict[int, Usage]:
    """What each of these tenants uses now: one query a resource, however many tenants."""
    found = {
        "users": _per_tenant(User.objects.filter(is_active=True), tenants, Count("pk")),
        "open_jobs": _per_tenant(Job.objects.filter(state=Job.State.OPEN), tenants, Count("pk")),
        "candidates": _per_tenant(Candidate.objects.all(), tenants, Count("pk")),
        "storage_mb": _per_tenant(Document.objects.all(), tenants, Sum("size")),
    }
    # A megabyte that was begun counts.
    found["storage_mb"] = {tenant: -(-size // MEGABYTE) for tenant, size in found["storage_mb"].items()}
    return {tenant: {name: found[name].get(tenant, 0) for name in LIMITS} for tenant in tenants}


def record(tenants: Sequence[int], now: datetime) -> int:
    """Store today's usage of these tenants, over what was stored earlier today."""
    rows = [TenantUsage(tenant_id=pk, day=now.date(), **used) for pk, used in measure(tenants).items()]
    TenantUsage.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["tenant", "day"], update_fields=list(LIMITS)
    )
    return len(rows)


def levels(used: int, limit: int | None, warn_percent: int) -> set[str]:
    """The alerts that `used` of `limit` asks for. No limit asks for none, and neither does no use."""
    if limit is None or not used:
        return set()
    shares = {UsageAlert.Level.WARNING: warn_percent, UsageAlert.Level.REACHED: 100}
    return {str(level) for level, percent in shares.items() if used * 100 >= percent * limit}


def compare(tenants: Sequence[Tenant], now: datetime, warn_percent: int) -> dict[str, int]:
    """Raise the alerts that are new, with a letter each, and end those that no longer hold."""
    used = measure([tenant.pk for tenant in tenants])
    wanted = {
        (tenant.pk, resource, level)
        for tenant in tenants
        if tenant.state in SERVED
        for resource, limit in LIMITS.items()
        for level in levels(used[tenant.pk][resource], getattr(tenant.plan, limit), warn_percent)
    }
    with transaction.atomic():
        # Locked in the same order by every run, so that two of them raise an alert once.
        list(Tenant.objects.select_for_update().filter(pk__in=used).order_by("pk").values_list("pk"))
        running = {
            (alert.tenant_id, alert.resource, alert.level): alert.pk
            for alert in UsageAlert.objects.filter(tenant__in=used, ended_at=None)
        }
        fresh = wanted - running.keys()
        over = [running[alert] for alert in running.keys() - wanted]
        UsageAlert.objects.filter(pk__in=over).update(ended_at=now)
        UsageAlert.objects.bulk_create(
            [
                UsageAlert(tenant_id=tenant, resource=resource, level=level, raised_at=now)
                for tenant, resource, level in sorted(fresh)
            ]
        )
        mail.write(_letters(tenants, fresh, used, now), now)
    warned = sum(level == UsageAlert.Level.WARNING for _, _, level in fresh)
    return {"warned": warned, "flagged": len(fresh) - warned, "ended": len(over)}


def _letters(
    tenants: Sequence[Tenant], fresh: set[Alert], used: dict[int, Usage], now: datetime
) -> Iterator[Letter]:
    """One letter for each resource: about the limit that was reached rather than that it is near."""
    rows = {tenant.pk: tenant for tenant in tenants}
    for tenant_id, resource, level in sorted(fresh):
        reached = level == UsageAlert.Level.REACHED
        if not reached and (tenant_id, resource, UsageAlert.Level.REACHED) in fresh:
            continue
        tenant, name = rows[tenant_id], NAMES[resource]
        plan: Plan = tenant.plan
        yield Letter(
            MAIL,
            # At most one a day, should a tenant go to and fro over the limit.
            f"tenant {tenant_id}, {resource} {level} on {now:%Y-%m-%d}",
            tenant.email,
            f"{tenant.name} {'has reached' if reached else 'is near'} its limit of {name}",
            lines=(
                "Your plan's limit is reached; a larger plan gives you more room."
                if reached
                else "You are close to what your plan includes.",
            ),
            facts=(
                ("plan", plan.name),
                (f"{name} in use", used[tenant_id][resource]),
                ("limit", getattr(plan, LIMITS[resource])),
            ),
            tenant_id=tenant_id,
        )


def _per_tenant(rows: QuerySet[Any], tenants: Sequence[int], figure: Any) -> dict[int, int]:
    found = rows.filter(tenant__in=tenants).order_by().values_list("tenant").annotate(figure=figure)
    return {tenant: int(value or 0) for tenant, value in found}
