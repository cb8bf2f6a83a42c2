"""The tasks ``zumodra.tasks.*``."""

from __future__ import annotations

import smtplib
from datetime import datetime
from typing import Any

from celery import shared_task
from django.db import transaction

from tasks.base import archives, backups, batches, mail, metrics
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder, lease
from tasks.base.mail import Letter
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.models import Integration, IntegrationCheck, LoginSession
from tasks.zumodra import digests
from tasks.zumodra.integrations import Finding, probe_all

INTEGRATION_MAIL = "integration"  # kind of the letters about a change of state


@shared_task(name="zumodra.tasks.cleanup_old_audit_logs", bind=True)
def cleanup_old_audit_logs(
    self: Any, days: int = 90, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Move audit entries older than `days` into checked archives."""
    at = moment(now)
    return archives.retire(archives.AUDIT, at - span(days=days), at, holder(self), tenant_id)


@shared_task(name="zumodra.tasks.backup_database", bind=True)
def backup_database(self: Any, now: Moment = None) -> Summary:
    """Dump the business database to a dated compressed file, checked to hold every table."""
    at = moment(now)
    # The same message delivered twice is one backup; so is the same moment asked for twice.
    key = at.isoformat() if now is not None else holder(self)
    with lease("backup", holder(self)) as mine:
        if not mine:
            return Summary(in_progress=True)
        backup, made = backups.run(key, at)
    return Summary(
        made=int(made),
        file=backup.path,
        bytes=backup.size,
        seconds=backup.seconds,
        tables=backup.tables,
        state=backup.state,
    )


@shared_task(name="zumodra.tasks.health_check_integrations", bind=True)
def health_check_integrations(self: Any, now: Moment = None) -> Summary:
    """Try every integration, store its state and latency, and tell the operators of a change."""
    at = moment(now)
    if Integration.objects.filter(checked_at__gte=at).exists():
        summary = Summary("looked_at", "changed", already_checked=True)
    else:
        findings = probe_all()
        changed = _record(findings, at)
        summary = Summary(
            looked_at=len(findings),
            changed=len(changed),
            states={finding.name: str(finding.state) for finding in findings},
            latency_ms={finding.name: finding.latency_ms for finding in findings},
        )
    try:
        summary.merge(mail.deliver(INTEGRATION_MAIL, holder(self)))
    except (OSError, smtplib.SMTPException) as error:
        # Mail may be the very thing that is down: the letters wait in the outbox for the next check.
        summary["mail_waits"] = str(error)[:200]
    return summary


@shared_task(name="zumodra.tasks.cleanup_expired_sessions")
def cleanup_expired_sessions(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Delete login sessions past their expiry."""
    expired = LoginSession.objects.filter(expires_at__lte=moment(now))
    expired = within(expired, tenant_id, "user__tenant")
    return Summary(deleted=batches.delete(expired), left=LoginSession.objects.count())


@shared_task(name="zumodra.tasks.calculate_daily_metrics")
def calculate_daily_metrics(
    day: str | None = None, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Store the figures of one given day (``2026-01-31``; yesterday if None), of one tenant or of all."""
    at = moment(now)
    wanted = moment(day).date() if day else at.date() - metrics.DAY
    return Summary(day=wanted.isoformat(), **metrics.record_days([wanted], at, tenant_id))


@shared_task(name="zumodra.tasks.send_daily_digest", bind=True)
def send_daily_digest(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """One e-mail per opted-in user with yesterday's activity of their tenant; none twice for one day."""
    return digests.send_daily(moment(now), tenant_id, holder(self))


@shared_task(name="zumodra.tasks.send_weekly_summary", bind=True)
def send_weekly_summary(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """One e-mail per tenant administrator with the totals of the last whole week, Monday to Sunday."""
    return digests.send_weekly(moment(now), tenant_id, holder(self))


def _record(findings: list[Finding], at: datetime) -> list[Finding]:
    """Store what was found; gives what changed its state. A first look that finds it up is none."""
    with transaction.atomic():
        names = [finding.name for finding in findings]
        known = {row.name: row for row in Integration.objects.select_for_update().filter(name__in=names)}
        changed = [f for f in findings if _before(known.get(f.name), f) != f.state]
        rows = [
            Integration(
                name=f.name,
                state=f.state,
                since=known[f.name].since if f.name in known and known[f.name].state == f.state else at,
                checked_at=at,
                latency_ms=f.latency_ms,
                detail=f.detail,
            )
            for f in findings
        ]
        Integration.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["state", "since", "checked_at", "latency_ms", "detail"],
        )
        ids = dict(Integration.objects.filter(name__in=names).values_list("name", "pk"))
        IntegrationCheck.objects.bulk_create(
            [
                IntegrationCheck(integration_id=ids[f.name], at=at, state=f.state, latency_ms=f.latency_ms)
                for f in findings
            ],
            ignore_conflicts=True,
        )
        mail.write((letter for f in changed for letter in _letters(f, known.get(f.name), at)), at)
    return changed


def _before(row: Integration | None, finding: Finding) -> str:
    if row is not None:
        return row.state
    return finding.state if finding.state != Integration.State.DOWN else Integration.State.UP


def _letters(finding: Finding, row: Integration | None, at: datetime) -> list[Letter]:
    was = f"{row.state} since {row.since:%Y-%m-%d %H:%M} UTC" if row else "not known"
    return mail.to_operators(
        INTEGRATION_MAIL,
        f"{finding.name} {finding.state} {at.isoformat()}",
        f"{finding.name} is {finding.state}",
        lines=(f"The state of {finding.name} has changed.",),
        facts=(
            ("now", finding.state),
            ("before", was),
            ("at", f"{at:%Y-%m-%d %H:%M} UTC"),
            ("detail", finding.detail),
        ),
    )
