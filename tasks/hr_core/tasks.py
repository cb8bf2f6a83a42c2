"""The tasks ``hr_core.tasks.*``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from celery import shared_task
from django.db.models import QuerySet

from tasks.base import batches, mail
from tasks.base.clock import Moment, moment, span
from tasks.base.leases import holder
from tasks.base.mail import Letter
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.base.worklists import TENANTS, Worklists, hr_of
from tasks.hr_core import time_off
from tasks.hr_core.anniversaries import hired_on
from tasks.models import Document, Employee, OnboardingTask, Tenant, TimeOffBalance, TimeOffRequest

ONBOARDING_MAIL = "onboarding"  # kinds of the letters
PROBATION_MAIL = "probation"
TIME_OFF_MAIL = "time off"
ANNIVERSARY_MAIL = "work anniversary"
MILESTONES = (5, 10, 15, 20)  # years of service that are announced ahead
State = Employee.State


@shared_task(name="hr_core.tasks.process_time_off_accruals")
def process_time_off_accruals(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Add the month's accrual to each employee's balances by policy and years of service; once a month."""
    today = moment(now).date()
    month = today.replace(day=1)
    summary = Summary("looked_at", "accrued", "at_limit", "already")
    rows = TimeOffBalance.objects.filter(employee__hired_on__lte=today).exclude(employee__state=State.LEFT)
    for batch in batches.walk(within(rows, tenant_id, "employee__tenant")):
        summary.add("looked_at", len(batch))
        time_off.accrue(batch, month, today, summary)
    return summary


