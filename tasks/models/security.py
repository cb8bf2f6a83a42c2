"""Who did what, and where old records were put."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from tasks.models.accounts import User
from tasks.models.constraints import at_least, one_of
from tasks.models.tenants import Tenant


class AuditEntry(models.Model):
    """One action of a person or of the platform."""

    # The indexes by tenant and moment, and by user and moment, serve these two.
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, null=True, db_index=False, related_name="audit_entries"
    )
    user = models.ForeignKey(User, models.SET_NULL, null=True, db_index=False, related_name="audit_entries")
    action = models.CharField(max_length=80)
    subject = models.CharField(max_length=200, blank=True, help_text="what was acted on: `job 12`")
    address = models.GenericIPAddressField(null=True)
    details = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="auditentry_at"),
            models.Index(fields=["tenant", "at"], name="auditentry_tenant_at"),
            models.Index(fields=["user", "at"], name="auditentry_user_at"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


class ArchiveState(models.TextChoices):
    WRITTEN = "written"  # the file is complete and checked; its rows may still be in the table
    PURGED = "purged"  # its rows are gone from the table
    DELETED = "deleted"  # the file itself has been deleted by retention


class Archive(models.Model):
    """A compressed file of rows that left their table."""

    State = ArchiveState

    kind = models.CharField(max_length=40, help_text="which table: `audit`")
    path = models.CharField(max_length=300, unique=True, help_text="relative to the archives' folder")
    tenant = models.ForeignKey(Tenant, models.SET_NULL, null=True)
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    cutoff = models.DateTimeField(help_text="every row in it is older than this")
    rows = models.PositiveIntegerField()
    size = models.BigIntegerField(help_text="bytes of the compressed file")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the content before compression")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WRITTEN)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [one_of("archive", "state", ArchiveState), at_least("archive", "rows", 1)]
        indexes = [models.Index(fields=["kind", "state", "last_at"], name="archive_kind_state")]

    def __str__(self) -> str:
        return self.path


class AddressReputation(models.Model):
    """What is thought of a network address, and whether it is shut out."""

    address = models.GenericIPAddressField(unique=True)
    score = models.FloatField(default=0, help_text="0 is neutral, 100 is the worst; decays with time")
    updated_at = models.DateTimeField(db_index=True)
    blocked_until = models.DateTimeField(null=True, db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(score__gte=0, score__lte=100), name="addressreputation_0_to_100"
            )
        ]

    def __str__(self) -> str:
        return f"{self.address}: {self.score:.0f}"


class Block(models.Model):
    """An address or an account that was shut out, with the reason."""

    address = models.GenericIPAddressField(null=True)
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="blocks")
    reason = models.CharField(max_length=200)
    failures = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_index=True)
    ends_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(address__isnull=False) | models.Q(user__isnull=False),
                name="block_of_something",
            )
        ]
        indexes = [
            models.Index(fields=["address", "ends_at"], name="block_address"),
            models.Index(fields=["user", "ends_at"], name="block_user"),
        ]

    def __str__(self) -> str:
        return self.reason


class AnomalyKind(models.TextChoices):
    COUNTRY = "country"
    HOUR = "hour"
    VOLUME = "volume"


class Anomaly(models.Model):
    """Something that a user did not do in the 30 days before."""

    Kind = AnomalyKind

    user = models.ForeignKey(User, models.CASCADE, related_name="anomalies")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    day = models.DateField()
    detail = models.CharField(max_length=200)
    found_at = models.DateTimeField()

    class Meta:
        constraints = [
            one_of("anomaly", "kind", AnomalyKind),
            models.UniqueConstraint(fields=["user", "kind", "day", "detail"], name="anomaly_once_a_day"),
        ]
        indexes = [models.Index(fields=["day"], name="anomaly_day")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"
