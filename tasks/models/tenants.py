"""Plans and the companies that use the platform."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from tasks.models.constraints import at_least, one_of


class Plan(models.Model):
    """What a tenant may use and what it pays a month. A limit of NULL is no limit."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    price_cents = models.BigIntegerField(help_text="a month, in cents of `currency`")
    currency = models.CharField(max_length=3, default="usd")
    trial_days = models.PositiveSmallIntegerField(default=14)
    user_limit = models.PositiveIntegerField(null=True)
    job_limit = models.PositiveIntegerField(null=True, help_text="open jobs")
    candidate_limit = models.PositiveIntegerField(null=True)
    storage_limit_mb = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [at_least("plan", "price_cents")]

    def __str__(self) -> str:
        return self.name


class TenantState(models.TextChoices):
    TRIAL = "trial"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Tenant(models.Model):
    """A company on the platform; nearly every row belongs to one."""

    State = TenantState

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    email = models.EmailField(help_text="where invoices and account matters go")
    country = models.CharField(max_length=2, help_text="ISO 3166")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="tenants")
    state = models.CharField(max_length=16, choices=State.choices, default=State.TRIAL)
    created_at = models.DateTimeField(db_default=Now())
    trial_ends_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [one_of("tenant", "state", TenantState)]
        indexes = [models.Index(fields=["state", "trial_ends_at"], name="tenant_state_trial")]

    def __str__(self) -> str:
        return self.name
