"""Plans and the companies that use the platform."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from tasks.models.constraints import at_least, in_order, one_of


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


class TenantUsage(models.Model):
    """What a tenant used on one day, to be held against its plan."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="usage")
    day = models.DateField()
    users = models.PositiveIntegerField()
    open_jobs = models.PositiveIntegerField()
    candidates = models.PositiveIntegerField()
    storage_mb = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "day"], name="tenantusage_once_a_day")]

    def __str__(self) -> str:
        return f"{self.tenant_id} on {self.day}"


class UsageAlertLevel(models.TextChoices):
    WARNING = "warning"  # from 80 % on
    REACHED = "reached"  # from 100 % on


class UsageAlert(models.Model):
    """A limit of the plan that a tenant nears or has reached, until it no longer does."""

    Level = UsageAlertLevel

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="usage_alerts")
    resource = models.CharField(max_length=20, help_text="`users`, `open_jobs`, `candidates`, `storage_mb`")
    level = models.CharField(max_length=8, choices=Level.choices)
    raised_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("usagealert", "level", UsageAlertLevel),
            models.UniqueConstraint(
                fields=["tenant", "resource", "level"],
                condition=models.Q(ended_at__isnull=True),
                name="usagealert_one_running",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.resource} {self.level}"


class InvitationState(models.TextChoices):
    PENDING = "pending"
    ACCEPTED = "accepted"
    EXPIRED = "expired"


class Invitation(models.Model):
    """A person asked to join a tenant."""

    State = InvitationState

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="invitations")
    email = models.EmailField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    expired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("invitation", "state", InvitationState),
            in_order("invitation", "created_at", "expires_at"),
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(state="pending"),
                name="invitation_one_pending",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "expires_at"], name="invitation_state_expires"),
            models.Index(fields=["state", "expired_at"], name="invitation_state_expired"),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.tenant_id}"
