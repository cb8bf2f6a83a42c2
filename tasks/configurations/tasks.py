"""The tasks ``configurations.tasks.*``."""

from __future__ import annotations

from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.db.models import Avg, Count, Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from tasks.base import batches
from tasks.base.clock import Moment, moment, span
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.configurations import feeds, integrity, lookups, skills
from tasks.models import (
    Category,
    Company,
    CompanyReview,
    Employee,
    IntegrityFinding,
    Job,
    Service,
    ServiceRequest,
    Skill,
)

DEMO_FEED = Path(__file__).parents[1] / "demo" / "skills.json"
HELD_BY = (  # what hangs on a category, and by which column
    (Skill, "category"),
    (Service, "category"),
    (ServiceRequest, "category"),
    (Category, "parent"),
)


@shared_task(name="configurations.tasks.sync_skills_from_external")
def sync_skills_from_external(source: str = "", now: Moment = None) -> Summary:
    """Merge a skills feed into the skills table.

    The feed is `source` (a file's path or an http(s) URL), else the setting ``SKILLS_FEED``, else the one
    that comes with the demo data.
    """
    at = moment(now)
    place = source or settings.SKILLS_FEED or str(DEMO_FEED)
    summary = Summary("looked_at", "added", "changed", "unchanged", "categories_added")
    skills.merge(feeds.read(place, "skills"), at, summary)
    return summary


@shared_task(name="configurations.tasks.cleanup_unused_categories")
def cleanup_unused_categories(days: int = 90, now: Moment = None) -> Summary:
    """Delete categories without any item that were inactive for `days`."""
    cutoff = moment(now) - span(days=days)
    unused = Category.objects.filter(used_at__lt=cutoff, created_at__lt=cutoff)
    for model, column in HELD_BY:
        unused = unused.exclude(Exists(model._base_manager.filter(**{column: OuterRef("pk")})))
    summary = Summary("deleted", "levels")
    while deleted := batches.delete(unused):  # a branch goes leaf by leaf
        summary.add("deleted", deleted)
        summary.add("levels")
    summary.add("left", Category.objects.count())
    return summary


@shared_task(name="configurations.tasks.update_company_stats")
def update_company_stats(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Count employees and open jobs, and take the mean rating, per company."""
    at = moment(now)
    stale = Company.objects.filter(Q(counted_at__isnull=True) | Q(counted_at__lt=at))
    staff = Employee.objects.filter(tenant=OuterRef("tenant")).exclude(state=Employee.State.LEFT)
    jobs = Job.objects.filter(tenant=OuterRef("tenant"), state=Job.State.OPEN)
    reviews = CompanyReview.objects.filter(company=OuterRef("pk"), at__lte=at)
    return Summary(
        updated=batches.update(
            within(stale, tenant_id),
            employees=_count(staff),
            open_jobs=_count(jobs),
            rating=Subquery(reviews.order_by().values("company").annotate(mean=Avg("rating")).values("mean")),
            counted_at=at,
        )
    )


@shared_task(name="configurations.tasks.check_data_integrity")
def check_data_integrity(now: Moment = None) -> Summary:
    """Count orphans, references across tenants and missing fields; store the findings."""
    at = moment(now)
    summary = Summary("checks", "orphans", "bad_references", "missing_fields", "stored")
    known = set(IntegrityFinding.objects.filter(found_at=at).values_list("check_name", flat=True))
    findings = []
    for check in integrity.checks():
        if check.name not in known:
            count, sample = check.run()
            summary.add("checks")
            summary.add(check.sort, count)
            findings.append(IntegrityFinding(check_name=check.name, found_at=at, count=count, sample=sample))
    summary.add("stored", len(IntegrityFinding.objects.bulk_create(findings, ignore_conflicts=True)))
    return summary


@shared_task(name="configurations.tasks.warm_configuration_cache")
def warm_configuration_cache(now: Moment = None) -> Summary:
    """Put active skills, the category tree and company look-ups into the cache."""
    return Summary(**lookups.warm(moment(now)))


def _count(rows: QuerySet[Employee] | QuerySet[Job]) -> Coalesce:
    """How many rows there are, as a statement about many companies can ask it for each."""
    counted = rows.order_by().values("tenant").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), Value(0))
