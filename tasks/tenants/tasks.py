"""The tasks ``tenants.tasks.*``."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from celery import shared_task
from django.db.models import Exists, OuterRef, Q, QuerySet

from tasks.base import batches, mail
from tasks.base.clock import Moment, moment, span
from tasks.base.errors import UnknownRow
from tasks.base.leases import holder, lease
from tasks.base.mail import Letter
from tasks.base.money import gateway, subscriptions
from tasks.base.money.subscriptions import RUNNING
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.models import Invitation, Subscription, Tenant
from tasks.tenants import usage

TENANTS_AT_ONCE = 500
TRIAL_MARKS = (7, 3, 1)  # days before the end of a trial
TRIAL_MAIL = "trial reminder"  # kind of the letters


@shared_task(name="tenants.tasks.check_usage_limits", bind=True)
def check_usage_limits(
    self: Any, warn_percent: int = 80, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Compare each tenant's usage with its plan's limits: warn from `warn_percent` on, flag at 100 %."""
    at = moment(now)
    if not 0 < warn_percent <= 100:
        raise ValueError(f"warn_percent={warn_percent} must be 1 to 100")
    summary = Summary("looked_at", "warned", "flagged", "ended")
    tenants = within(Tenant.objects.select_related("plan"), tenant_id, "pk")
    for batch in batches.walk(tenants, TENANTS_AT_ONCE):
        summary.add("looked_at", len(batch))
        summary.merge(usage.compare(batch, at, warn_percent))
    summary.merge(mail.deliver(usage.MAIL, holder(self)))
    return summary


@shared_task(name="tenants.tasks.send_trial_reminders", bind=True)
def send_trial_reminders(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """E-mail tenants whose trial ends in 7, 3 or 1 days, once for each mark."""
    at = moment(now)
    summary = Summary("looked_at", "written")
    marked = Q()
    for days in TRIAL_MARKS:
        day = datetime.combine(at.date(), time(), at.tzinfo) + timedelta(days=days)
        marked |= Q(trial_ends_at__gte=day, trial_ends_at__lt=day + timedelta(days=1))
    ending = within(_unsubscribed(Tenant.objects.filter(marked, state=Tenant.State.TRIAL)), tenant_id, "pk")
    for batch in batches.walk(ending.select_related("plan"), TENANTS_AT_ONCE):
        summary.add("looked_at", len(batch))
        summary.add("written", mail.write((_trial_letter(tenant, at) for tenant in batch), at))
    summary.merge(mail.deliver(TRIAL_MAIL, holder(self)))
    return summary


@shared_task(name="tenants.tasks.calculate_tenant_usage")
def calculate_tenant_usage(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Recompute the day's users, open jobs, candidates and storage of each tenant."""
    at = moment(now)
    summary = Summary("looked_at", "recorded")
    for batch in batches.walk(within(Tenant.objects.only("pk"), tenant_id, "pk"), TENANTS_AT_ONCE):
        summary.add("looked_at", len(batch))
        summary.add("recorded", usage.record([tenant.pk for tenant in batch], at))
    return summary


@shared_task(name="tenants.tasks.expire_trial_tenants")
def expire_trial_tenants(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Set tenants whose trial ended without a subscription to expired."""
    ended = Tenant.objects.filter(state=Tenant.State.TRIAL, trial_ends_at__lte=moment(now))
    ended = within(_unsubscribed(ended), tenant_id, "pk")
    return Summary(expired=batches.update(ended, state=Tenant.State.EXPIRED))


@shared_task(name="tenants.tasks.cleanup_expired_invitations")
def cleanup_expired_invitations(
    purge_after_days: int = 30, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Expire pending invitations past their end; purge those that have been expired for so many days."""
    at = moment(now)
    since = at - span(days=purge_after_days)
    state = Invitation.State
    pending = within(Invitation.objects.filter(state=state.PENDING, expires_at__lte=at), tenant_id)
    expired = batches.update(pending, state=state.EXPIRED, expired_at=at)
    old = within(Invitation.objects.filter(state=state.EXPIRED), tenant_id)
    # One without a mark was expired by hand: its end counts.
    old = old.filter(Q(expired_at__lte=since) | Q(expired_at=None, expires_at__lte=since))
    return Summary(expired=expired, purged=batches.delete(old))


@shared_task(name="tenants.tasks.process_subscription_renewal", bind=True)
def process_subscription_renewal(
    self: Any, subscription_id: int, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Charge the renewal of a subscription whose period has ended and move the period, never twice.

    Called, not scheduled. A period that has not ended, or a subscription that is to end, is left alone; a
    payment that is declined makes it past due.

    Raises
    ------
    UnknownRow
        There is no such subscription.
    ConnectionError
        The payment provider does not answer; the next delivery goes on where this one ended.
    """
    at = moment(now)
    rows = within(Subscription.objects.filter(pk=subscription_id), tenant_id)
    subscription = rows.first()
    if subscription is None:
        raise UnknownRow(f"there is no subscription {subscription_id}; was it deleted?")
    summary = Summary("invoiced", "charged", "renewed", looked_at=1)
    due = subscription.state in RUNNING and subscription.period_end <= at
    if not due or subscription.cancel_at_period_end:
        summary.add("left")
        return summary
    if not gateway.configured():
        return Summary(looked_at=1, provider="off")
    with lease(f"renewal {subscription_id}", holder(self)) as mine:
        if not mine:
            return Summary(in_progress=True)
        subscriptions.renew(subscription, at, summary)
        summary.merge(subscriptions.follow(rows, at))
    return summary


def _unsubscribed(tenants: QuerySet[Any]) -> QuerySet[Any]:
    return tenants.exclude(Exists(Subscription.objects.filter(tenant=OuterRef("pk"), state__in=RUNNING)))


def _trial_letter(tenant: Tenant, at: datetime) -> Letter:
    days = (tenant.trial_ends_at.date() - at.date()).days
    left = "1 day" if days == 1 else f"{days} days"
    return Letter(
        TRIAL_MAIL,
        # The end is part of the occasion: a trial that was made longer is reminded of again.
        f"tenant {tenant.pk}, {left} before {tenant.trial_ends_at:%Y-%m-%d}",
        tenant.email,
        f"Your trial ends in {left}",
        lines=(
            f"The trial of {tenant.name} ends on {tenant.trial_ends_at:%d %B %Y}.",
            "Choose a plan before then, and your data and your team stay as they are.",
        ),
        facts=(("plan on trial", tenant.plan.name), ("days left", days)),
        tenant_id=tenant.pk,
    )
