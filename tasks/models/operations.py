"""What the platform knows of its own running: integrations, backups, certificates, cache, leases."""

from __future__ import annotations

from django.db import models

from tasks.models.constraints import at_least, one_of


class Lease(models.Model):
    """Work that one holder does at a time, see :mod:`tasks.base.leases`."""

    name = models.CharField(max_length=100, primary_key=True)
    holder = models.CharField(max_length=100, blank=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class IntegrationState(models.TextChoices):
    UP = "up"
    DOWN = "down"
    OFF = "off"  # not configured


class Integration(models.Model):
    """A service that the platform depends on, with its present state."""

    State = IntegrationState

    name = models.CharField(max_length=60, unique=True)
    state = models.CharField(max_length=8, choices=State.choices)
    since = models.DateTimeField(help_text="when it came into this state")
    checked_at = models.DateTimeField()
    latency_ms = models.FloatField(null=True)
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [one_of("integration", "state", IntegrationState)]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"


class IntegrationCheck(models.Model):
    """One check of one integration."""

    integration = models.ForeignKey(Integration, models.CASCADE, related_name="checks")
    at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=Integration.State.choices)
    latency_ms = models.FloatField(null=True)

    class Meta:
        constraints = [
            one_of("integrationcheck", "state", Integration.State),
            models.UniqueConstraint(fields=["integration", "at"], name="integrationcheck_once"),
        ]

    def __str__(self) -> str:
        return f"{self.state} at {self.at:%Y-%m-%d %H:%M}"


class BackupState(models.TextChoices):
    STARTED = "started"
    VERIFIED = "verified"
    FAILED = "failed"
    LOST = "lost"  # the file is not where it was put
    ROTATED = "rotated"  # deleted by retention


class Backup(models.Model):
    """A dump of the business database."""

    State = BackupState

    key = models.CharField(max_length=100, unique=True, help_text="the run that makes it")
    path = models.CharField(max_length=200, unique=True, help_text="relative to the backups' folder")
    engine = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=State.choices, default=State.STARTED)
    started_at = models.DateTimeField(db_index=True)
    size = models.BigIntegerField(null=True, help_text="bytes of the compressed file")
    seconds = models.FloatField(null=True)
    tables = models.PositiveIntegerField(null=True)
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the file")
    detail = models.CharField(max_length=300, blank=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [one_of("backup", "state", BackupState)]

    def __str__(self) -> str:
        return self.path


class CertificateState(models.TextChoices):
    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    EXPIRED = "expired"
    UNREACHABLE = "unreachable"


class Certificate(models.Model):
    """The certificate that one domain showed when it was last read."""

    State = CertificateState

    domain = models.CharField(max_length=260, unique=True, help_text="host:port")
    state = models.CharField(max_length=12, choices=State.choices)
    since = models.DateTimeField(help_text="when it came into this state")
    checked_at = models.DateTimeField()
    subject = models.CharField(max_length=300, blank=True)
    issuer = models.CharField(max_length=300, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True, help_text="SHA-256")
    valid_from = models.DateTimeField(null=True)
    valid_until = models.DateTimeField(null=True, db_index=True)
    trusted = models.BooleanField(null=True, help_text="whether the system's authorities vouch for it")
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [one_of("certificate", "state", CertificateState)]

    def __str__(self) -> str:
        return f"{self.domain}: {self.state}"


class CachedAggregate(models.Model):
    """An aggregate that pages read from the cache, and how often they do."""

    name = models.CharField(max_length=80, unique=True)
    reads = models.BigIntegerField(default=0, help_text="all reads so far")
    hits = models.BigIntegerField(default=0, help_text="reads that the cache answered")
    computed_at = models.DateTimeField(null=True)
    milliseconds = models.FloatField(null=True, help_text="what computing it took")

    class Meta:
        constraints = [at_least("cachedaggregate", "reads"), at_least("cachedaggregate", "hits")]
        indexes = [models.Index(fields=["-reads"], name="cachedaggregate_reads")]

    def __str__(self) -> str:
        return self.name


class DemoLoad(models.Model):
    """A demo data set that is in the database already."""

    key = models.CharField(max_length=60, unique=True, help_text="seed and scale")
    loaded_at = models.DateTimeField()
    rows = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.key
