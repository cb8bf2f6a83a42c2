"""Subscriptions: the same here and at the provider, and moved on by payments and dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks.finance import reconciliation
from tasks.finance import tasks as finance
from tasks.models import Invoice, Subscription, Tenant
from tests.integration.tasks import billing_rows, rows
from tests.integration.tasks.interruptions import killed

pytestmark = pytest.mark.usefixtures("balanced")


def sync(platform: Any, **more: Any) -> dict[str, Any]:
    return finance.sync_stripe_subscriptions(**{"now": platform.now} | more)


def theirs(platform: Any, identity: str, **more: Any) -> dict[str, Any]:
    period = {"current_period_start": 1_795_000_000, "current_period_end": 1_796_000_000}
    values = {
        "id": identity,
        "customer": "cus_1",
        "status": "active",
        "cancel_at_period_end": False,
        "canceled_at": None,
        "metadata": {},
        "items": {"object": "list", "has_more": False, "data": [period | more.pop("period", {})]},
    }
    return dict(platform.provider.store.add("subscription", "sub", values | more))


def test_subscriptions_are_reconciled_page_by_page(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "PAGE", 2)
    later = int((platform.now + timedelta(days=60)).timestamp())
    given: dict[str, dict[str, Any]] = {
        "sub_same": {},
        "sub_ended": {"status": "canceled", "canceled_at": 1_700_000_000},
        "sub_late": {"status": "past_due"},
        "sub_leaving": {"cancel_at_period_end": True},
        "sub_moved": {"period": {"current_period_end": later}},
    }
    for identity, more in given.items():
        theirs(platform, identity, **more)
        billing_rows.subscription(rows.tenant(), platform.now, provider_id=identity)
    theirs(platform, "sub_of_somebody_else")
    lost = billing_rows.subscription(rows.tenant(), platform.now, provider_id="sub_lost")
    new = billing_rows.subscription(rows.tenant(), platform.now)
    summary = sync(platform)
    counted = {name: summary[name] for name in ("pages", "looked_at", "updated", "unknown")}
    assert counted == {"pages": 3, "looked_at": 6, "updated": 4, "unknown": 1}
    assert (summary["missing"], summary["registered"]) == (1, 1)
    found = {row.provider_id: row for row in Subscription.objects.all()}
    assert {key: found[key].state for key in given} == {
        "sub_same": "active",
        "sub_ended": "cancelled",
        "sub_late": "past_due",
        "sub_leaving": "active",
        "sub_moved": "active",
    }
    assert found["sub_ended"].cancelled_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert found["sub_leaving"].cancel_at_period_end
    assert found["sub_moved"].period_end == platform.now + timedelta(days=60)
    assert found["sub_same"].period_end == platform.now + timedelta(days=10)  # never back in time
    assert found["sub_lost"].state == lost.state
    new.refresh_from_db()
    assert platform.provider.store.get("subscription", new.provider_id)["metadata"] == {
        "subscription": str(new.pk)
    }
    again = sync(platform)
    assert (again["updated"], again["registered"], again["looked_at"]) == (0, 0, 7)


def test_who_left_here_is_not_charged_there(platform: Any) -> None:
    for number, more in enumerate(({"state": "cancelled"}, {"cancel_at_period_end": True})):
        theirs(platform, f"sub_{number}")
        billing_rows.subscription(rows.tenant(), platform.now, provider_id=f"sub_{number}", **more)
    assert sync(platform)["ended_there"] == 2
    store = platform.provider.store
    assert store.get("subscription", "sub_0")["status"] == "canceled"
    assert store.get("subscription", "sub_1")["cancel_at_period_end"]
    assert sync(platform)["ended_there"] == 0


def test_a_registration_that_was_killed_is_linked(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    row = billing_rows.subscription(rows.tenant(), platform.now)
    with monkeypatch.context() as patched:
        patched.setattr(Subscription.objects, "bulk_update", killed)
        with pytest.raises(KeyboardInterrupt):
            sync(platform)
    [one] = platform.provider.store.page("subscription", "", {"limit": "100"}, ())["data"]
    summary = sync(platform)
    assert (summary["updated"], summary["registered"]) == (1, 0)
    row.refresh_from_db()
    assert row.provider_id == one["id"]


def test_odd_subscriptions_stop_no_other(platform: Any) -> None:
    theirs(platform, "sub_odd", status="bewitched")
    theirs(platform, "sub_late", status="past_due", metadata={"subscription": "²"})
    for identity in ("sub_odd", "sub_late"):
        billing_rows.subscription(rows.tenant(), platform.now, provider_id=identity)
    refused = billing_rows.subscription(rows.tenant(), platform.now, provider_customer="")
    summary = sync(platform)
    assert (summary["updated"], summary["skipped"]) == (1, 2)
    assert f"subscription {refused.pk}" in summary["skipped_ids"]


def states(platform: Any, **more: Any) -> dict[str, Any]:
    return finance.update_subscription_status(**{"now": platform.now} | more)


def test_subscriptions_follow_their_payments_and_dates(platform: Any) -> None:
    now = platform.now
    made: dict[str, Subscription] = {}

    def one(name: str, tenant_state: str = "active", **more: Any) -> Subscription:
        made[name] = billing_rows.subscription(rows.tenant(name, state=tenant_state), now, **more)
        return made[name]

    def owes(row: Subscription, days: float, **more: Any) -> Invoice:
        return billing_rows.invoice(
            row.tenant, now, subscription=row, due_at=now - timedelta(days=days), **more
        )

    owes(one("well"), -0.1)
    owes(one("late"), 0)
    failed = owes(one("declined"), -5)
    rows.payment(failed.tenant, now, failed_hours=1, invoice=failed)
    one("leaving", cancel_at_period_end=True, period_end=now)
    one("staying a little", cancel_at_period_end=True, period_end=now + timedelta(seconds=1))
    owes(one("given up", "past_due", state="past_due"), 30)
    owes(one("not given up", "past_due", state="past_due"), 29.9)
    owes(one("paid up", "past_due", state="past_due"), 9, state="paid")
    ended = now - timedelta(days=1)
    owes(one("renewed", period_end=ended), 1, state="paid", period=billing_rows.month("2026-11"))
    one("in grace", period_end=ended)
    one("out of grace", period_end=now - timedelta(days=3))
    one("converted", "trial")
    one("suspended", "suspended", state="past_due", period_end=now - timedelta(days=9))
    summary = states(platform)
    assert summary == {
        "looked_at": 13,
        "cancelled": 2,
        "renewed": 1,
        "past_due": 3,
        "active": 1,
        "tenants": 7,
        "skipped": 0,
    }
    found = {row.pk: row for row in Subscription.objects.select_related("tenant")}
    assert {name: (found[row.pk].state, found[row.pk].tenant.state) for name, row in made.items()} == {
        "well": ("active", "active"),
        "late": ("past_due", "past_due"),
        "declined": ("past_due", "past_due"),
        "leaving": ("cancelled", "cancelled"),
        "staying a little": ("active", "active"),
        "given up": ("cancelled", "cancelled"),
        "not given up": ("past_due", "past_due"),
        "paid up": ("active", "active"),
        "renewed": ("active", "active"),
        "in grace": ("active", "active"),
        "out of grace": ("past_due", "past_due"),
        "converted": ("active", "active"),
        "suspended": ("past_due", "suspended"),
    }
    assert found[made["leaving"].pk].cancelled_at == now
    renewed = found[made["renewed"].pk]
    assert (renewed.period_start, renewed.period_end) == (ended, ended + timedelta(days=30))
    assert not any(
        states(platform)[name] for name in ("cancelled", "renewed", "past_due", "active", "tenants")
    )


def test_one_tenants_subscriptions_alone(platform: Any) -> None:
    first, second = (
        billing_rows.subscription(
            rows.tenant(), platform.now, cancel_at_period_end=True, period_end=platform.now
        )
        for _ in range(2)
    )
    assert states(platform, tenant_id=second.tenant_id)["cancelled"] == 1
    first.refresh_from_db()
    assert first.state == "active"
    assert Tenant.objects.filter(state="cancelled").count() == 0  # both were on trial
