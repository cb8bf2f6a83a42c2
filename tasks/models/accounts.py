"""People who log in, and their login sessions."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from tasks.models.constraints import in_order, one_of
from tasks.models.tenants import Tenant


class UserRole(models.TextChoices):
    ADMIN = "admin"
    RECRUITER = "recruiter"
    HR = "hr"
    MANAGER = "manager"
    MEMBER = "member"


class User(models.Model):
    """A person with a login; without a tenant, one of the platform's own staff or a provider."""

    Role = UserRole

    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, related_name="users")
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.MEMBER)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())
    last_login_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [one_of("user", "role", UserRole)]
        indexes = [models.Index(fields=["tenant", "role"], name="user_tenant_role")]

    def __str__(self) -> str:
        return self.email


class LoginSession(models.Model):
    """A login that has not been cleaned away yet."""

    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    key = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the session's secret")
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(db_index=True)
    expires_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, help_text="logged out or ended by the platform")
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [in_order("loginsession", "created_at", "last_seen_at")]

    def __str__(self) -> str:
        return f"{self.user_id} since {self.created_at:%Y-%m-%d}"
