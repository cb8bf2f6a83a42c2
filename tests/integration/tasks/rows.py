"""Rows for one test, as few as it needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tasks.models import AuditEntry, LoginSession, Payment, Plan, Tenant, User

HOSTILE = (
    "<script>alert('x')</script>&\"'",
    "Ω مرحبا بالعالم עולם 🎉\u202e dlrow",
    "line one\r\nBcc: everyone@example.com\r\n\r\nbody",
    "nul-free \x07 bell \x1b[31m red",
    "' OR 1=1; DROP TABLE tasks_tenant; --",
    "{{ 7|add:7 }}{% now 'Y' %}",
    "long " + "x" * 190,
)


def tenant(name: str = "Alder Labs", **more: Any) -> Tenant:
    plan, _ = Plan.objects.get_or_create(slug="growth", defaults={"name": "Growth", "price_cents": 19_900})
    number = Tenant.objects.count()
    values = {
        "slug": f"tenant-{number}",
        "email": f"owner@tenant-{number}.example",
        "country": "DE",
        "plan": plan,
    }
    return Tenant.objects.create(name=name, **values | more)


def user(owner: Tenant, **more: Any) -> User:
    number = User.objects.count()
    return User.objects.create(
        tenant=owner, **{"email": f"u{number}@x.example", "name": f"User {number}"} | more
    )


def session(
    person: User, now: Any, *, idle_days: float = 0, left_days: float = 1, **more: Any
) -> LoginSession:
    seen = now - timedelta(days=idle_days)
    values = {
        "key": f"{LoginSession.objects.count():064d}",
        "created_at": seen - timedelta(hours=1),
        "last_seen_at": seen,
        "expires_at": now + timedelta(days=left_days),
    }
    return LoginSession.objects.create(user=person, **values | more)


def audit(now: Any, *, days: float, owner: Tenant | None = None, **more: Any) -> AuditEntry:
    return AuditEntry.objects.create(
        tenant=owner, at=now - timedelta(days=days), **{"action": "login"} | more
    )


def payment(owner: Tenant, now: Any, *, failed_hours: float, retries: int = 0, **more: Any) -> Payment:
    values = {
        "amount_cents": 19_900,
        "state": Payment.State.FAILED,
        "payment_method": "pm_card_visa",
        "provider_customer": "cus_1",
        "failed_at": now - timedelta(hours=failed_hours),
        "retries": retries,
    }
    return Payment.objects.create(tenant=owner, **values | more)
