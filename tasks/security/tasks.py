"""The tasks ``security.tasks.*``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import QuerySet

from tasks.base import archives, batches, mail
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder, lease
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.models import Anomaly, LoginSession, StoredReport, Token, User
from tasks.security import anomalies, bursts, reputations
from tasks.security.report import of_day

KEPT_DAYS = 730  # of an archive of audit entries
PASSWORD_MAIL = "password"
WARNINGS = (1, 7, 14)  # days before a password's end
USERS_AT_ONCE = 400
REPORT = "security"  # kind of the stored report


@shared_task(name="security.tasks.cleanup_audit_logs", bind=True)
def cleanup_audit_logs(
    self: Any,
    days: int = 90,
    archive_days: int = KEPT_DAYS,
    now: Moment = None,
    tenant_id: int | None = None,
) -> Summary:
    """Move audit entries older than `days` into archives; delete archives older than `archive_days`."""
    at, kept = moment(now), span(days=archive_days)
    summary = archives.retire(archives.AUDIT, at - span(days=days), at, holder(self), tenant_id)
    if "in_progress" not in summary and tenant_id is None:
        summary.merge(archives.forget(archives.AUDIT, at - kept))
    return summary


@shared_task(name="security.tasks.analyze_failed_logins", bind=True)
def analyze_failed_logins(
    self: Any,
    minutes: int = 60,
    address_failures: int = 20,
    account_failures: int = 10,
    block_hours: int = 24,
    now: Moment = None,
) -> Summary:
    """Block addresses and accounts with a burst of failed logins, and record it."""
    at, until = moment(now), moment(now) + span(hours=block_hours)
    since = at - span(minutes=minutes)
    with lease("failed logins", holder(self)) as mine:
        if not mine:
            return Summary(in_progress=True)
        addresses = bursts.find("address", address_failures, since, at)
        accounts = bursts.find("user", account_failures, since, at)
        summary = Summary(looked_at=len(addresses) + len(accounts))
        summary.merge(bursts.block(addresses, accounts, at, until))
    return summary


@shared_task(name="security.tasks.expire_sessions")
def expire_sessions(idle_hours: int = 24, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """End login sessions idle for more than `idle_hours`, and revoke their tokens."""
    at = moment(now)
    idle = LoginSession.objects.filter(ended_at=None, last_seen_at__lt=at - span(hours=idle_hours))
    # By the session's end, so that tokens of sessions that a killed run ended are found too.
    tokens = Token.objects.filter(session__ended_at__lte=at, revoked_at=None)
    ended = batches.update(within(idle, tenant_id, "user__tenant"), ended_at=at)
    tokens = within(tokens, tenant_id, "user__tenant")
    return Summary(ended=ended, revoked=batches.update(tokens, revoked_at=at))


@shared_task(name="security.tasks.generate_security_report")
def generate_security_report(now: Moment = None) -> Summary:
    """Store yesterday's logins, blocks and anomalies as a report, once a day."""
    at = moment(now)
    day = at.date() - timedelta(days=1)
    if StoredReport.objects.filter(kind=REPORT, day=day).exists():
        return Summary("stored", day=day.isoformat())
    content = of_day(day)
    StoredReport.objects.bulk_create(
        [StoredReport(kind=REPORT, day=day, content=content, created_at=at)], ignore_conflicts=True
    )
    return Summary(stored=1, day=day.isoformat(), **content["totals"])


@shared_task(name="security.tasks.detect_anomalies")
def detect_anomalies(
    hours: int = 24, days: int = 30, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Record what users did in the last `hours` and never in the `days` before: country, hour, volume."""
    at = moment(now)
    since, past = at - span(hours=hours), span(days=days)
    summary = Summary("looked_at", *Anomaly.Kind.values)
    for batch in batches.walk(anomalies.recent_users(since, at, tenant_id), USERS_AT_ONCE):
        summary.add("looked_at", len(batch))
        summary.merge(anomalies.record([user.pk for user in batch], since, at, past))
    return summary


@shared_task(name="security.tasks.check_password_expiry", bind=True)
def check_password_expiry(
    self: Any, max_days: int = 90, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Warn before a password of `max_days` ends; ask for a new one after it."""
    at, life = moment(now), span(days=max_days)
    summary = Summary("looked_at", "written", "forced")
    first = at - life + timedelta(days=max(WARNINGS))
    users = User.objects.filter(is_active=True, must_reset_password=False, password_changed_at__lte=first)
    for batch in batches.walk(within(users, tenant_id), USERS_AT_ONCE):
        summary.add("looked_at", len(batch))
        with transaction.atomic():
            summary.add("forced", _force(users, batch, at - life))
            summary.add("written", mail.write((_letter(user, at, life) for user in batch), at))
    summary.merge(mail.deliver(PASSWORD_MAIL, holder(self)))
    return summary


@shared_task(name="security.tasks.update_ip_reputation")
def update_ip_reputation(now: Moment = None) -> Summary:
    """Let reputations of addresses decay, add what they did lately, and end blocks that are over."""
    return Summary(**reputations.update(moment(now)))


def _force(users: QuerySet[User], batch: list[User], ended: datetime) -> int:
    """Ask those of the batch for a new password whose old one has ended (and was not changed just now)."""
    over = users.filter(pk__in=[user.pk for user in batch], password_changed_at__lte=ended)
    return over.update(must_reset_password=True)


def _letter(user: User, at: datetime, life: timedelta) -> mail.Letter:
    assert user.password_changed_at is not None  # the filter of the task
    ends = user.password_changed_at + life
    left = ends - at
    stage = min((days for days in WARNINGS if left <= timedelta(days=days)), default=max(WARNINGS))
    over = left <= timedelta(0)
    about = f"user {user.pk}, ends {ends:%Y-%m-%dT%H:%M:%S}, {'over' if over else f'{stage} days'}"
    days = -(-left // timedelta(days=1))  # a begun day counts
    subject = "Please choose a new password" if over else f"Your password ends in {days} day{'s'[: days > 1]}"
    return mail.Letter(
        PASSWORD_MAIL,
        about,
        user.email,
        subject,
        lines=(
            f"Hello {user.name},",
            "Your password has ended. You will be asked for a new one when you log in."
            if over
            else "Please choose a new password before your old one ends.",
        ),
        facts=(("the password ends", f"{ends:%Y-%m-%d %H:%M} UTC"),),
        tenant_id=user.tenant_id,
    )
