"""The public site: listings, their views, and applications that came in through it."""

from __future__ import annotations

from django.db import models

from tasks.models.ats import Application, Job
from tasks.models.constraints import at_least, one_of
from tasks.models.tenants import Tenant


class JobListing(models.Model):
    """A job as the public site shows it."""

    job = models.OneToOneField(Job, models.CASCADE, related_name="listing")
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="listings")
    slug = models.SlugField(max_length=250, unique=True)
    title = models.CharField(max_length=200)
    location = models.CharField(max_length=120, blank=True)
    description = models.TextField(blank=True)
    published = models.BooleanField(default=True)
    changed_at = models.DateTimeField()
    views = models.PositiveBigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["published", "changed_at"], name="joblisting_published")]

    def __str__(self) -> str:
        return self.slug


class JobView(models.Model):
    """One view of a listing; kept a while after it was folded into the count, so that it counts once."""

    listing = models.ForeignKey(JobListing, models.CASCADE, related_name="raw_views")
    event = models.CharField(max_length=64, unique=True, null=True, help_text="what was sent, if known")
    visitor = models.CharField(max_length=64)
    at = models.DateTimeField()
    folded_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["folded_at", "id"], name="jobview_folded")]

    def __str__(self) -> str:
        return f"{self.listing_id} at {self.at:%Y-%m-%d %H:%M}"


class PublicApplicationState(models.TextChoices):
    WAITING = "waiting"
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"  # it cannot become an application; `detail` says why


class PublicApplication(models.Model):
    """An application as it was typed into the public form."""

    State = PublicApplicationState

    job = models.ForeignKey(Job, models.CASCADE, related_name="public_applications")
    name = models.CharField(max_length=200)
    email = models.CharField(max_length=254)
    letter = models.TextField(blank=True)
    experience_years = models.PositiveSmallIntegerField(null=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    submitted_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)
    application = models.ForeignKey(Application, models.SET_NULL, null=True, related_name="forms")
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            one_of("publicapplication", "state", PublicApplicationState),
            at_least("publicapplication", "experience_years"),
        ]
        indexes = [models.Index(fields=["state", "id"], name="publicapplication_state")]

    def __str__(self) -> str:
        return f"{self.email} for {self.job_id}"
