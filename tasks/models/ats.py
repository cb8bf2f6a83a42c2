"""Recruitment: jobs, candidates, applications."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from tasks.models.accounts import User
from tasks.models.configurations import Skill
from tasks.models.constraints import at_least, in_order, one_of
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
    description = models.TextField(blank=True)
    location = models.CharField(max_length=120, blank=True)
    remote = models.BooleanField(default=False)
    recruiter = models.ForeignKey(User, models.SET_NULL, null=True, related_name="jobs")
    skills = models.ManyToManyField(Skill, through="JobSkill", related_name="jobs")
    experience_years = models.PositiveSmallIntegerField(default=0, help_text="at least")
    salary_min = models.PositiveIntegerField(null=True, help_text="a year, in whole units")
    salary_max = models.PositiveIntegerField(null=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(db_default=Now())
    closes_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [one_of("job", "state", JobState), in_order("job", "salary_min", "salary_max")]
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
    skills = models.ManyToManyField(Skill, through="CandidateSkill", related_name="candidates")
    experience_years = models.PositiveSmallIntegerField(null=True)
    salary_expected = models.PositiveIntegerField(null=True, help_text="a year, in whole units")
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
    score = models.FloatField(null=True, help_text="match with the job, 0 to 100")
    scored_at = models.DateTimeField(null=True)
    rejection = models.CharField(max_length=200, blank=True, help_text="the reason given")

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


class JobSkill(models.Model):
    """A skill that a job asks for."""

    job = models.ForeignKey(Job, models.CASCADE)
    skill = models.ForeignKey(Skill, models.CASCADE)
    required = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "skill"], name="jobskill_once")]

    def __str__(self) -> str:
        return f"{self.job_id} asks for {self.skill_id}"


class CandidateSkill(models.Model):
    """A skill that a candidate has."""

    candidate = models.ForeignKey(Candidate, models.CASCADE)
    skill = models.ForeignKey(Skill, models.CASCADE)
    years = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["candidate", "skill"], name="candidateskill_once")]

    def __str__(self) -> str:
        return f"{self.candidate_id} has {self.skill_id}"


class StageStay(models.Model):
    """The time that an application spent in one stage; the present stage has no end."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="stays")
    stage = models.CharField(max_length=10, choices=ApplicationStage.choices)
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("stagestay", "stage", ApplicationStage),
            in_order("stagestay", "entered_at", "left_at"),
            models.UniqueConstraint(fields=["application", "stage"], name="stagestay_once"),
        ]

    def __str__(self) -> str:
        return f"{self.application_id} in {self.stage}"


class InterviewState(models.TextChoices):
    SCHEDULED = "scheduled"
    DONE = "done"
    CANCELLED = "cancelled"


class Interview(models.Model):
    """A meeting of an interviewer and a candidate."""

    State = InterviewState

    application = models.ForeignKey(Application, models.CASCADE, related_name="interviews")
    interviewer = models.ForeignKey(User, models.SET_NULL, null=True, related_name="interviews")
    state = models.CharField(max_length=10, choices=State.choices, default=State.SCHEDULED)
    starts_at = models.DateTimeField()
    minutes = models.PositiveSmallIntegerField(default=45)
    place = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [one_of("interview", "state", InterviewState)]
        indexes = [models.Index(fields=["state", "starts_at"], name="interview_state_starts")]

    def __str__(self) -> str:
        return f"{self.application_id} at {self.starts_at:%Y-%m-%d %H:%M}"


class PipelineStatistic(models.Model):
    """How one job's applications pass one stage."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="pipeline")
    stage = models.CharField(max_length=10, choices=ApplicationStage.choices)
    applications = models.PositiveIntegerField(help_text="that are or were in the stage")
    mean_days = models.FloatField(null=True, help_text="in the stage")
    conversion = models.FloatField(null=True, help_text="share that went on to the next stage, 0 to 1")
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            one_of("pipelinestatistic", "stage", ApplicationStage),
            at_least("pipelinestatistic", "applications"),
            models.UniqueConstraint(fields=["job", "stage"], name="pipelinestatistic_once"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}, {self.stage}"
