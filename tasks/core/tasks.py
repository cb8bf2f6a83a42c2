"""The tasks ``core.tasks.*``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from celery import shared_task
from django.conf import settings

from tasks.base import aggregates, backups, batches, mail
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder, lease
from tasks.base.money import payments
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.core import certificates, temp_files, vacuum
from tasks.models import Certificate, LoginSession

MOST_READ = 20  # aggregates that are warmed
CERTIFICATE_MAIL = "certificate"  # kind of the letters about certificates


@shared_task(name="core.tasks.maintenance_tasks.cleanup_old_sessions_task")
def cleanup_old_sessions_task(days: int = 30, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Delete login sessions idle for more than `days`, in batches."""
    idle = LoginSession.objects.filter(last_seen_at__lt=moment(now) - span(days=days))
    idle = within(idle, tenant_id, "user__tenant")
    return Summary(deleted=batches.delete(idle), left=LoginSession.objects.count())


@shared_task(name="core.tasks.background_tasks.cache_warming_task")
def cache_warming_task(limit: int = MOST_READ, now: Moment = None) -> Summary:
    """Compute the most read aggregates and put them in the cache."""
    return Summary(**aggregates.warm(moment(now), limit))


@shared_task(name="core.tasks.maintenance_tasks.backup_rotation_task", bind=True)
def backup_rotation_task(
    self: Any, retention_days: int = 30, max_backups: int = 100, min_backups: int = 7, now: Moment = None
) -> Summary:
    """Delete backups by retention: never below `min_backups`, never above `max_backups`."""
    if not 1 <= min_backups <= max_backups:
        raise ValueError(f"min_backups={min_backups} must be 1 to max_backups={max_backups}")
    at, retention = moment(now), span(days=retention_days)
    with lease("backup", holder(self)) as mine:
        if not mine:
            return Summary(in_progress=True)
        return Summary(**backups.rotate(at, retention, max_backups, min_backups))


@shared_task(name="core.tasks.maintenance_tasks.ssl_renewal_check_task", bind=True)
def ssl_renewal_check_task(
    self: Any, warning_days: int = 30, critical_days: int = 7, notify_admins: bool = True, now: Moment = None
) -> Summary:
    """Read the certificate of each configured domain; warn and alert by days left."""
    at = moment(now)
    warning, critical = span(days=warning_days), span(days=critical_days)
    summary = Summary("looked_at", *Certificate.State.values, "untrusted")
    domains = []
    for domain in settings.TLS_DOMAINS:
        summary.add("looked_at")
        with summary.row("domain", domain):
            certificates.place(domain)
            domains.append(domain)
    rows = certificates.record(certificates.read_all(domains), at, warning, critical)
    for row in rows:
        summary.add(row.state)
        summary.add("untrusted", row.trusted is False)
    if notify_admins:
        mail.write((letter for row in rows for letter in _about(row, at)), at)
        summary.merge(mail.deliver(CERTIFICATE_MAIL, holder(self)))
    return summary


@shared_task(name="core.tasks.maintenance_tasks.failed_payment_retry_task")
def failed_payment_retry_task(
    max_retries: int = 3,
    retry_after_hours: int = 24,
    batch_size: int = 50,
    now: Moment = None,
    tenant_id: int | None = None,
) -> Summary:
    """Retry failed payments in batches, with pauses that double from `retry_after_hours` on."""
    at = moment(now)
    due = payments.due(at, max_retries, span(hours=retry_after_hours), tenant_id)
    return payments.retry_all(due, at, batch_size)


@shared_task(name="core.tasks.maintenance_tasks.cleanup_temp_files_task")
def cleanup_temp_files_task(max_age_hours: int = 24, now: Moment = None) -> Summary:
    """Delete files older than `max_age_hours` under the temp folder, never following links out of it."""
    summary = Summary("looked_at", "deleted", "bytes_freed", "folders")
    before = moment(now) - span(hours=max_age_hours)
    temp_files.delete_older(Path(settings.TEMPORARY), before.timestamp(), summary)
    return summary


@shared_task(name="core.tasks.maintenance_tasks.database_vacuum_task", bind=True)
def database_vacuum_task(self: Any, analyze: bool = True, now: Moment = None) -> Summary:
    """Vacuum the business tables, and report dead rows before and after."""
    moment(now)  # a wrong one is refused here as by every task; the room to free does not depend on it
    with lease("vacuum", holder(self)) as mine:
        return Summary(**vacuum.vacuum(analyze)) if mine else Summary(in_progress=True)


def _about(row: Certificate, at: datetime) -> list[mail.Letter]:
    """Letters about a certificate that needs somebody: once for each state that it comes into."""
    if row.state == Certificate.State.OK:
        return []
    gone = row.state == Certificate.State.UNREACHABLE
    occasion = f"since {row.since.isoformat()}" if gone else row.fingerprint[:16]
    until = row.valid_until
    left = (
        f"{(until - at).days} days left" if until and until > at else "expired" if until else "not readable"
    )
    return mail.to_operators(
        CERTIFICATE_MAIL,
        f"{row.domain} {row.state} {occasion}",
        f"Certificate of {row.domain}: {left}",
        lines=(f"The certificate of {row.domain} is {row.state}.",),
        facts=(
            ("valid until", f"{until:%Y-%m-%d %H:%M} UTC" if until else "not known"),
            ("issued to", row.subject or "not known"),
            ("issued by", row.issuer or "not known"),
            ("trusted", {True: "yes", False: f"no: {row.detail}", None: "not known"}[row.trusted]),
            ("problem", row.detail or "none"),
        ),
    )
