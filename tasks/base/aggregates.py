"""The figures that pages read most, computed ahead and kept in the cache.

A page calls :func:`read`; every read is counted, so that warming can take the most read first and say
how many computations the cache has saved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet, Sum

from tasks.models import (
    Application,
    CachedAggregate,
    Candidate,
    Employee,
    Job,
    LoginSession,
    Payment,
    Tenant,
)

KEPT = 2 * 3600  # seconds in the cache: twice the hour between two warmings
LISTED = 50  # rows of a listing


def _counts(rows: QuerySet[Any], column: str, listed: int = LISTED) -> list[dict[str, Any]]:
    """The most frequent values of a column."""
    counted = rows.order_by().values_list(column).annotate(rows=Count("pk")).order_by("-rows", column)
    return [{"name": name, "count": count} for name, count in counted[:listed]]


def _open_jobs() -> QuerySet[Job]:
    return Job.objects.filter(state=Job.State.OPEN)


def jobs_by_location(now: datetime) -> Any:
    """Open jobs by place."""
    return _counts(_open_jobs().exclude(location=""), "location")


def jobs_by_department(now: datetime) -> Any:
    """Open jobs by department."""
    return _counts(_open_jobs().exclude(department=""), "department")


def largest_employers(now: datetime) -> Any:
    """Tenants with the most open jobs."""
    return _counts(_open_jobs(), "tenant__name")


def pipeline(now: datetime) -> Any:
    """Applications by stage."""
    return _counts(Application.objects.all(), "stage")


def hiring_this_month(now: datetime) -> Any:
    """Applications and hires of the last 30 days, new candidates among them."""
    since = now - timedelta(days=30)
    found = Application.objects.aggregate(
        applications=Count("pk", filter=Q(applied_at__gte=since)),
        hires=Count("pk", filter=Q(stage=Application.Stage.HIRED, touched_at__gte=since)),
    )
    return found | {"candidates": Candidate.objects.filter(created_at__gte=since).count()}


def tenants_by_plan(now: datetime) -> Any:
    """Tenants that use the platform, by plan."""
    living = Tenant.objects.exclude(state__in=(Tenant.State.EXPIRED, Tenant.State.CANCELLED))
    return _counts(living, "plan__name")


def headcount(now: datetime) -> Any:
    """Employees by state."""
    return _counts(Employee.objects.all(), "state")


def people_online(now: datetime) -> Any:
    """People seen in the last 24 hours."""
    seen = LoginSession.objects.filter(last_seen_at__gte=now - timedelta(days=1))
    return seen.aggregate(people=Count("user_id", distinct=True))


def revenue(now: datetime) -> Any:
    """Payments settled in the last 30 days, in cents, by currency."""
    settled = Payment.objects.filter(state=Payment.State.SUCCEEDED, settled_at__gte=now - timedelta(days=30))
    return list(settled.values("currency").annotate(cents=Sum("amount_cents")).order_by("currency"))


AGGREGATES: dict[str, Callable[[datetime], Any]] = {
    function.__name__: function
    for function in (
        jobs_by_location,
        jobs_by_department,
        largest_employers,
        pipeline,
        hiring_this_month,
        tenants_by_plan,
        headcount,
        people_online,
        revenue,
    )
}


def read(name: str, now: datetime) -> Any:
    """The aggregate from the cache, or computed and kept there.

    Raises
    ------
    KeyError
        There is no aggregate of that name.
    """
    compute = AGGREGATES[name]
    kept = cache.get(_key(name))
    _count(name, "reads")
    if kept is not None:
        _count(name, "hits")
        return kept["value"]
    value = compute(now)
    cache.set(_key(name), {"value": value, "as_of": now.isoformat()}, KEPT)
    return value


def warm(now: datetime, limit: int) -> dict[str, Any]:
    """Compute the `limit` most read aggregates, put them into the cache, and take the counts of reads."""
    CachedAggregate.objects.bulk_create(
        [CachedAggregate(name=name) for name in AGGREGATES], ignore_conflicts=True
    )
    rows = list(CachedAggregate.objects.filter(name__in=AGGREGATES).order_by("-reads", "name"))
    saved_hits, saved_ms = 0, 0.0
    for row in rows:
        hits = _take(row.name, "hits")
        row.reads += _take(row.name, "reads")
        row.hits += hits
        saved_hits += hits
        saved_ms += hits * (row.milliseconds or 0.0)
    values: dict[str, Any] = {}
    for row in sorted(rows, key=lambda row: (-row.reads, row.name))[:limit]:
        begun = time.perf_counter()
        value = AGGREGATES[row.name](now)
        row.milliseconds = round((time.perf_counter() - begun) * 1000, 3)
        row.computed_at = now
        values[_key(row.name)] = {"value": value, "as_of": now.isoformat()}
    cache.set_many(values, KEPT)
    CachedAggregate.objects.bulk_update(rows, ["reads", "hits", "milliseconds", "computed_at"])
    return {
        "looked_at": len(rows),
        "warmed": len(values),
        "hits_saved": saved_hits,
        "seconds_saved": round(saved_ms / 1000, 3),
    }


def _key(name: str) -> str:
    return f"aggregate:{name}"


def _count(name: str, what: str) -> None:
    key = f"aggregate-{what}:{name}"
    if not cache.add(key, 1, None):
        cache.incr(key)


def _take(name: str, what: str) -> int:
    """What was counted since it was taken last; counts that arrive meanwhile stay for the next time."""
    key = f"aggregate-{what}:{name}"
    counted = int(cache.get(key) or 0)
    if counted:
        cache.decr(key, counted)
    return counted
