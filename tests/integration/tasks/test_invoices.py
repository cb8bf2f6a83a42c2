"""Invoices of a month, pro rata where plans change, once each; and reminders of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks.finance import tasks as finance
from tasks.models import Invoice, InvoiceLine, Subscription, SubscriptionChange
from tests.integration.tasks import billing_rows, rows
from tests.integration.tasks.interruptions import at_once, killed

pytestmark = pytest.mark.usefixtures("balanced")
FIRST = datetime(2026, 12, 1, tzinfo=UTC)


def generate(**more: Any) -> dict[str, Any]:
    return finance.generate_monthly_invoices(**{"now": FIRST} | more)


def change(row: Subscription, at: datetime, old: Any, new: Any) -> None:
    SubscriptionChange.objects.create(subscription=row, at=at, old_plan=old, new_plan=new)


def amounts() -> list[int]:
    return list(InvoiceLine.objects.order_by("pk").values_list("amount_cents", flat=True))


def test_one_invoice_a_month_for_each_active_subscription(platform: Any) -> None:
    active = billing_rows.subscription(rows.tenant(), FIRST)
    billing_rows.invoice(
        active.tenant, FIRST, subscription=active, period=billing_rows.month("2026-11"), state="paid"
    )
    for state in ("past_due", "cancelled", "trialing"):
        billing_rows.subscription(rows.tenant(), FIRST, state=state)
    billing_rows.subscription(rows.tenant(), FIRST, started_at=FIRST + timedelta(days=40))
    assert generate()["invoiced"] == 1
    for at in (FIRST, FIRST + timedelta(days=20)):
        assert generate(now=at)["invoiced"] == 0
    made = Invoice.objects.get(period=billing_rows.month("2026-12"))
    assert (made.subscription, made.amount_cents, made.state) == (active, 19_900, "open")
    assert (made.issued_at, made.due_at) == (FIRST, FIRST + timedelta(days=14))
    assert amounts() == [19_900]
    assert generate(now=FIRST + timedelta(days=31))["invoiced"] == 1


# A month of 30 days: from the 16th at midnight on, half of November is left.
@pytest.mark.parametrize(
    ("invoiced_on", "changed_on", "expected"),
    [
        (1, 16, [-5_000, 15_000, 30_000]),  # after November's invoice: settled up on December's
        (20, 16, [30_000]),  # November's invoice knew of it already
        (None, 16, [5_000, 15_000, 30_000]),  # started on the 1st and never invoiced
    ],
)
def test_a_change_of_plan_is_pro_rated(
    invoiced_on: int | None, changed_on: int, expected: list[int], platform: Any
) -> None:
    small, large = billing_rows.plan("small", 10_000), billing_rows.plan("large", 30_000)
    owner = rows.tenant(plan=large)
    row = billing_rows.subscription(owner, FIRST, started_at=datetime(2026, 11, 1, tzinfo=UTC))
    change(row, datetime(2026, 11, changed_on, tzinfo=UTC), small, large)
    if invoiced_on:
        billing_rows.invoice(
            owner,
            FIRST,
            subscription=row,
            period=billing_rows.month("2026-11"),
            issued_at=datetime(2026, 11, invoiced_on, tzinfo=UTC),
            state="paid",
        )
    assert generate()["invoiced"] == 1
    assert amounts() == expected
    assert Invoice.objects.latest("pk").amount_cents == sum(expected)


def test_a_late_run_splits_the_month_where_the_plan_changed(platform: Any) -> None:
    small, large = billing_rows.plan("small", 10_000), billing_rows.plan("large", 30_000)
    row = billing_rows.subscription(rows.tenant(plan=large), FIRST)
    change(row, datetime(2026, 11, 16, tzinfo=UTC), small, large)
    change(row, datetime(2026, 11, 28, tzinfo=UTC), large, small)  # not known yet
    at = datetime(2026, 11, 22, tzinfo=UTC)
    billing_rows.invoice(row.tenant, at, subscription=row, period=billing_rows.month("2026-10"), state="paid")
    generate(now=at)
    assert amounts() == [5_000, 15_000]


def test_who_leaves_within_the_month_pays_until_then(platform: Any) -> None:
    row = billing_rows.subscription(
        rows.tenant(plan=billing_rows.plan("large", 31_000)),
        FIRST,
        cancel_at_period_end=True,
        period_end=datetime(2026, 12, 11, tzinfo=UTC),
    )
    billing_rows.invoice(row.tenant, FIRST, subscription=row, period=billing_rows.month("2026-11"))
    generate()
    assert amounts() == [10_000]


def test_a_credit_larger_than_the_invoice_is_carried_on(platform: Any) -> None:
    small, large = billing_rows.plan("small", 1_000), billing_rows.plan("large", 30_000)
    row = billing_rows.subscription(rows.tenant(plan=small), FIRST)
    billing_rows.invoice(
        row.tenant,
        FIRST,
        subscription=row,
        period=billing_rows.month("2026-11"),
        issued_at=datetime(2026, 11, 1, tzinfo=UTC),
        state="paid",
    )
    change(row, datetime(2026, 11, 16, tzinfo=UTC), large, small)
    generate()
    made = Invoice.objects.latest("pk")
    assert (made.amount_cents, made.state) == (0, "paid")
    assert amounts() == [-15_000, 500, 1_000, 13_500]
    generate(now=datetime(2027, 1, 1, tzinfo=UTC))
    assert amounts()[4:] == [1_000, -13_500, 12_500]


def test_a_plan_in_another_currency_is_for_a_person(platform: Any) -> None:
    euro = billing_rows.plan("euro", 10_000, currency="eur")
    bad = billing_rows.subscription(rows.tenant(), FIRST)
    change(bad, datetime(2026, 11, 16, tzinfo=UTC), euro, bad.plan)
    billing_rows.subscription(rows.tenant(), FIRST)
    summary = generate()
    assert (summary["invoiced"], summary["skipped_ids"]) == (1, [f"subscription {bad.pk}"])


def test_invoices_of_a_run_that_was_killed_have_all_their_lines(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    billing_rows.subscription(rows.tenant(), FIRST)
    with monkeypatch.context() as patched:
        patched.setattr(InvoiceLine.objects, "bulk_create", killed)
        with pytest.raises(KeyboardInterrupt):
            generate()
    assert not Invoice.objects.exists()
    assert generate()["invoiced"] == 1
    assert amounts() == [19_900]


def test_runs_at_the_same_time_invoice_once(platform: Any) -> None:
    for _ in range(3):
        billing_rows.subscription(rows.tenant(), FIRST)
    assert sum(result["invoiced"] for result in at_once(generate)) == 3
    assert Invoice.objects.count() == InvoiceLine.objects.count() == 3


def test_invoices_are_reminded_of_on_their_days(platform: Any) -> None:
    owner, other = rows.tenant(rows.HOSTILE[0]), rows.tenant()
    subjects = {}
    for days in (-4, -3, -2, 0, 1, 7, 8, 14, 15):
        row = billing_rows.invoice(owner, platform.now, due_at=platform.now - timedelta(days=days))
        subjects[days] = f"Invoice {row.number} is"
    billing_rows.invoice(owner, platform.now, due_at=platform.now, state="paid")
    billing_rows.invoice(other, platform.now, due_at=platform.now)
    summary = finance.send_invoice_reminders(now=platform.now, tenant_id=owner.pk)
    assert (summary["looked_at"], summary["mailed"]) == (4, 4)
    assert {message["Subject"] for message in platform.inbox.messages} == {
        f"{subjects[-3]} due in 3 days",
        f"{subjects[0]} due today",
        f"{subjects[7]} 7 days overdue",
        f"{subjects[14]} 14 days overdue",
    }
    html = [message.get_body(("html",)).get_content() for message in platform.inbox.messages]
    assert not any("<script" in text for text in html)
    finance.send_invoice_reminders(now=platform.now + timedelta(hours=5), tenant_id=owner.pk)
    assert len(platform.inbox.messages) == 4
