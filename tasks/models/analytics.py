"""Page views and the figures that are computed from everything."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from tasks.models.accounts import User
from tasks.models.constraints import one_of
from tasks.models.tenants import Tenant


class PageView(models.Model):
    """One page that somebody looked at."""

    # The index by tenant and moment serves it.
    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, db_index=False, related_name="page_views")
    user = models.ForeignKey(User, models.SET_NULL, null=True, related_name="page_views")
    path = models.CharField(max_length=300)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="pageview_at"),
            models.Index(fields=["tenant", "at"], name="pageview_tenant_at"),
        ]

    def __str__(self) -> str:
        return self.path


class MetricPeriod(models.TextChoices):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Metric(models.Model):
    """One figure of one tenant, or of the platform, for one period."""

    Period = MetricPeriod

    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, related_name="metrics")
    period = models.CharField(max_length=5, choices=Period.choices)
    start = models.DateField(help_text="first day of the period")
    name = models.CharField(max_length=60)
    value = models.FloatField()
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            one_of("metric", "period", MetricPeriod),
            models.UniqueConstraint(fields=["tenant", "period", "start", "name"], name="metric_once"),
            models.UniqueConstraint(
                fields=["period", "start", "name"],
                condition=Q(tenant__isnull=True),
                name="metric_platform_once",
            ),
        ]
        indexes = [models.Index(fields=["period", "start", "name"], name="metric_period")]

    def __str__(self) -> str:
        return f"{self.name} of {self.start}"


class DiversityFigure(models.Model):
    """The share of one group among a tenant's employees; unknown where the group is too small to show."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="diversity")
    day = models.DateField()
    dimension = models.CharField(max_length=20, help_text="`gender`, `origin`, `age`")
    group = models.CharField(max_length=40)
    share = models.FloatField(null=True, help_text="0 to 1; NULL is suppressed")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "day", "dimension", "group"], name="diversityfigure_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.dimension}: {self.group}"


class StoredReport(models.Model):
    """A report about one day, once a kind."""

    kind = models.CharField(max_length=40, help_text="`security`, `operations`")
    day = models.DateField()
    path = models.CharField(max_length=300, blank=True, help_text="where its files are, if it has any")
    content = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "day"], name="storedreport_once_a_day")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.day}"
