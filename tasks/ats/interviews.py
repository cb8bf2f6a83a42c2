"""Interviews that come soon, and what both sides are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import QuerySet

from tasks.base.mail import Letter
from tasks.base.stages import OPEN
from tasks.base.worklists import address
from tasks.models import Interview

HOUR = timedelta(hours=1)


def coming(at: datetime, within: timedelta) -> QuerySet[Interview]:
    """Interviews that begin after `at`, at most `within` later, of applications that are still open.

    Each has ``host``, the address of who receives the candidate: the interviewer, in their place the
    job's recruiter, or else the tenant.
    """
    rows = Interview.objects.filter(
        state=Interview.State.SCHEDULED,
        starts_at__gt=at,
        starts_at__lte=at + within,
        application__stage__in=OPEN,
    )
    host = address("interviewer", "application__job__recruiter", tenant="application__tenant")
    rows = rows.annotate(host=host)
    return rows.select_related("application__job", "application__candidate", "application__tenant").only(
        "starts_at",
        "minutes",
        "place",
        "application__tenant__name",
        "application__job__title",
        "application__candidate__name",
        "application__candidate__email",
    )


def reminders(row: Interview, kind: str, at: datetime, ahead: Sequence[timedelta]) -> Iterator[Letter]:
    """The letters to both sides for the shortest length of `ahead` (ascending) that has begun.

    Their keys hold the beginning, so that an interview that is moved is reminded of anew.
    """
    left = row.starts_at - at
    step = next(length for length in ahead if left <= length)
    job, candidate = row.application.job, row.application.candidate
    tenant = row.application.tenant
    facts = (
        ("begins", f"{row.starts_at:%Y-%m-%d %H:%M} UTC"),
        ("lasts", f"{row.minutes} minutes"),
        ("place", row.place or "not said"),
        ("job", job.title),
    )
    for side, recipient, person in (
        ("candidate", candidate.email, f"with {tenant.name}"),
        ("interviewer", row.host, f"with {candidate.name}"),
    ):
        yield Letter(
            kind,
            f"{row.pk} at {row.starts_at.isoformat()}, {step / HOUR:g} hours ahead, {side}",
            recipient,
            f"Interview {person[:100]}, {row.starts_at:%Y-%m-%d %H:%M} UTC",
            lines=(f"This is a reminder of your interview {person}.",),
            facts=facts,
            tenant_id=tenant.pk,
        )
