"""Tenants: warned at their limits, reminded of their trial's end, and charged for each renewal once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks.base.errors import UnknownRow
from tasks.base.money import ledger, payments, subscriptions
from tasks.models import (
    Candidate,
    Document,
    Invitation,
    Invoice,
    Job,
    Payment,
    Subscription,
    Tenant,
    TenantUsage,
    UsageAlert,
)
from tasks.tenants import tasks as tenants
from tasks.tenants import usage
from tests.integration.tasks import billing_rows, rows

renew = tenants.process_subscription_renewal
check = tenants.check_usage_limits


def limited(**limits: int) -> Tenant:
    return rows.tenant(plan=billing_rows.plan(f"small-{Tenant.objects.count()}", **limits))


def running() -> set[tuple[str, str]]:
    return set(UsageAlert.objects.filter(ended_at=None).values_list("resource", "level"))


# --- usage ---


@pytest.mark.parametrize(
    ("used", "limit", "expected"),
    [
        (0, 0, set()),
        (1, 0, {"warning", "reached"}),
        (7, 10, set()),
        (8, 10, {"warning"}),
        (9, 10, {"warning"}),
        (10, 10, {"warning", "reached"}),
        (11, 10, {"warning", "reached"}),
        (99, None, set()),
        (79, 99, set()),  # 79.8 %
    ],
)
def test_levels(used: int, limit: int | None, expected: set[str]) -> None:
    assert usage.levels(used, limit, 80) == expected


def test_limits_are_warned_of_flagged_and_forgotten(platform: Any) -> None:
    owner = limited(user_limit=5)
    people = [rows.user(owner) for _ in range(4)]
    summary = check(now=platform.now)
    assert (summary["warned"], summary["flagged"], summary["mailed"]) == (1, 0, 1)
    assert running() == {("users", "warning")}
    people.append(rows.user(owner))
    assert check(now=platform.now + timedelta(hours=1))["flagged"] == 1
    assert running() == {("users", "warning"), ("users", "reached")}
    subjects = [message["Subject"] for message in platform.inbox.messages]
    assert subjects == ["Alder Labs is near its limit of users", "Alder Labs has reached its limit of users"]
    for person in people[:3]:
        person.is_active = False  # no longer counted
        person.save()
    later = platform.now + timedelta(hours=2)
    assert check(now=later)["ended"] == 2
    assert running() == set()
    assert set(UsageAlert.objects.values_list("ended_at", flat=True)) == {later}


def test_going_to_and_fro_is_one_letter_a_day(platform: Any) -> None:
    owner = limited(user_limit=1)
    person = rows.user(owner)
    for hour in range(6):
        person.is_active = hour % 2 == 0
        person.save()
        check(now=platform.now + timedelta(hours=hour))
    assert len(platform.inbox.messages) == 1  # about the limit reached, none beside it that it is near
    check(now=platform.now + timedelta(days=1))
    person.is_active = True
    person.save()
    check(now=platform.now + timedelta(days=1))
    assert len(platform.inbox.messages) == 2


def test_every_resource_is_held_against_its_own_limit(platform: Any) -> None:
    owner = limited(user_limit=100, job_limit=1, candidate_limit=1, storage_limit_mb=2)
    other = limited(user_limit=100)
    Job.objects.create(tenant=owner, title="open")
    Job.objects.create(tenant=other, title="of another")
    Job.objects.create(tenant=other, title="closed", state="closed")
    Candidate.objects.create(tenant=owner, name="c", email="c@x.example")
    Document.objects.create(tenant=owner, title="d", size=1_000_001, created_at=platform.now)
    check(now=platform.now)
    assert running() == {
        (resource, level)
        for resource in ("open_jobs", "candidates", "storage_mb")
        for level in ("warning", "reached")
    }
    assert set(UsageAlert.objects.values_list("tenant", flat=True)) == {owner.pk}


def test_tenants_that_are_gone_are_not_warned(platform: Any) -> None:
    owner = limited(user_limit=1)
    rows.user(owner)
    check(now=platform.now)
    Tenant.objects.update(state="cancelled")
    assert check(now=platform.now)["ended"] == 2
    assert running() == set()


def test_usage_of_the_day_is_recorded_over_what_was_there(platform: Any) -> None:
    first, second = rows.tenant(), rows.tenant()
    rows.user(first)
    rows.user(first, is_active=False)
    Document.objects.create(tenant=first, title="d", size=1_500_000, created_at=platform.now)
    assert tenants.calculate_tenant_usage(now=platform.now)["recorded"] == 2
    Candidate.objects.create(tenant=first, name="c", email="c@x.example")
    tenants.calculate_tenant_usage(now=platform.now + timedelta(hours=1), tenant_id=first.pk)
    tenants.calculate_tenant_usage(now=platform.now + timedelta(days=1), tenant_id=second.pk)
    columns = ("tenant", "day", "users", "open_jobs", "candidates", "storage_mb")
    day = platform.now.date()
    assert list(TenantUsage.objects.order_by("day", "tenant").values_list(*columns)) == [
        (first.pk, day, 1, 0, 1, 2),
        (second.pk, day, 0, 0, 0, 0),
        (second.pk, day + timedelta(days=1), 0, 0, 0, 0),
    ]


# --- trials and invitations ---


def test_trials_are_reminded_of_once_a_mark(platform: Any) -> None:
    names = {}
    for days in (0, 1, 2, 3, 4, 6, 7, 8):
        names[days] = rows.tenant(f"In {days}", trial_ends_at=platform.now + timedelta(days=days, hours=2))
    subscribed = rows.tenant("Subscribed", trial_ends_at=platform.now + timedelta(days=3))
    billing_rows.subscription(subscribed, platform.now)
    rows.tenant("Active", trial_ends_at=platform.now + timedelta(days=3), state="active")
    for hours in (0, 0, 3):
        tenants.send_trial_reminders(now=platform.now + timedelta(hours=hours))
    assert {message["To"] for message in platform.inbox.messages} == {names[d].email for d in (1, 3, 7)}
    assert len(platform.inbox.messages) == 3
    tenants.send_trial_reminders(now=platform.now + timedelta(days=1))
    assert sorted(message["To"] for message in platform.inbox.messages[3:]) == sorted(
        names[days].email for days in (2, 4, 8)
    )


@pytest.mark.parametrize("name", rows.HOSTILE)
def test_names_do_not_break_out_of_letters(name: str, platform: Any) -> None:
    rows.tenant(name, trial_ends_at=platform.now + timedelta(days=1), email="owner@x.example")
    assert tenants.send_trial_reminders(now=platform.now)["mailed"] == 1
    [message] = platform.inbox.messages
    html = message.get_body(("html",)).get_content()
    assert "<script" not in html
    assert message["Bcc"] is None


def test_trials_that_ended_without_a_subscription_expire(platform: Any) -> None:
    at = {"trial_ends_at": platform.now}
    ended = rows.tenant("Ended", **at)
    cancelled = rows.tenant("Cancelled", **at)
    billing_rows.subscription(cancelled, platform.now, state="cancelled")
    paying = rows.tenant("Paying", **at)
    billing_rows.subscription(paying, platform.now)
    rows.tenant("Later", trial_ends_at=platform.now + timedelta(seconds=1))
    rows.tenant("Never", trial_ends_at=None)
    rows.tenant("Active", state="active", **at)
    assert tenants.expire_trial_tenants(now=platform.now)["expired"] == 2
    expired = set(Tenant.objects.filter(state="expired").values_list("pk", flat=True))
    assert expired == {ended.pk, cancelled.pk}


def test_invitations_expire_and_go(platform: Any) -> None:
    owner = rows.tenant()

    def invite(state: str, ends: float, expired: float | None = None) -> Invitation:
        return Invitation.objects.create(
            tenant=owner,
            email=f"i{Invitation.objects.count()}@x.example",
            state=state,
            created_at=platform.now - timedelta(days=100),
            expires_at=platform.now + timedelta(days=ends),
            expired_at=None if expired is None else platform.now - timedelta(days=expired),
        )

    ended, running_on = invite("pending", 0), invite("pending", 0.1)
    long_ended = invite("pending", -60)  # noticed only now: kept for its 30 days all the same
    recent, accepted = invite("expired", -30, 29.9), invite("accepted", -60)
    gone = [invite("expired", -40, 30), invite("expired", -30)]
    summary = tenants.cleanup_expired_invitations(now=platform.now)
    assert (summary["expired"], summary["purged"]) == (2, len(gone))
    assert dict(Invitation.objects.values_list("pk", "state")) == {
        ended.pk: "expired",
        running_on.pk: "pending",
        long_ended.pk: "expired",
        recent.pk: "expired",
        accepted.pk: "accepted",
    }


# --- renewal ---


def due(platform: Any, **more: Any) -> Subscription:
    values = {
        "period_start": datetime(2026, 10, 20, 8, tzinfo=UTC),
        "period_end": datetime(2026, 11, 20, 8, tzinfo=UTC),
    }
    return billing_rows.subscription(rows.tenant(), platform.now, **values | more)


def test_a_renewal_is_invoiced_charged_booked_and_moves_the_period(platform: Any) -> None:
    row = due(platform)
    summary = renew(row.pk, now=platform.now)
    assert (summary["invoiced"], summary["charged"], summary["renewed"]) == (1, 1, 1)
    row.refresh_from_db()
    assert (row.period_start, row.period_end) == (
        datetime(2026, 11, 20, 8, tzinfo=UTC),
        datetime(2026, 12, 20, 8, tzinfo=UTC),
    )
    invoice = Invoice.objects.get()
    assert (invoice.amount_cents, invoice.state, str(invoice.period)) == (19_900, "paid", "2026-11-01")
    [intent] = platform.provider.intents()
    assert (intent["amount"], intent["status"]) == (19_900, "succeeded")
    assert ledger.imbalance() == {}
    again = renew(row.pk, now=platform.now)
    assert (again["left"], again["charged"]) == (1, 0)
    assert len(platform.provider.intents()) == 1


# Where the worker is killed: after the charge, after the booking, while the invoice is written
@pytest.mark.parametrize(
    ("module", "name"), [(payments, "_apply"), (subscriptions, "advance"), (payments, "of_invoice")]
)
def test_a_renewal_that_was_killed_is_finished_by_the_next_delivery(
    module: Any, name: str, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = due(platform)

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, name, killed)
        with pytest.raises(KeyboardInterrupt):
            renew(row.pk, now=platform.now)
    assert Subscription.objects.get().period_end == row.period_end
    assert renew(row.pk, now=platform.now)["renewed"] == 1
    assert len(platform.provider.intents()) == 1
    assert Payment.objects.get().state == Payment.State.SUCCEEDED
    assert Invoice.objects.get().state == Invoice.State.PAID
    assert ledger.imbalance() == {}


def test_what_the_monthly_run_invoiced_is_not_invoiced_again(platform: Any) -> None:
    row = due(platform)
    billing_rows.invoice(
        row.tenant,
        platform.now,
        subscription=row,
        period=billing_rows.month("2026-11"),
        state="paid",
    )
    summary = renew(row.pk, now=platform.now)
    assert (summary["invoiced"], summary["charged"], summary["renewed"]) == (0, 0, 1)
    assert platform.provider.intents() == []


def test_a_declined_renewal_is_past_due_and_keeps_its_period(platform: Any) -> None:
    row = due(platform, payment_method="pm_card_chargeDeclined")
    Tenant.objects.update(state="active")
    for _ in range(2):
        renew(row.pk, now=platform.now)
    row.refresh_from_db()
    assert (row.state, row.period_end) == ("past_due", datetime(2026, 11, 20, 8, tzinfo=UTC))
    assert Tenant.objects.get().state == "past_due"
    assert len(platform.provider.intents()) == 1  # its retries belong to the retry tasks


@pytest.mark.parametrize(
    "more",
    [
        {"period_end": datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)},
        {"cancel_at_period_end": True},
        {"state": "cancelled"},
    ],
)
def test_what_is_not_to_be_renewed_is_left(more: dict[str, Any], platform: Any) -> None:
    row = due(platform, **more)
    assert renew(row.pk, now=platform.now)["left"] == 1
    assert not Invoice.objects.exists()
    assert platform.provider.intents() == []


def test_a_month_long_past_is_not_charged_for(platform: Any) -> None:
    row = due(
        platform,
        period_start=datetime(2026, 6, 30, tzinfo=UTC),
        period_end=datetime(2026, 7, 31, tzinfo=UTC),
        started_at=datetime(2026, 1, 31, tzinfo=UTC),
    )
    for _ in range(2):
        renew(row.pk, now=platform.now)
    row.refresh_from_db()
    assert (row.period_start, row.period_end) == (
        datetime(2026, 10, 31, tzinfo=UTC),
        datetime(2026, 11, 30, tzinfo=UTC),
    )
    assert len(platform.provider.intents()) == 1


def test_a_renewal_of_nothing_is_said(platform: Any) -> None:
    with pytest.raises(UnknownRow, match="no subscription 4711"):
        renew(4711, now=platform.now)
    row, other = due(platform), rows.tenant()
    with pytest.raises(UnknownRow):
        renew(row.pk, now=platform.now, tenant_id=other.pk)
