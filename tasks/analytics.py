"""Figures for people who steer: ``analytics.tasks.*``."""

from __future__ import annotations

from celery import shared_task

from tasks import dashboards
from tasks.batches import walk
from tasks.clock import Moment, moment
from tasks.models import Tenant
from tasks.summary import Summary


@shared_task(name="analytics.tasks.update_dashboard_cache")
def update_dashboard_cache(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Refresh the dashboard figures of every tenant in the cache."""
    at = moment(now)
    summary = Summary("looked_at", "refreshed")
    tenants = Tenant.objects.all() if tenant_id is None else Tenant.objects.filter(pk=tenant_id)
    for batch in walk(tenants, dashboards.TENANTS_AT_ONCE):
        summary.add("looked_at", len(batch))
        summary.add("refreshed", dashboards.refresh(batch, at))
    return summary
