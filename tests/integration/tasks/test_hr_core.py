"""Employees earn time off once a month, and people hear of what is due: on time, and once."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tasks.hr_core import anniversaries
from tasks.hr_core import tasks as hr_core
from tasks.models import (
    Document,
    Employee,
    OnboardingTask,
    Tenant,
    TimeOffAccrual,
    TimeOffBalance,
    TimeOffPolicy,
    TimeOffRequest,
)
from tests.integration.tasks import rows

accrue = hr_core.process_time_off_accruals
onboarding = hr_core.send_onboarding_reminders
probation = hr_core.process_probation_ends
time_off = hr_core.send_time_off_reminders
anniversary = hr_core.update_employee_anniversaries


def employee(owner: Tenant, **more: Any) -> Employee:
    number = Employee.objects.count()
    values = {"name": f"Employee {number}", "email": f"e{number}@x.example", "hired_on": date(2025, 3, 3)}
    return Employee.objects.create(tenant=owner, **values | more)


def hr(owner: Tenant) -> str:
    return rows.user(owner, role="hr").email


def balance(person: Employee, days: str = "0", **policy: Any) -> TimeOffBalance:
    number = TimeOffPolicy.objects.count()
    values = {"name": f"Vacation {number}", "days_a_year": 24} | policy
    made = TimeOffPolicy.objects.create(tenant=person.tenant, **values)
    return TimeOffBalance.objects.create(employee=person, policy=made, days=days)


def recipients(platform: Any) -> list[str]:
    found = sorted(message["To"] for message in platform.inbox.messages)
    platform.inbox.clear()
    return found


# hired on, policy, balance before and after on 22 November 2026
EARNED = (
    (date(2026, 1, 1), {}, "3", "5"),
    (date(2026, 11, 22), {}, "3", "5"),
    (date(2026, 11, 23), {}, "3", "3"),  # not here yet
    (date(2021, 11, 23), {"extra_days": 6}, "0", "2"),  # five years tomorrow
    (date(2021, 11, 22), {"extra_days": 6}, "0", "2.5"),
    (date(2011, 1, 1), {"extra_days": 6}, "0", "3.5"),
    (date(2026, 1, 1), {"days_a_year": 25}, "0", "2.08"),
    (date(2026, 1, 1), {"most_days": 30}, "29.5", "30"),
    (date(2026, 1, 1), {"most_days": 30}, "31", "31"),
    (date(2026, 1, 1), {"days_a_year": 0}, "1", "1"),
)


def test_a_months_accrual(platform: Any) -> None:
    owner = rows.tenant()
    made = [balance(employee(owner, hired_on=hired), before, **policy) for hired, policy, before, _ in EARNED]
    left = balance(employee(owner, state="left"))
    summary = accrue(now=platform.now)
    assert (summary["accrued"], summary["at_limit"], summary["skipped"]) == (len(EARNED) - 1, 2, 0)
    after = dict(TimeOffBalance.objects.values_list("pk", "days"))
    assert [after[row.pk] for row in made] == [Decimal(days) for *_, days in EARNED]
    assert after[left.pk] == 0
    assert set(TimeOffAccrual.objects.values_list("month", flat=True)) == {date(2026, 11, 1)}


def test_accrual_is_once_a_month(platform: Any) -> None:
    first, second = balance(employee(rows.tenant())), balance(employee(rows.tenant()))
    assert accrue(now=platform.now, tenant_id=second.employee.tenant_id)["accrued"] == 1
    for at in (platform.now, platform.now + timedelta(days=8)):
        accrue(now=at)
    later = employee(first.employee.tenant)
    TimeOffBalance.objects.create(employee=later, policy=first.policy)
    assert accrue(now=platform.now)["accrued"] == 1
    assert set(TimeOffBalance.objects.values_list("days", flat=True)) == {Decimal(2)}
    assert accrue(now="2026-12-01")["accrued"] == 3
    assert TimeOffBalance.objects.get(pk=first.pk).days == 4


def test_a_policy_out_of_bounds_stops_nobody_else(platform: Any) -> None:
    owner = rows.tenant()
    bad = balance(employee(owner, hired_on=date(1, 1, 1)), extra_days="900")
    good = balance(employee(owner))
    full = balance(employee(owner), "9999")
    summary = accrue(now=platform.now)
    assert summary["skipped_ids"] == [f"balance {bad.pk}"]
    after = dict(TimeOffBalance.objects.values_list("pk", "days"))
    assert after == {bad.pk: 0, good.pk: 2, full.pk: Decimal("9999.99")}


def test_overdue_onboarding_is_told_to_the_new_one_the_manager_and_hr(platform: Any) -> None:
    owner, today = rows.tenant(), platform.now.date()
    people = [hr(owner), hr(owner)]
    manager = employee(owner)
    new = employee(owner, manager=manager, state="probation", name=rows.HOSTILE[0])
    alone = employee(owner, manager=employee(owner, state="left"))
    gone = employee(owner, state="left")
    for person, days, done in (
        (new, 1, None),
        (new, 9, None),
        (new, 0, None),
        (new, 5, platform.now),
        (alone, 2, None),
        (gone, 9, None),
    ):
        due = today - timedelta(days=days)
        OnboardingTask.objects.create(employee=person, title=rows.HOSTILE[5], due_on=due, done_at=done)
    summary = onboarding(now=platform.now)
    assert (summary["looked_at"], summary["mailed"]) == (3, 5)
    subjects = {message["To"]: message["Subject"] for message in platform.inbox.messages}
    assert subjects[manager.email].endswith(": 2")
    assert subjects[people[0]].endswith(": 3")
    assert "<script>" not in platform.inbox.messages[0].get_body(("html",)).get_content()
    assert recipients(platform) == sorted([*people, manager.email, new.email, alone.email])
    assert onboarding(now=platform.now + timedelta(hours=5))["mailed"] == 0
    assert onboarding(now=platform.now + timedelta(days=1), tenant_id=rows.tenant().pk)["mailed"] == 0
    assert onboarding(now=platform.now + timedelta(days=1))["mailed"] == 5


def test_probations_are_announced_and_closed(platform: Any) -> None:
    owner, today = rows.tenant(), platform.now.date()
    manager = employee(owner)
    ends = {days: today + timedelta(days=days) for days in (-400, -1, 0, 1, 7, 8)}
    made = {
        days: employee(owner, manager=manager, state="probation", probation_ends_on=day)
        for days, day in ends.items()
    }
    confirmed = employee(owner, state="active", probation_ends_on=today)
    employee(owner, state="left", probation_ends_on=ends[-1])
    without = employee(owner, state="probation")
    summary = probation(now=platform.now)
    assert (summary["looked_at"], summary["written"], summary["closed"]) == (3, 6, 2)
    assert recipients(platform) == sorted([manager.email, owner.email] * 3)
    states = dict(Employee.objects.values_list("pk", "state"))
    assert {days: states[row.pk] for days, row in made.items()} == {
        -400: "active",
        -1: "active",
        **dict.fromkeys((0, 1, 7, 8), "probation"),
    }
    assert (states[confirmed.pk], states[without.pk]) == ("active", "probation")
    # Tomorrow one has ended, one ends on the day, one comes near; who comes near was announced already.
    summary = probation(now=platform.now + timedelta(days=1))
    assert (summary["looked_at"], summary["written"], summary["closed"]) == (3, 4, 1)


def test_managers_are_reminded_of_time_off_that_waits(platform: Any) -> None:
    owner = rows.tenant()
    manager = employee(owner)
    person, alone = employee(owner, manager=manager), employee(owner)
    for who, days, state in (
        (person, 2.1, "pending"),
        (person, 30, "pending"),
        (person, 2, "pending"),
        (person, 9, "approved"),
        (alone, 9, "pending"),
        (employee(owner, state="left"), 9, "pending"),
    ):
        TimeOffRequest.objects.create(
            employee=who,
            state=state,
            starts_on=date(2027, 1, 4),
            ends_on=date(2027, 1, 5),
            requested_at=platform.now - timedelta(days=days),
        )
    summary = time_off(now=platform.now)
    assert (summary["looked_at"], summary["mailed"]) == (3, 2)
    subjects = {message["To"]: message["Subject"] for message in platform.inbox.messages}
    assert subjects == {
        manager.email: "Time-off requests that wait for you: 2",
        owner.email: "Time-off requests that wait for you: 1",
    }
    assert time_off(now=platform.now)["mailed"] == 0
    assert time_off(now=platform.now, days=20, tenant_id=rows.tenant().pk)["looked_at"] == 0


def test_anniversaries(platform: Any) -> None:
    owner = rows.tenant()
    manager = employee(owner)
    todays = [
        employee(owner, hired_on=date(year, 11, 22), manager=manager).email for year in (2025, 2013, 1960)
    ]
    for hired in (date(2026, 11, 22), date(2027, 11, 22), date(2025, 11, 21), date(2025, 11, 23)):
        employee(owner, hired_on=hired)
    employee(owner, hired_on=date(2016, 11, 22), state="left")
    for hired in (date(2021, 12, 6), date(2016, 11, 23), date(2011, 12, 1), date(2006, 12, 1)):
        employee(owner, hired_on=hired, manager=manager, name=rows.HOSTILE[1])
    for hired in (date(2021, 12, 7), date(2020, 12, 1), date(2001, 12, 1)):
        employee(owner, hired_on=hired, manager=manager)
    summary = anniversary(now=platform.now)
    assert (summary["congratulated"], summary["announced"], summary["mailed"]) == (3, 6, 9)
    assert recipients(platform) == sorted(todays + [manager.email, owner.email] * 3)
    assert anniversary(now=platform.now + timedelta(hours=3))["mailed"] == 0
    # Two had 1 December in common. Now 7 December comes near, and two of 23 November have their day.
    summary = anniversary(now=platform.now + timedelta(days=1))
    assert (summary["congratulated"], summary["announced"]) == (2, 2)
    assert anniversary(now=platform.now + timedelta(days=1), tenant_id=rows.tenant().pk)["looked_at"] == 0


# day, hired on, years
DAYS = (
    (date(2026, 2, 28), date(2024, 2, 29), 2),
    (date(2028, 2, 28), date(2024, 2, 29), None),
    (date(2028, 2, 29), date(2024, 2, 29), 4),
    (date(2028, 2, 29), date(2023, 2, 28), None),
    (date(2026, 2, 28), date(2025, 2, 28), 1),
    (date(2026, 3, 1), date(2024, 2, 29), None),
)


@pytest.mark.parametrize(("day", "hired", "years"), DAYS)
def test_the_anniversary_of_a_leap_day(day: date, hired: date, years: int | None) -> None:
    assert anniversaries.hired_on(day).get(hired) == years


def test_documents_expire_with_their_deadline(platform: Any) -> None:
    owner, other = rows.tenant(), rows.tenant()

    def document(state: str, sign_by: datetime | None, tenant: Tenant = owner) -> Document:
        return Document.objects.create(
            tenant=tenant, title="Contract", size=1, state=state, created_at=platform.now, sign_by=sign_by
        )

    late = document("pending", platform.now)
    second = timedelta(seconds=1)
    kept = [document("pending", platform.now + second), document("pending", None)]
    kept += [document(state, platform.now - second) for state in ("signed", "stored")]
    document("pending", platform.now - second, other)
    assert hr_core.expire_pending_documents(now=platform.now, tenant_id=owner.pk)["expired"] == 1
    assert Document.objects.get(state="expired").pk == late.pk
    assert hr_core.expire_pending_documents(now=platform.now)["expired"] == 1
    assert Document.objects.exclude(state="expired").count() == len(kept)
