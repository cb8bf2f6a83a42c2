"""The tasks ``notifications.tasks.*``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import Q

from tasks.base import batches, mail
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder
from tasks.base.mail import Letter
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.models import Appointment, DigestPreference, Notification, User
from tasks.notifications import deliveries, inboxes

RETRIES = 5
APPOINTMENT_MAIL = "appointment reminder"  # kinds of letters
DAILY_MAIL, WEEKLY_MAIL = "notification digest", "weekly notification digest"
WEEK = timedelta(days=7)


@shared_task(name="notifications.tasks.process_scheduled_notifications", bind=True)
def process_scheduled_notifications(
    self: Any, batch_size: int = 500, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Deliver notifications that are due, each once, in batches."""
    at = moment(now)
    due = within(deliveries.waiting(at), tenant_id, "user__tenant")
    return deliveries.deliver(due, at, holder(self), batch_size)


@shared_task(name="notifications.tasks.retry_failed_notifications", bind=True)
def retry_failed_notifications(
    self: Any,
    max_age_hours: int = 24,
    pause_minutes: int = 15,
    batch_size: int = 500,
    now: Moment = None,
    tenant_id: int | None = None,
) -> Summary:
    """Try again failed notifications younger than `max_age_hours`, up to five times, after pauses that
    double from `pause_minutes` on."""
    at = moment(now)
    due = deliveries.failed(at, span(hours=max_age_hours), span(minutes=pause_minutes), RETRIES)
    return deliveries.deliver(within(due, tenant_id, "user__tenant"), at, holder(self), batch_size)


@shared_task(name="notifications.tasks.send_email_notification", bind=True)
def send_email_notification(self: Any, notification_id: int, now: Moment = None) -> Summary:
    """Send one notification by e-mail, once, whatever its channel and its time."""
    at = moment(now)
    this = Notification.objects.filter(pk=notification_id)
    row = deliveries.loaded(this).first()
    summary = Summary("mailed", "already_sent")
    if row is None:
        summary.skip("notification", notification_id, "it is not there any more")
    elif row.channel == Notification.Channel.EMAIL:
        summary.add("already_sent", row.state == Notification.State.DELIVERED)
        open_ = this.exclude(state=Notification.State.DELIVERED).exclude(failed_at__gte=at)
        summary.merge(deliveries.deliver(open_, at, holder(self)))
    elif not row.user.is_active:
        summary.skip("notification", row.pk, deliveries.ABSENT)
    else:  # a copy by e-mail of what the application shows, which keeps its state
        summary.add("already_sent", 1 - mail.write([deliveries.letter_of(row, copy=True)], at))
        summary.merge(mail.deliver(deliveries.COPY, holder(self)))
    return summary


@shared_task(name="notifications.tasks.send_daily_digest", bind=True)
def send_daily_digest(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """One digest of unread notifications per subscribed user per day."""
    at = moment(now)
    wanted = DigestPreference.objects.filter(daily=True)
    return _digest(wanted, DAILY_MAIL, f"{at:%Y-%m-%d}", None, at, holder(self), tenant_id)


@shared_task(name="notifications.tasks.send_weekly_digest", bind=True)
def send_weekly_digest(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """One digest of the last seven days per subscribed user per week."""
    at = moment(now)
    wanted = DigestPreference.objects.filter(weekly=True)
    return _digest(wanted, WEEKLY_MAIL, f"{at:%G-W%V}", at - WEEK, at, holder(self), tenant_id)


@shared_task(name="notifications.tasks.cleanup_old_notifications")
def cleanup_old_notifications(days: int = 90, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Delete read or dismissed notifications older than `days`."""
    cutoff = moment(now) - span(days=days)
    done = Notification.objects.filter(Q(read_at__isnull=False) | Q(dismissed_at__isnull=False))
    old = done.filter(Q(delivered_at__lt=cutoff) | Q(delivered_at__isnull=True, deliver_at__lt=cutoff))
    return Summary(deleted=batches.delete(within(old, tenant_id, "user__tenant")))


@shared_task(name="notifications.tasks.send_appointment_reminders", bind=True)
def send_appointment_reminders(
    self: Any, hours: int = 24, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Remind both sides of appointments that start within `hours` and were not reminded yet."""
    at = moment(now)
    soon = Appointment.objects.filter(
        state=Appointment.State.PLANNED,
        starts_at__gt=at,
        starts_at__lte=at + span(hours=hours),
        reminded_at__isnull=True,
    )
    summary = Summary("looked_at", "reminded")
    for batch in batches.walk(within(soon, tenant_id).select_related("organizer", "guest")):
        summary.add("looked_at", len(batch))
        letters: list[Letter] = []
        for row in batch:
            with summary.row("appointment", row.pk):
                letters += _reminders(row)
        with transaction.atomic():
            mail.write(letters, at)
            fresh = Appointment.objects.filter(pk__in=[row.pk for row in batch], reminded_at__isnull=True)
            summary.add("reminded", fresh.update(reminded_at=at))
    summary.merge(mail.deliver(APPOINTMENT_MAIL, holder(self)))
    return summary


def _digest(
    wanted: Any,
    kind: str,
    occasion: str,
    since: datetime | None,
    at: datetime,
    who: str,
    tenant_id: int | None,
) -> Summary:
    """A digest to each of the users who have something in it."""
    summary = Summary("looked_at", "digests")
    active = within(wanted.filter(user__is_active=True), tenant_id, "user__tenant").select_related("user")
    for batch in batches.walk(active):
        summary.add("looked_at", len(batch))
        users = {row.user_id: row.user for row in batch}
        parts = inboxes.unread(users, at) if since is None else inboxes.received(users, since, at)
        letters = (_digest_letter(users[pk], part, kind, occasion) for pk, part in parts.items())
        summary.add("digests", mail.write(letters, at))
    summary.merge(mail.deliver(kind, who))
    return summary


def _digest_letter(user: User, inbox: inboxes.Inbox, kind: str, occasion: str) -> Letter:
    more = inbox.count - len(inbox.newest)
    return Letter(
        kind,
        f"user {user.pk}, {occasion}",
        user.email,
        f"{inbox.count} {'notification' if inbox.count == 1 else 'notifications'} {inbox.what}",
        lines=(f"Hello {user.name},", *((f"And {more} earlier ones.",) if more else ())),
        facts=tuple((f"{at:%d %b %H:%M} UTC", title) for at, title in inbox.newest),
        tenant_id=user.tenant_id,
    )


def _reminders(row: Appointment) -> Sequence[Letter]:
    """A letter to each side that can still log in."""
    return [
        Letter(
            APPOINTMENT_MAIL,
            f"appointment {row.pk}, {row.starts_at.isoformat()}",
            person.email,
            f"{row.title}: {row.starts_at:%d %b %H:%M} UTC",
            lines=(f"Hello {person.name}, this is a reminder of your appointment.",),
            facts=(
                ("what", row.title),
                ("with", other.name),
                ("begins", f"{row.starts_at:%A %d %B %Y, %H:%M} UTC"),
                ("ends", f"{row.ends_at:%H:%M} UTC"),
            ),
            tenant_id=row.tenant_id,
        )
        for person, other in ((row.organizer, row.guest), (row.guest, row.organizer))
        if person.is_active
    ]
