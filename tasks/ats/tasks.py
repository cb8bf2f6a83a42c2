"""The tasks ``ats.tasks.*``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import Exists, OuterRef

from tasks.ats import interviews, matching, pipeline
from tasks.ats.matching import Match, Skills, Weights, match
from tasks.base import batches, mail, stages
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder
from tasks.base.mail import Letter
from tasks.base.stages import Stage
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.base.worklists import TENANTS, Worklists, address
from tasks.models import Application, Interview, Job, StageStay, Tenant

WAITING_MAIL = "waiting applications"  # kinds of the letters
INTERVIEW_MAIL = "interview"
INBOX_MAIL = "new application"
JOBS_AT_ONCE = 1000
SCORED_AT_ONCE = 1000


@shared_task(name="ats.tasks.calculate_match_scores")
def calculate_match_scores(
    skills: float = Weights.skills,
    experience: float = Weights.experience,
    location: float = Weights.location,
    salary: float = Weights.salary,
    now: Moment = None,
    tenant_id: int | None = None,
) -> Summary:
    """Score every open application against its job; the four numbers are the weights of the parts."""
    at, weights = moment(now), Weights(skills, experience, location, salary)
    summary = Summary("looked_at", "scored", "changed")
    rows = within(Application.objects.filter(stage__in=stages.OPEN), tenant_id)
    rows = rows.select_related("job", "candidate").only(*matching.COLUMNS)
    for batch in batches.walk(rows, SCORED_AT_ONCE):
        summary.add("looked_at", len(batch))
        known, changed = Skills.of(batch), []
        for row in batch:
            with summary.row("application", row.pk):
                score = match(row, known).score(weights)
                summary.add("scored")
                if score != row.score:
                    row.score = score
                    changed.append(row)
        matching.store(changed, at)
        summary.add("changed", len(changed))
    return summary


@shared_task(name="ats.tasks.send_application_reminders", bind=True)
def send_application_reminders(
    self: Any, days: int = 3, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Remind recruiters of applications that stayed in stage 'new' for over `days`, all in one letter."""
    at = moment(now)
    cutoff = at - span(days=days)
    summary = Summary("looked_at", "written")
    again = StageStay.objects.filter(application=OuterRef("pk"), stage=Stage.NEW, entered_at__gte=cutoff)
    waiting = Application.objects.filter(stage=Stage.NEW, applied_at__lt=cutoff).exclude(Exists(again))
    waiting = waiting.annotate(recipient=address("job__recruiter")).order_by("applied_at", "pk")
    for tenants in batches.walk(within(Tenant.objects.only("pk"), tenant_id, "pk"), TENANTS):
        lists = Worklists()
        found = waiting.filter(tenant__in=[tenant.pk for tenant in tenants])
        columns = ("tenant", "recipient", "candidate__name", "job__title", "applied_at")
        for owner, recipient, person, title, applied in found.values_list(*columns).iterator():
            summary.add("looked_at")
            lists.add(
                owner, recipient, f"{person[:100]} for {title[:100]}, since {applied:%Y-%m-%d}", at.date()
            )
        letters = lists.letters(
            WAITING_MAIL,
            "Applications that wait for you: {count}",
            f"These have been in stage 'new' for over {days} days, the oldest first:",
        )
        summary.add("written", mail.write(letters, at))
    summary.merge(mail.deliver(WAITING_MAIL, holder(self)))
    return summary


@shared_task(name="ats.tasks.auto_reject_stale_applications")
def auto_reject_stale_applications(
    new_days: int = 30,
    screening_days: int = 30,
    interview_days: int = 45,
    offer_days: int = 60,
    now: Moment = None,
    tenant_id: int | None = None,
) -> Summary:
    """Reject applications untouched for longer than their stage allows, with a reason."""
    at = moment(now)
    summary = Summary("rejected")
    allowed = zip(stages.OPEN, (new_days, screening_days, interview_days, offer_days), strict=True)
    cutoffs = [(stage, days, at - span(days=days)) for stage, days in allowed]
    for stage, days, cutoff in cutoffs:
        stale = within(Application.objects.filter(stage=stage, touched_at__lt=cutoff), tenant_id)
        reason = f"Nothing happened for {days} days in stage '{stage}'."
        count = stages.move(stale, Stage.REJECTED, at, reason)
        summary.merge({"rejected": count, f"rejected_{stage}": count})
    return summary


