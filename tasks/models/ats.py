"""Recruitment: jobs, candidates, applications."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from tasks.models.constraints import one_of
from tasks.models.tenants import Tenant


class JobState(models.TextChoices):
    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


class Job(models.Model):
    """A position that a tenant wants to fill."""

    State = JobState

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="jobs")
    title = models.CharField(max_length=200)
    department = models.CharField(max_length=100, blank=True)
    location = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(db_default=Now())
    closes_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [one_of("job", "state", JobState)]
        indexes = [
            models.Index(fields=["tenant", "state"], name="job_tenant_state"),
            models.Index(fields=["state", "closes_at"], name="job_state_closes"),
        ]

    def __str__(self) -> str:
        return self.title


class Candidate(models.Model):
    """A person who applies for jobs of a tenant."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="candidates")
    name = models.CharField(max_length=200)
    email = models.EmailField()
    location = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "email"], name="candidate_once_a_tenant")]

    def __str__(self) -> str:
        return self.name


class ApplicationStage(models.TextChoices):
    NEW = "new"
    SCREENING = "screening"
    INTERVIEW = "interview"
    OFFER = "offer"
    HIRED = "hired"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Application(models.Model):
    """A candidate's application for a job."""

    Stage = ApplicationStage

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="applications")
    job = models.ForeignKey(Job, models.CASCADE, related_name="applications")
    candidate = models.ForeignKey(Candidate, models.CASCADE, related_name="applications")
    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.NEW)
    applied_at = models.DateTimeField()
    touched_at = models.DateTimeField(help_text="last time that anybody did anything with it")

    class Meta:
        constraints = [
            one_of("application", "stage", ApplicationStage),
            models.UniqueConstraint(fields=["job", "candidate"], name="application_once_a_job"),
        ]
        indexes = [
            models.Index(fields=["tenant", "stage"], name="application_tenant_stage"),
            models.Index(fields=["stage", "touched_at"], name="application_stage_touched"),
            models.Index(fields=["tenant", "applied_at"], name="application_tenant_applied"),
        ]

    def __str__(self) -> str:
        return f"{self.candidate_id} for {self.job_id}"
