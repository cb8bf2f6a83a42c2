"""The tasks ``analytics.tasks.*``."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from tasks.analytics import daily_report, dashboards, diversity
from tasks.base import archives, mail, metrics
from tasks.base.batches import walk
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder, lease
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.models import Metric, PageView, Tenant

PAGE_VIEWS = archives.Shelf("page-views", PageView, "at")
TENANTS_AT_ONCE = 500


@shared_task(name="analytics.tasks.update_dashboard_cache")
def update_dashboard_cache(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Refresh the dashboard figures of every tenant in the cache."""
    at = moment(now)
    summary = Summary("looked_at", "refreshed")
    tenants = within(Tenant.objects.all(), tenant_id, "pk")
    for batch in walk(tenants, dashboards.TENANTS_AT_ONCE):
        summary.add("looked_at", len(batch))
        summary.add("refreshed", dashboards.refresh(batch, at))
    return summary


@shared_task(name="analytics.tasks.calculate_daily_metrics")
def calculate_daily_metrics(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Store yesterday's hiring, revenue and activity figures of each tenant."""
    at = moment(now)
    yesterday = at.date() - metrics.DAY
    return Summary(day=yesterday.isoformat(), **metrics.record_days([yesterday], at, tenant_id))


@shared_task(name="analytics.tasks.calculate_weekly_metrics")
def calculate_weekly_metrics(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Store last week's figures from those of its days."""
    at = moment(now)
    first, last = metrics.week_before(at.date())
    done = metrics.record_span(Metric.Period.WEEK, first, last, at, tenant_id)
    return Summary(week=first.isoformat(), **done)


@shared_task(name="analytics.tasks.calculate_monthly_metrics")
def calculate_monthly_metrics(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Store last month's figures from those of its days."""
    at = moment(now)
    first, last = metrics.month_before(at.date())
    done = metrics.record_span(Metric.Period.MONTH, first, last, at, tenant_id)
    return Summary(month=first.isoformat(), **done)


@shared_task(name="analytics.tasks.generate_reports", bind=True)
def generate_reports(self: Any, now: Moment = None) -> Summary:
    """Make the operations report of yesterday and mail it to the operators, once a day."""
    at, who = moment(now), holder(self)
    yesterday = at.date() - metrics.DAY
    with lease("daily report", who) as mine:
        if not mine:
            return Summary(in_progress=True)
        stored = daily_report.find(yesterday)
        made = stored is None
        stored = stored or daily_report.make(yesterday, at)
    summary = Summary(made=int(made), **daily_report.summary_of(stored))
    summary.merge(mail.deliver(daily_report.MAIL, who))
    return summary


@shared_task(name="analytics.tasks.cleanup_old_page_views", bind=True)
def cleanup_old_page_views(
    self: Any, days: int = 90, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Move page views older than `days` into checked archives."""
    at = moment(now)
    return archives.retire(PAGE_VIEWS, at - span(days=days), at, holder(self), tenant_id)


@shared_task(name="analytics.tasks.calculate_diversity_metrics")
def calculate_diversity_metrics(
    least: int = diversity.LEAST, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Store the shares of groups among each tenant's employees; a group below `least` is suppressed."""
    at = moment(now)
    summary = Summary("looked_at", "stored", "suppressed", "removed")
    tenants = within(Tenant.objects.all(), tenant_id, "pk")
    for batch in walk(tenants, TENANTS_AT_ONCE):
        summary.add("looked_at", len(batch))
        summary.merge(diversity.record([tenant.pk for tenant in batch], at, least))
    return summary