@shared_task(name="ats.tasks.update_pipeline_statistics")
def update_pipeline_statistics(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Per job and stage: how many, mean time in stage, conversion to the next stage."""
    at = moment(now)
    summary = Summary("looked_at", "updated", "dropped")
    for jobs in batches.walk(within(Job.objects.only("pk"), tenant_id), JOBS_AT_ONCE):
        updated, dropped = pipeline.measure([job.pk for job in jobs], at)
        summary.merge({"looked_at": len(jobs), "updated": updated, "dropped": dropped})
    return summary


@shared_task(name="ats.tasks.send_interview_reminders", bind=True)
def send_interview_reminders(
    self: Any, hours: tuple[float, ...] = (24, 1), now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Remind both sides `hours` before an interview, once each."""
    at = moment(now)
    ahead = sorted(span(hours=length) for length in hours)
    summary = Summary("looked_at", "written")
    rows = within(interviews.coming(at, ahead[-1]), tenant_id, "application__tenant")
    for batch in batches.walk(rows):
        summary.add("looked_at", len(batch))
        summary.add("written", mail.write(_reminders(batch, at, ahead, summary), at))
    summary.merge(mail.deliver(INTERVIEW_MAIL, holder(self)))
    return summary


@shared_task(name="ats.tasks.expire_job_postings")
def expire_job_postings(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Close job postings past their closing date."""
    at = moment(now)
    past = within(Job.objects.filter(state=Job.State.OPEN, closes_at__lte=at), tenant_id)
    return Summary(closed=batches.update(past, state=Job.State.CLOSED, closed_at=at))


@shared_task(name="ats.tasks.process_candidate_application", bind=True)
def process_candidate_application(
    self: Any, application_id: int, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Score an application, move it on from the inbox and tell the recruiter, once."""
    at = moment(now)
    summary = Summary("looked_at", "processed")
    wanted = within(Application.objects.filter(pk=application_id), tenant_id)
    with transaction.atomic():
        row = wanted.select_for_update(of=("self",)).select_related("job", "candidate").first()
        if row is None:
            summary.skip("application", application_id, "there is none (any more)")
        else:
            summary.add("looked_at")
            if row.stage == Stage.NEW:
                summary.merge(_process(row, at))
    summary.merge(mail.deliver(INBOX_MAIL, holder(self)))
    return summary


def _process(row: Application, at: datetime) -> dict[str, int]:
    found = match(row, Skills.of([row]))
    mine = Application.objects.filter(pk=row.pk)
    mine.update(score=found.score(Weights()), scored_at=at)
    stages.move(mine.filter(stage=Stage.NEW), Stage.SCREENING, at)
    return {"processed": 1, "written": mail.write([_to_recruiter(row, found)], at)}


def _to_recruiter(row: Application, found: Match) -> Letter:
    recipient = Application.objects.filter(pk=row.pk).values_list(address("job__recruiter"), flat=True)[0]
    return Letter(
        INBOX_MAIL,
        str(row.pk),
        recipient,
        f"New application for {row.job.title[:100]}",
        lines=(f"{row.candidate.name} has applied; the application is in screening now.",),
        facts=(
            ("candidate", row.candidate.name),
            ("job", row.job.title),
            ("match", f"{found.score(Weights()):g} of 100"),
            ("skills", f"{found.skills:.0%}"),
            ("experience", f"{found.experience:.0%}"),
            ("location", f"{found.location:.0%}"),
            ("salary", f"{found.salary:.0%}"),
        ),
        tenant_id=row.tenant_id,
    )


def _reminders(
    rows: list[Interview], at: datetime, ahead: list[timedelta], summary: Summary
) -> Iterator[Letter]:
    for row in rows:
        with summary.row("interview", row.pk):
            yield from interviews.reminders(row, INTERVIEW_MAIL, at, ahead)
