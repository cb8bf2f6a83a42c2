"""What happened at tenants, by e-mail: yesterday for those who asked, last week for administrators."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import QuerySet

from tasks.base import batches, mail
from tasks.base.mail import Letter
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.models import Tenant, User
from tasks.zumodra import activity

DAILY_MAIL, WEEKLY_MAIL = "daily digest", "weekly summary"  # kinds of the letters
GONE = (Tenant.State.EXPIRED, Tenant.State.CANCELLED, Tenant.State.SUSPENDED)
DAY = timedelta(days=1)


def send_daily(at: datetime, tenant_id: int | None, who: str) -> Summary:
    """Tell users who asked for it what happened on the day before `at`; `who` delivers the letters."""
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
    return _send(readers, facts, letter, DAILY_MAIL, at, who)


def send_weekly(at: datetime, tenant_id: int | None, who: str) -> Summary:
    """Tell administrators the totals of the last whole week before `at`; `who` delivers the letters."""
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
    return _send(readers, facts, letter, WEEKLY_MAIL, at, who)


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
