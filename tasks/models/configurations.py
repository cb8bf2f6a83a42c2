"""Look-ups that all domains share: categories, skills, companies; and what integrity checks found."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from tasks.models.constraints import at_least
from tasks.models.tenants import Tenant


class Category(models.Model):
    """A node of the category tree; skills, jobs and services hang on it."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=120, unique=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    created_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(db_default=Now(), db_index=True, help_text="last use by an item")

    def __str__(self) -> str:
        return self.name


class Skill(models.Model):
    """Something that a person can do and a job asks for."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=120, unique=True)
    category = models.ForeignKey(Category, models.PROTECT, null=True, related_name="skills")
    is_active = models.BooleanField(default=True)
    external_id = models.CharField(max_length=80, unique=True, null=True, help_text="in the skills feed")
    updated_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class Company(models.Model):
    """A tenant as the public sees it."""

    tenant = models.OneToOneField(Tenant, models.CASCADE, related_name="company")
    industry = models.CharField(max_length=80, blank=True)
    employees = models.PositiveIntegerField(default=0)
    open_jobs = models.PositiveIntegerField(default=0)
    rating = models.FloatField(null=True, help_text="mean of its reviews, 1 to 5")
    counted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"company of {self.tenant_id}"


class CompanyReview(models.Model):
    """What a person says about working for a company."""

    company = models.ForeignKey(Company, models.CASCADE, related_name="reviews")
    rating = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(rating__range=(1, 5)), name="companyreview_1_to_5")
        ]

    def __str__(self) -> str:
        return f"{self.rating} for {self.company_id}"


class IntegrityFinding(models.Model):
    """What one check of the data found at one time; a count of 0 says that it was clean."""

    check_name = models.CharField(max_length=80)
    found_at = models.DateTimeField()
    count = models.PositiveIntegerField()
    sample = models.JSONField(default=list, help_text="keys of the first rows")

    class Meta:
        constraints = [
            at_least("integrityfinding", "count"),
            models.UniqueConstraint(fields=["check_name", "found_at"], name="integrityfinding_once"),
        ]

    def __str__(self) -> str:
        return f"{self.check_name}: {self.count}"
