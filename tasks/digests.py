"""What happened, told by e-mail: the digests of ``zumodra.tasks.*``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.db.models import QuerySet

from tasks import activity, batches, mail
from tasks.clock import Moment, moment
from tasks.leases import holder
from tasks.mail import Letter
from tasks.models import Tenant, User
from tasks.summary import Summary
from tasks.tenancy import within

DAILY_MAIL, WEEKLY_MAIL = "daily digest", "weekly summary"  # kinds of the letters
GONE = (Tenant.State.EXPIRED, Tenant.State.CANCELLED, Tenant.State.SUSPENDED)
DAY = timedelta(days=1)


@shared_task(name="zumodra.tasks.send_daily_digest", bind=True)
def send_daily_digest(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """One e-mail per opted-in user with yesterday's activity of their tenant; none twice for one day."""
    at = moment(now)
    today = at.replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - DAY

    def letter(user: User, facts: activity.Facts) -> Letter:
        return Letter(
            DAILY_MAIL,
            f"user {user.pk}, {since:%Y-%m-%d}",
            user.email,
            f"{user.tenant.name} on {since:%A, %d %B}",
            lines=(f"Hello {user.name}, this is what happened yesterday.",),
            facts=facts,
            tenant_id=user.tenant_id,
        )

    def facts(tenants: set[int]) -> dict[int, activity.Facts]:
        return activity.happened(tenants, since, today)

    readers = within(User.objects.filter(daily_digest=True), tenant_id)
    return _send(readers, facts, letter, DAILY_MAIL, at, holder(self))


@shared_task(name="zumodra.tasks.send_weekly_summary", bind=True)
def send_weekly_summary(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """One e-mail per tenant administrator with the totals of the last whole week, Monday to Sunday."""
    at = moment(now)
    monday = at.replace(hour=0, minute=0, second=0, microsecond=0) - DAY * at.weekday()
    since = monday - 7 * DAY

    def letter(user: User, facts: activity.Facts) -> Letter:
        return Letter(
            WEEKLY_MAIL,
            f"user {user.pk}, {since:%G-W%V}",
            user.email,
            f"{user.tenant.name}: week {since:%V} of {since:%G}",
            lines=(f"Hello {user.name}, these are the totals of {since:%d %B} to {monday - DAY:%d %B}.",),
            facts=facts,
            tenant_id=user.tenant_id,
        )

    def facts(tenants: set[int]) -> dict[int, activity.Facts]:
        paid = activity.paid(tenants, since, monday)
        return {pk: told + paid[pk] for pk, told in activity.happened(tenants, since, monday).items()}

    readers = within(User.objects.filter(role=User.Role.ADMIN), tenant_id)
    return _send(readers, facts, letter, WEEKLY_MAIL, at, holder(self))


def _send(
    readers: QuerySet[User],
    facts: Callable[[set[int]], dict[int, activity.Facts]],
    letter: Callable[[User, activity.Facts], Letter],
    kind: str,
    at: datetime,
    who: str,
) -> Summary:
    """A letter about their tenant to each of these users; not to people who have left."""
    summary = Summary("looked_at", "written")
    here = readers.filter(is_active=True, tenant__isnull=False).exclude(tenant__state__in=GONE)
    for batch in batches.walk(here.select_related("tenant")):
        summary.add("looked_at", len(batch))
        table = facts({user.tenant_id for user in batch})
        letters: list[Letter] = []
        for user in batch:
            with summary.row("user", user.pk):
                letters.append(letter(user, table[user.tenant_id]))
        summary.add("written", mail.write(letters, at))
    summary.merge(mail.deliver(kind, who))
    return summary
