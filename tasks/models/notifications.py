"""What the platform tells its users, and their appointments."""

from __future__ import annotations

from django.db import models

from tasks.models.accounts import User
from tasks.models.constraints import in_order, one_of
from tasks.models.tenants import Tenant


class NotificationChannel(models.TextChoices):
    IN_APP = "in_app"
    EMAIL = "email"


class NotificationState(models.TextChoices):
    SCHEDULED = "scheduled"
    DELIVERED = "delivered"
    FAILED = "failed"


class Notification(models.Model):
    """One thing to tell one user, in the application or by e-mail."""

    Channel = NotificationChannel

    State = NotificationState

    user = models.ForeignKey(User, models.CASCADE, related_name="notifications")
    channel = models.CharField(max_length=8, choices=Channel.choices, default=Channel.IN_APP)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.SCHEDULED)
    deliver_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    dismissed_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    failed_at = models.DateTimeField(null=True, help_text="the last time")
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            one_of("notification", "channel", NotificationChannel),
            one_of("notification", "state", NotificationState),
        ]
        indexes = [
            models.Index(fields=["state", "deliver_at"], name="notification_due"),
            models.Index(fields=["state", "attempts", "failed_at"], name="notification_retry"),
            models.Index(fields=["user", "delivered_at"], name="notification_user"),
            models.Index(fields=["delivered_at"], name="notification_delivered"),
        ]

    def __str__(self) -> str:
        return self.title


class DigestPreference(models.Model):
    """Which digests of notifications a user wants."""

    user = models.OneToOneField(User, models.CASCADE, related_name="digests")
    daily = models.BooleanField(default=False)
    weekly = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"digests of {self.user_id}"


class AppointmentState(models.TextChoices):
    PLANNED = "planned"
    CANCELLED = "cancelled"


class Appointment(models.Model):
    """A meeting of two people."""

    State = AppointmentState

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="appointments")
    organizer = models.ForeignKey(User, models.CASCADE, related_name="organized_appointments")
    guest = models.ForeignKey(User, models.CASCADE, related_name="appointments")
    title = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLANNED)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reminded_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("appointment", "state", AppointmentState),
            in_order("appointment", "starts_at", "ends_at"),
        ]
        indexes = [models.Index(fields=["state", "starts_at"], name="appointment_state_starts")]

    def __str__(self) -> str:
        return self.title
