"""The public listings of the open postings, and the raw views of them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils.text import slugify

from tasks.base import batches
from tasks.base.tenancy import within
from tasks.models import Job, JobListing, JobView

SHOWN = ("title", "location", "description")  # what a listing has from its job
SLUG = 200  # characters of a title in its address
VIEWS_AT_ONCE = 2000
KEY = 64  # characters of an event's id and of a visitor's


def public(at: datetime, prefix: str = "") -> Q:
    """Postings that the public site shows: open, and not past their closing date."""
    closes = f"{prefix}closes_at"
    left = Q(**{f"{closes}__isnull": True}) | Q(**{f"{closes}__gt": at})
    return Q(**{f"{prefix}state": Job.State.OPEN}) & left


def unpublish(at: datetime, tenant_id: int | None = None) -> int:
    """Take down what is no longer open; the listing keeps its address and its count."""
    shown = within(JobListing.objects.filter(published=True), tenant_id)
    return batches.update(shown.exclude(public(at, "job__")), published=False, changed_at=at)


def update(at: datetime, tenant_id: int | None = None) -> int:
    """Bring listings up to what their jobs say, and publish again what is open again."""
    same = Q(published=True, **{name: F(f"job__{name}") for name in SHOWN})
    differing = within(JobListing.objects.filter(public(at, "job__") & ~same), tenant_id)
    job = Job.objects.filter(pk=OuterRef("job"))
    values: dict[str, Any] = {name: Subquery(job.values(name)) for name in SHOWN}
    return batches.update(differing, **values, published=True, changed_at=at)


def add(at: datetime, tenant_id: int | None = None) -> int:
    """List what is open and has no listing yet."""
    added = 0
    fresh = within(Job.objects.filter(public(at), listing__isnull=True), tenant_id)
    for jobs in batches.walk(fresh.only("tenant_id", *SHOWN), 500):
        rows = [
            JobListing(
                job=job,
                tenant_id=job.tenant_id,
                slug=f"{slugify(job.title)[:SLUG].strip('-') or 'job'}-{job.pk}",
                changed_at=at,
                **{name: getattr(job, name) for name in SHOWN},
            )
            for job in jobs
        ]
        JobListing.objects.bulk_create(rows, ignore_conflicts=True)
        added += len(rows)
    return added


def fold(at: datetime, tenant_id: int | None = None) -> tuple[int, int]:
    """Add raw views to their listings' counts, each once; returns how many views of how many listings.

    A view is marked in the transaction that counts it.
    """
    raw = within(JobView.objects.filter(folded_at__isnull=True), tenant_id, "listing__tenant").order_by("pk")
    views = last = 0
    seen: set[int] = set()
    while True:
        with transaction.atomic():
            locked = raw.select_for_update(of=("self",)).filter(pk__gt=last)
            keys = list(locked.values_list("pk", flat=True)[:VIEWS_AT_ONCE])
            step = JobView.objects.filter(pk__in=keys)
            seen.update(_count(step))
            step.update(folded_at=at)
        views += len(keys)
        if len(keys) < VIEWS_AT_ONCE:
            return views, len(seen)
        last = keys[-1]


def _count(step: QuerySet[JobView]) -> set[int]:
    """Add a step's views, in one statement with a branch for each count, of which there are few."""
    counts = dict(step.order_by().values_list("listing").annotate(count=Count("pk")))
    listings: dict[int, list[int]] = defaultdict(list)
    for listing, count in counts.items():
        listings[count].append(listing)
    more = Case(*(When(pk__in=keys, then=Value(count)) for count, keys in listings.items()), default=Value(0))
    JobListing.objects.filter(pk__in=counts).update(views=F("views") + more)
    return set(counts)


def identity(value: object) -> str:
    """A key of fixed length that tells values apart and does not give them away."""
    return hashlib.sha256(repr(value).encode("utf-8", "backslashreplace")).hexdigest()[:KEY]