@shared_task(name="hr_core.tasks.send_onboarding_reminders", bind=True)
def send_onboarding_reminders(self: Any, now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Remind new hires, their managers and HR of overdue onboarding tasks, each in one letter a day."""
    at = moment(now)
    summary = Summary("looked_at", "written")
    overdue = OnboardingTask.objects.filter(done_at__isnull=True, due_on__lt=at.date())
    overdue = overdue.exclude(employee__state=State.LEFT).order_by("due_on", "pk")
    columns = ("title", "owner", "due_on", "employee__name", "employee__email")
    for tenants in _tenants(tenant_id):
        lists, hr = Worklists(), hr_of(tenants)
        for owner, manager, title, duty, due, person, email in _of(overdue, tenants, columns):
            summary.add("looked_at")
            line = f"{person[:100]}: {title[:100]} (for {duty}), was due on {due}"
            lists.share(owner, line, at.date())
            for recipient in _others((email, *manager), hr[owner]):
                lists.add(owner, recipient, line, at.date())
        letters = lists.letters(
            ONBOARDING_MAIL, "Overdue onboarding tasks: {count}", "These are not done yet:", hr
        )
        summary.add("written", mail.write(letters, at))
    summary.merge(mail.deliver(ONBOARDING_MAIL, holder(self)))
    return summary


@shared_task(name="hr_core.tasks.process_probation_ends", bind=True)
def process_probation_ends(
    self: Any, days: int = 7, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Notify of probations that end today or within `days`; close those that ended.

    A probation lasts until the end of its last day: it is closed on the day after.
    """
    at = moment(now)
    today, last = at.date(), at.date() + span(days=days)
    summary = Summary("looked_at", "written")
    running = within(Employee.objects.filter(state=State.PROBATION), tenant_id)
    ending = running.filter(probation_ends_on__gte=today, probation_ends_on__lte=last)
    for tenants in _tenants(tenant_id):
        lists, hr = Worklists(), hr_of(tenants)
        columns = ("name", "title", "probation_ends_on")
        for owner, manager, person, title, ends in _of(ending, tenants, columns, employee=""):
            summary.add("looked_at")
            occasion = f"today, {ends}" if ends == today else f"on {ends}"
            lists.share(owner, f"{person[:100]}, {title[:100]}", occasion)
            for recipient in _others(manager, hr[owner]):
                lists.add(owner, recipient, f"{person[:100]}, {title[:100]}", occasion)
        letters = lists.letters(
            PROBATION_MAIL,
            "Probations that end {occasion}: {count}",
            "Please say in time who shall not stay; for the others the probation is over then:",
            hr,
        )
        summary.add("written", mail.write(letters, at))
    ended = running.filter(probation_ends_on__lt=today)
    summary.add("closed", batches.update(ended, state=State.ACTIVE))
    summary.merge(mail.deliver(PROBATION_MAIL, holder(self)))
    return summary


@shared_task(name="hr_core.tasks.send_time_off_reminders", bind=True)
def send_time_off_reminders(
    self: Any, days: int = 2, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Remind managers of time-off requests pending for over `days`; HR where there is no manager."""
    at = moment(now)
    summary = Summary("looked_at", "written")
    pending = TimeOffRequest.objects.filter(
        state=TimeOffRequest.State.PENDING, requested_at__lt=at - span(days=days)
    )
    pending = pending.exclude(employee__state=State.LEFT).order_by("requested_at", "pk")
    columns = ("starts_on", "ends_on", "requested_at", "employee__name")
    for tenants in _tenants(tenant_id):
        lists, hr = Worklists(), hr_of(tenants)
        for owner, manager, first, last, asked, person in _of(pending, tenants, columns):
            summary.add("looked_at")
            line = f"{person[:100]}: {first} to {last}, asked for on {asked:%Y-%m-%d}"
            if not manager:
                lists.share(owner, line, at.date())
            for recipient in manager:
                lists.add(owner, recipient, line, at.date())
        letters = lists.letters(
            TIME_OFF_MAIL,
            "Time-off requests that wait for you: {count}",
            f"These have been pending for over {days} days:",
            hr,
        )
        summary.add("written", mail.write(letters, at))
    summary.merge(mail.deliver(TIME_OFF_MAIL, holder(self)))
    return summary


@shared_task(name="hr_core.tasks.update_employee_anniversaries", bind=True)
def update_employee_anniversaries(
    self: Any, announce_days: int = 14, now: Moment = None, tenant_id: int | None = None
) -> Summary:
    """Congratulate on today's work anniversaries; announce 5, 10, 15 and 20 years `announce_days` ahead."""
    at = moment(now)
    today, ahead = at.date(), span(days=announce_days).days
    summary = Summary("looked_at", "congratulated", "announced")
    coming: dict[date, tuple[int, date]] = {}
    for day in (today + timedelta(days=number) for number in range(1, ahead + 1)):
        coming |= {hired: (years, day) for hired, years in hired_on(day, MILESTONES).items()}
    todays = hired_on(today)
    staff = Employee.objects.exclude(state=State.LEFT)
    celebrating = within(staff.filter(hired_on__in=todays), tenant_id).select_related("tenant")
    for batch in batches.walk(celebrating):
        summary.add("looked_at", len(batch))
        congratulations = (_congratulation(row, todays[row.hired_on]) for row in batch)
        summary.add("congratulated", mail.write(congratulations, at))
    near = staff.filter(hired_on__in=coming).order_by("pk")
    for tenants in _tenants(tenant_id):
        lists, hr = Worklists(), hr_of(tenants)
        for owner, manager, person, hired in _of(near, tenants, ("name", "hired_on"), employee=""):
            summary.add("looked_at")
            years, day = coming[hired]
            lists.share(owner, f"{person[:100]}: {_years(years)}", day)
            for recipient in _others(manager, hr[owner]):
                lists.add(owner, recipient, f"{person[:100]}: {_years(years)}", day)
        letters = lists.letters(
            ANNIVERSARY_MAIL, "Work anniversaries on {occasion}: {count}", "Please do not forget:", hr
        )
        summary.add("announced", mail.write(letters, at))
    summary.merge(mail.deliver(ANNIVERSARY_MAIL, holder(self)))
    return summary


@shared_task(name="hr_core.tasks.expire_pending_documents")
def expire_pending_documents(now: Moment = None, tenant_id: int | None = None) -> Summary:
    """Expire documents whose signature deadline has passed."""
    late = Document.objects.filter(state=Document.State.PENDING, sign_by__lte=moment(now))
    return Summary(expired=batches.update(within(late, tenant_id), state=Document.State.EXPIRED))


def _tenants(tenant_id: int | None) -> Iterator[list[int]]:
    """Keys of the tenants, as many at a time as lists may be in memory."""
    for batch in batches.walk(within(Tenant.objects.only("pk"), tenant_id, "pk"), TENANTS):
        yield [tenant.pk for tenant in batch]


def _of(
    rows: QuerySet[Any], tenants: list[int], columns: Sequence[str], employee: str = "employee__"
) -> Iterator[tuple[Any, ...]]:
    """Of each row its tenant, the addresses of the manager (one, or none) and the columns.

    `employee` is the path to the employee.
    """
    found = rows.filter(**{f"{employee}tenant__in": tenants})
    named = (f"{employee}tenant", f"{employee}manager__email", f"{employee}manager__state", *columns)
    for tenant, email, state, *values in found.values_list(*named).iterator():
        yield (tenant, _there(email, state), *values)


def _there(email: str | None, state: str | None) -> list[str]:
    """The address of somebody who still works here."""
    return [email] if email and state != State.LEFT else []


def _others(people: Sequence[str], hr: Sequence[str]) -> list[str]:
    """Those who do not have it on the list of HR."""
    return [person for person in dict.fromkeys(people) if person not in hr]


def _congratulation(row: Employee, years: int) -> Letter:
    return Letter(
        ANNIVERSARY_MAIL,
        f"{row.pk}, {years} years",
        row.email,
        f"Congratulations: {_years(years)} at {row.tenant.name[:100]}",
        lines=(
            f"Dear {row.name},",
            f"today it is {_years(years)} since you began to work at {row.tenant.name}. Thank you!",
        ),
        tenant_id=row.tenant_id,
    )


def _years(count: int) -> str:
    return "1 year" if count == 1 else f"{count} years"
