"""The tasks ``careers.tasks.*``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import shared_task
from django.conf import settings

from tasks.base import batches, mail
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder, lease
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.careers import forms, listings, sitemap
from tasks.models import JobListing, JobView, PublicApplication

VIEWS_KEPT_DAYS = 2  # longer than any message waits to be delivered again


@shared_task(name="careers.tasks.process_public_applications", bind=True)
def process_public_applications(
    self: Any, batch_size: int = 500, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Turn applications from the public site into candidates and applications; confirm by e-mail.

    A second application of one person (by e-mail address) for one job is a duplicate. One without a
    valid address or for a job that was not open is refused.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size} must be 1 or more")
    at, last = moment(now), 0
    summary = Summary("looked_at", *forms.COUNTERS.values(), "candidates")
    waiting = within(PublicApplication.objects.filter(state=forms.STATE.WAITING), tenant_id, "job__tenant")
    while last := forms.process(waiting.filter(pk__gt=last), at, batch_size, summary):
        pass
    summary.merge(mail.deliver(forms.FORM_MAIL, holder(self)))
    return summary


@shared_task(name="careers.tasks.update_job_view_counts")
def update_job_view_counts(
    kept_days: float = VIEWS_KEPT_DAYS, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Fold raw job views into per-listing counts; the raw ones go after `kept_days`.

    Until then they tell an event that is delivered again from a new one.
    """
    at = moment(now)
    folded_before = at - span(days=kept_days)
    views, changed = listings.fold(at, tenant_id)
    old = within(JobView.objects.filter(folded_at__lt=folded_before), tenant_id, "listing__tenant")
    return Summary(looked_at=views, folded=views, listings=changed, deleted=batches.delete(old))


@shared_task(name="careers.tasks.sync_job_listings")
def sync_job_listings(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Make the public listings match the open postings: add, update, unpublish."""
    at = moment(now)
    return Summary(
        unpublished=listings.unpublish(at, tenant_id),
        updated=listings.update(at, tenant_id),
        added=listings.add(at, tenant_id),
        public=within(JobListing.objects.filter(published=True), tenant_id).count(),
    )


@shared_task(name="careers.tasks.generate_sitemap", bind=True)
def generate_sitemap(
    self: Any, addresses_a_file: int = sitemap.ADDRESSES_A_FILE, now: Moment = None
) -> Summary:
    """Write a valid sitemap.xml of all public listings, atomically.

    It goes into the folder ``PUBLIC`` of the settings, with addresses under ``SITE_URL``.
    """
    moment(now)  # a wrong one is refused; what is public now does not depend on it
    if not 1 <= addresses_a_file <= sitemap.ADDRESSES_A_FILE:
        raise ValueError(f"addresses_a_file={addresses_a_file} must be 1 to {sitemap.ADDRESSES_A_FILE}")
    folder = Path(settings.PUBLIC)
    base = settings.SITE_URL.rstrip("/")
    public = JobListing.objects.filter(published=True).only("slug", "changed_at")
    places = (
        sitemap.listing(base, row.slug, row.changed_at) for batch in batches.walk(public) for row in batch
    )
    with lease("sitemap", holder(self)) as mine:
        if not mine:
            return Summary(in_progress=True)
        return Summary(**sitemap.write(folder, base, places, addresses_a_file))


@shared_task(name="careers.tasks.track_job_view", bind=True)
def track_job_view(
    self: Any,
    listing_id: int,
    visitor: dict[str, Any] | str | None = None,
    event_id: str | None = None,
    now: Moment = None,
    tenant_id: int | None = None,
) -> Summary:
    """Store one raw view of a listing; the same event stored twice is one.

    `visitor` is what tells visitors apart (a session's id, or address and agent); only a hash of it is
    kept. Without an event's id, the task's own is taken, which a message keeps when it comes again.
    """
    at = moment(now)
    summary = Summary("looked_at", "stored")
    given = dict(visitor) if isinstance(visitor, dict) else {"visitor": visitor}
    event = event_id or given.pop("event_id", None) or self.request.id
    listing = within(JobListing.objects.filter(pk=listing_id), tenant_id).only("pk").first()
    if listing is None:
        summary.skip("listing", listing_id, "there is none (any more)")
        return summary
    summary.add("looked_at")
    view = JobView(listing=listing, visitor=listings.identity(sorted(given.items())), at=at)
    if event:
        view.event = listings.identity(str(event))
    before = JobView.objects.filter(event=view.event).exists() if event else False
    JobView.objects.bulk_create([view], ignore_conflicts=True)
    summary.add("stored", not before)
    return summary
