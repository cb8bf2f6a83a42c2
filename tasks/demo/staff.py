"""Time off, onboarding and documents of the employees."""

from __future__ import annotations

from datetime import timedelta

from tasks.demo import words
from tasks.demo.world import World
from tasks.models import Document, OnboardingTask, TimeOffBalance, TimeOffPolicy, TimeOffRequest

REQUESTS = 120  # at scale 1
DOCUMENTS = 250


def make_time_off(world: World) -> int:
    """A policy for each tenant, a balance for each employee, and requests; some have waited for days."""
    dice = world.dice("time off")
    policies = world.save(
        [
            TimeOffPolicy(
                tenant=t,
                name="Vacation",
                days_a_year=dice.choice((20, 24, 25, 30)),
                extra_days=1,
                most_days=60,
            )
            for t in world.tenants
        ]
    )
    of_tenant = {policy.tenant_id: policy for policy in policies}
    there = [e for e in world.employees if e.state != "left"]
    balances = world.save(
        [TimeOffBalance(employee=e, policy=of_tenant[e.tenant_id], days=dice.randint(0, 25)) for e in there]
    )
    requests = []
    for _ in range(world.many(REQUESTS)):
        asked, starts = world.recently(dice, 12), dice.randint(3, 90)
        first = (world.now + timedelta(days=starts)).date()
        state = dice.choice(("pending", "pending", "approved", "approved", "declined"))
        requests.append(
            TimeOffRequest(
                employee=dice.choice(there),
                state=state,
                starts_on=first,
                ends_on=first + timedelta(days=dice.randint(0, 14)),
                requested_at=asked,
                decided_at=None if state == "pending" else asked + timedelta(hours=20),
            )
        )
    world.save(requests)
    return len(policies) + len(balances) + len(requests)


def make_onboarding(world: World) -> int:
    """What is to be done for those hired lately, part of it overdue."""
    dice = world.dice("onboarding")
    rows = [
        OnboardingTask(
            employee=employee,
            title=title,
            owner=owner,
            due_on=employee.hired_on + timedelta(days=3 + 4 * step),
            done_at=world.ago(dice, 0, 5) if dice.random() < 0.5 else None,
        )
        for employee in world.employees
        if employee.state == "probation"
        for step, (title, owner) in enumerate(words.ONBOARDING)
    ]
    world.save(rows)
    return len(rows)


def make_documents(world: World) -> int:
    """Documents, signed and unsigned; some deadlines have passed."""
    dice = world.dice("documents")
    rows = []
    for _ in range(world.many(DOCUMENTS)):
        employee, created = dice.choice(world.employees), world.ago(dice, 1, 90)
        state = dice.choice(("stored", "stored", "pending", "signed"))
        rows.append(
            Document(
                tenant_id=employee.tenant_id,
                employee=employee,
                title=dice.choice(("Contract", "Payslip", "Certificate", "Policy acknowledgement")),
                size=int(dice.lognormvariate(13, 1)),
                state=state,
                created_at=created,
                sign_by=created + timedelta(days=30) if state in ("pending", "signed") else None,
                signed_at=created + timedelta(days=3) if state == "signed" else None,
            )
        )
    world.save(rows)
    return len(rows)
