"""What pages read comes from the cache, and it is what the database says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tasks import demo
from tasks.analytics import dashboards
from tasks.analytics.tasks import update_dashboard_cache
from tasks.base import aggregates
from tasks.core.tasks import cache_warming_task
from tasks.models import Application, CachedAggregate, Candidate, Employee, Invoice, Job, Payment
from tests.integration.tasks import rows


def test_warming_puts_every_aggregate_into_the_cache(platform: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    demo.load(scale=0.1, now=platform.now)
    fresh = {name: compute(platform.now) for name, compute in aggregates.AGGREGATES.items()}
    assert cache_warming_task(now=platform.now)["warmed"] == len(fresh)
    with CaptureQueriesContext(connection) as queries:
        assert {name: aggregates.read(name, platform.now) for name in fresh} == fresh
    assert len(queries) == 0
    assert any(fresh.values())


def test_reads_and_saved_hits_are_counted(platform: Any) -> None:
    aggregates.read("pipeline", platform.now)  # computed
    for _ in range(3):
        aggregates.read("pipeline", platform.now)  # from the cache
    summary = cache_warming_task(now=platform.now)
    assert summary["hits_saved"] == 3
    row = CachedAggregate.objects.get(name="pipeline")
    assert (row.reads, row.hits, row.computed_at) == (4, 3, platform.now)
    assert cache_warming_task(now=platform.now)["hits_saved"] == 0


def test_the_most_read_come_first(platform: Any) -> None:
    for _ in range(2):
        aggregates.read("revenue", platform.now)
    platform.cache.clear()
    CachedAggregate.objects.create(name="headcount", reads=10, hits=1)
    assert cache_warming_task(limit=1, now=platform.now)["warmed"] == 1
    assert platform.cache.get("aggregate:headcount") is not None
    assert platform.cache.get("aggregate:revenue") is None


def test_a_dashboard_holds_its_tenants_figures_and_no_others(platform: Any) -> None:
    owner, other = rows.tenant(rows.HOSTILE[0]), rows.tenant("empty")
    person = rows.user(owner)
    rows.user(owner, is_active=False)
    rows.session(person, platform.now)
    rows.session(person, platform.now, idle_days=2)
    job = Job.objects.create(tenant=owner, title="x")
    for n, stage in enumerate(("new", "hired", "rejected", "rejected")):
        candidate = Candidate.objects.create(tenant=owner, name=str(n), email=f"c{n}@x.example")
        applied = platform.now - timedelta(days=20 * n)
        Application.objects.create(
            tenant=owner, job=job, candidate=candidate, stage=stage, applied_at=applied, touched_at=applied
        )
    Employee.objects.create(tenant=owner, name="e", email="e@x.example", hired_on=platform.now.date())
    rows.payment(owner, platform.now, failed_hours=1, state=Payment.State.SUCCEEDED, settled_at=platform.now)
    Invoice.objects.create(
        tenant=owner, number="1", amount_cents=700, issued_at=platform.now, due_at=platform.now
    )
    summary = update_dashboard_cache(now=platform.now)
    assert (summary["looked_at"], summary["refreshed"]) == (2, 2)
    figures = dashboards.read(owner.pk)
    assert figures == {
        "tenant": rows.HOSTILE[0],
        "state": "trial",
        "as_of": platform.now.isoformat(),
        "users": 1,
        "online": 1,
        "jobs": {"open": 1},
        "applications": {"new": 1, "hired": 1, "rejected": 2},
        "applications_30_days": 2,
        "hire_share": 0.3333,
        "hire_share_of_all": 0.3333,
        "employees": {"active": 1},
        "paid_30_days": {"usd": 19_900},
        "owed": {"usd": 700},
    }
    nothing = dashboards.read(other.pk)
    assert nothing is not None
    assert (nothing["users"], nothing["jobs"], nothing["hire_share"]) == (0, {}, None)


def test_one_tenants_dashboard_alone(platform: Any) -> None:
    first, second = rows.tenant(), rows.tenant()
    assert update_dashboard_cache(now=platform.now, tenant_id=second.pk)["refreshed"] == 1
    assert dashboards.read(first.pk) is None
    assert dashboards.read(second.pk) is not None
