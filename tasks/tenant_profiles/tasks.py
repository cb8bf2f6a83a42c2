"""The tasks ``tenant_profiles.tasks.*``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.db.models import Exists, OuterRef, Q, QuerySet

from tasks.base import batches, mail
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder
from tasks.base.mail import Letter
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.models import Consent, IdentityCheck, LoginAttempt, Token, Verification

IDENTITY_MAIL = "identity check"  # kind of the letters
BEGUN_DAYS = (2, 7, 14)  # after the start of a check that was not finished: a letter each
ENDING_DAYS = (30, 7, 1)  # before the end of a document: a letter each


@shared_task(name="tenant_profiles.tasks.cleanup_expired_tokens")
def cleanup_expired_tokens(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Delete expired authentication, password-reset and e-mail-verification tokens."""
    expired = within(Token.objects.filter(expires_at__lte=moment(now)), tenant_id, "user__tenant")
    return Summary(deleted=batches.delete(expired), left=Token.objects.count())


@shared_task(name="tenant_profiles.tasks.kyc_verification_reminder", bind=True)
def kyc_verification_reminder(
    self: Any,
    begun_days: tuple[int, ...] = BEGUN_DAYS,
    ending_days: tuple[int, ...] = ENDING_DAYS,
    now: Moment = None,
    tenant_id: int | None = None,
) -> Summary:
    """Remind users whose identity check was begun and not finished, or whose documents end soon."""
    at = moment(now)
    for days in (*begun_days, *ending_days):
        span(days=days)
    summary = Summary("looked_at", "begun", "ending")
    people = within(IdentityCheck.objects.filter(user__is_active=True), tenant_id, "user__tenant")
    for counter, rows, letters in (
        ("begun", _begun(people, at, begun_days), lambda row: _about_begun(row, at, begun_days)),
        ("ending", _ending(people, at, ending_days), lambda row: _about_ending(row, at, ending_days)),
    ):
        for batch in batches.walk(rows.select_related("user")):
            summary.add("looked_at", len(batch))
            summary.add(counter, mail.write(_each(batch, letters, summary), at))
    summary.merge(mail.deliver(IDENTITY_MAIL, holder(self)))
    return summary


@shared_task(name="tenant_profiles.tasks.expire_kyc_verifications")
def expire_kyc_verifications(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Mark identity checks past their end date as expired."""
    states = (IdentityCheck.State.STARTED, IdentityCheck.State.SUBMITTED, IdentityCheck.State.VERIFIED)
    ended = IdentityCheck.objects.filter(state__in=states, expires_at__lte=moment(now))
    ended = within(ended, tenant_id, "user__tenant")
    return Summary(expired=batches.update(ended, state=IdentityCheck.State.EXPIRED))


@shared_task(name="tenant_profiles.tasks.cleanup_old_login_history")
def cleanup_old_login_history(days: int = 180, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Delete login history older than `days`, in batches."""
    old = LoginAttempt.objects.filter(at__lt=moment(now) - span(days=days))
    old = within(old, tenant_id, "user__tenant")
    return Summary(deleted=batches.delete(old), left=LoginAttempt.objects.count())


@shared_task(name="tenant_profiles.tasks.expire_consents")
def expire_consents(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Mark consents past their end date as expired."""
    ended = Consent.objects.filter(state=Consent.State.GIVEN, expires_at__lte=moment(now))
    ended = within(ended, tenant_id, "user__tenant")
    return Summary(expired=batches.update(ended, state=Consent.State.EXPIRED))


@shared_task(name="tenant_profiles.tasks.expire_old_verifications")
def expire_old_verifications(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Mark employment and education verifications past their end date as expired."""
    states = (Verification.State.PENDING, Verification.State.VERIFIED)
    ended = Verification.objects.filter(state__in=states, expires_at__lte=moment(now))
    ended = within(ended, tenant_id, "user__tenant")
    return Summary(expired=batches.update(ended, state=Verification.State.EXPIRED))


def _begun(people: QuerySet[IdentityCheck], at: datetime, days: tuple[int, ...]) -> QuerySet[IdentityCheck]:
    """Checks begun at least the first of these days ago, whose person has begun no later one."""
    if not days:
        return people.none()
    later = IdentityCheck.objects.filter(user=OuterRef("user"), started_at__gt=OuterRef("started_at"))
    begun = people.filter(state=IdentityCheck.State.STARTED, started_at__lte=at - span(days=min(days)))
    return begun.exclude(Q(expires_at__lte=at)).exclude(Exists(later))


def _ending(people: QuerySet[IdentityCheck], at: datetime, days: tuple[int, ...]) -> QuerySet[IdentityCheck]:
    """Verified checks whose document ends within the longest of these days and was not replaced yet."""
    if not days:
        return people.none()
    today = at.date()
    replaced = IdentityCheck.objects.filter(
        user=OuterRef("user"),
        state=IdentityCheck.State.VERIFIED,
        document_ends_on__gt=OuterRef("document_ends_on"),
    )
    soon = people.filter(
        state=IdentityCheck.State.VERIFIED,
        document_ends_on__gte=today,
        document_ends_on__lte=today + timedelta(days=max(days)),
    )
    return soon.exclude(Exists(replaced))


def _each(rows: list[IdentityCheck], letter: Any, summary: Summary) -> Iterator[Letter]:
    for row in rows:
        with summary.row("identity check", row.pk):
            yield letter(row)


def _about_begun(row: IdentityCheck, at: datetime, days: tuple[int, ...]) -> Letter:
    passed = max(step for step in days if row.started_at <= at - timedelta(days=step))
    return Letter(
        IDENTITY_MAIL,
        f"{row.pk}, begun {passed} days ago",
        row.user.email,
        "Your identity check is not finished",
        lines=(
            f"Hello {row.user.name},",
            "you began an identity check and have not sent in your documents yet.",
        ),
        facts=(("begun", f"{row.started_at:%Y-%m-%d}"),),
        tenant_id=row.user.tenant_id,
    )


def _about_ending(row: IdentityCheck, at: datetime, days: tuple[int, ...]) -> Letter:
    ends = row.document_ends_on
    assert ends is not None
    left = (ends - at.date()).days
    step = min(step for step in days if left <= step)
    return Letter(
        IDENTITY_MAIL,
        f"{row.pk}, document until {ends}, {step} days ahead",
        row.user.email,
        "Your identity document ends soon",
        lines=(
            f"Hello {row.user.name},",
            "the document of your identity check ends soon. Please have a new one checked in time.",
        ),
        facts=(("valid until", str(ends)), ("days left", left)),
        tenant_id=row.user.tenant_id,
    )
