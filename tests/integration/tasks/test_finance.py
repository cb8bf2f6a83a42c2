"""Money that tenants pay: asked for once, booked once, and the ledger sums to zero after everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from tasks import finance, ledger, payments, reconciliation, refunds
from tasks.clock import moment
from tasks.errors import UnknownRow
from tasks.models import (
    Invoice,
    InvoiceLine,
    Payment,
    PaymentAttempt,
    Refund,
    Subscription,
    SubscriptionChange,
    Tenant,
    Transfer,
)
from tests.integration.tasks import billing_rows, rows

FIRST = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def ledger_sums_to_zero(request: pytest.FixtureRequest) -> Iterator[None]:
    if "platform" in request.fixturenames:
        request.getfixturevalue("platform")
    yield
    if "platform" in request.fixturenames:
        assert ledger.imbalance() == {}


def killed(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


# --- invoices of a month ---


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


# --- charges ---


def test_an_invoice_is_charged_once_and_booked(platform: Any) -> None:
    row = billing_rows.subscription(rows.tenant(), platform.now)
    invoice = billing_rows.invoice(row.tenant, platform.now, subscription=row)
    assert finance.process_payment(invoice_id=invoice.pk, now=platform.now)["charged"] == 1
    assert finance.process_payment(invoice_id=invoice.pk, now=platform.now)["left"] == 1
    [intent] = platform.provider.intents()
    payment = Payment.objects.get()
    assert (payment.state, payment.provider_id, payment.retries) == ("succeeded", intent["id"], 0)
    assert (intent["amount"], intent["customer"]) == (19_900, row.provider_customer)
    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_at) == ("paid", platform.now)
    assert dict(Transfer.objects.get().postings.values_list("account", "cents")) == {
        "provider": 19_900,
        f"tenant {row.tenant_id}": -19_900,
    }


@pytest.mark.parametrize("by", ["payment_id", "invoice_id"])
def test_a_charge_whose_worker_was_killed_before_booking_is_one_charge(
    by: str, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = billing_rows.subscription(rows.tenant(), platform.now)
    invoice = billing_rows.invoice(row.tenant, platform.now, subscription=row)
    given = invoice.pk
    if by == "payment_id":
        given = billing_rows.pending(row.tenant, platform.now, asked=False, invoice=invoice).pk
    with monkeypatch.context() as patched:
        patched.setattr(payments, "_apply", killed)
        with pytest.raises(KeyboardInterrupt):
            finance.process_payment(**{by: given}, now=platform.now)
    assert len(platform.provider.intents()) == 1
    assert not Transfer.objects.exists()
    assert finance.process_payment(**{by: given}, now=platform.now)["charged"] == 1
    assert len(platform.provider.intents()) == Transfer.objects.count() == 1
    assert Payment.objects.get().provider_id == platform.provider.intents()[0]["id"]


def at_once(work: Callable[[], Any], times: int = 4) -> list[Any]:
    """The results of the same call in threads that start together."""
    from django.db import connection

    ready = Barrier(times)

    def one(_: int) -> Any:
        ready.wait(10)
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def test_deliveries_at_the_same_time_charge_once(platform: Any) -> None:
    row = billing_rows.subscription(rows.tenant(), platform.now)
    invoice = billing_rows.invoice(row.tenant, platform.now, subscription=row)
    results = at_once(lambda: finance.process_payment(invoice_id=invoice.pk, now=platform.now))
    assert sum(result["charged"] for result in results) == 1
    assert len(platform.provider.intents()) == Payment.objects.count() == Transfer.objects.count() == 1


def test_runs_at_the_same_time_invoice_once(platform: Any) -> None:
    for _ in range(3):
        billing_rows.subscription(rows.tenant(), FIRST)
    assert sum(result["invoiced"] for result in at_once(generate)) == 3
    assert Invoice.objects.count() == InvoiceLine.objects.count() == 3


def test_runs_at_the_same_time_pay_back_once(platform: Any) -> None:
    payment = billing_rows.paid(platform, rows.tenant(), 10_000)
    for _ in range(3):
        refund(payment, 4_000)
    at_once(lambda: finance.process_pending_refunds(now=platform.now))
    finance.process_pending_refunds(now=platform.now)
    assert sent_back(platform) == [4_000, 4_000]


def test_a_declined_charge_is_left_to_the_retries(platform: Any) -> None:
    row = billing_rows.pending(
        rows.tenant(), platform.now, asked=False, payment_method="pm_card_chargeDeclined"
    )
    assert finance.process_payment(row.pk, now=platform.now)["declined"] == 1
    assert finance.process_payment(row.pk, now=platform.now)["left"] == 1
    row.refresh_from_db()
    assert (row.state, row.retries, row.failed_at) == ("failed", 0, platform.now)
    assert len(platform.provider.intents()) == 1


@pytest.mark.parametrize("state", ["void", "paid"])
def test_invoices_that_are_not_owed_are_not_charged(state: str, platform: Any) -> None:
    invoice = billing_rows.invoice(rows.tenant(), platform.now, state=state)
    assert finance.process_payment(invoice_id=invoice.pk, now=platform.now)["left"] == 1
    assert not Payment.objects.exists()


def test_what_to_charge_must_be_said(platform: Any) -> None:
    for given in ({}, {"payment_id": 1, "invoice_id": 1}):
        with pytest.raises(ValueError, match="one of the two"):
            finance.process_payment(**given)
    for name in ("payment", "invoice"):
        with pytest.raises(UnknownRow, match=f"no {name} 4711"):
            finance.process_payment(**{f"{name}_id": 4711})


def test_pending_payments_are_settled_by_what_the_provider_says(platform: Any) -> None:
    owner = rows.tenant()
    slow = billing_rows.pending(owner, platform.now, payment_method="pm_usBankAccount")
    lost = billing_rows.pending(owner, platform.now)
    declined = billing_rows.pending(owner, platform.now, payment_method="pm_card_chargeDeclined")
    never_asked = billing_rows.pending(owner, platform.now, asked=False)
    unknown = billing_rows.pending(owner, platform.now, provider_id="pi_unknown")
    summary = finance.sync_stripe_payments(now=platform.now)
    assert (summary["looked_at"], summary["settled"], summary["declined"]) == (4, 1, 1)
    assert (summary["pending"], summary["skipped_ids"]) == (1, [f"payment {unknown.pk}"])
    cancelled = billing_rows.pending(owner, platform.now)
    payments.settle([slow], platform.now, summary, "settled")
    platform.provider.store.add(
        "payment_intent",
        "pi",
        {"id": "pi_c", "status": "canceled", "metadata": {}, "last_payment_error": None},
    )
    Payment.objects.filter(pk=cancelled.pk).update(provider_id="pi_c")
    summary = finance.sync_stripe_payments(now=platform.now + timedelta(hours=1))
    assert (summary["cancelled"], summary["skipped"]) == (1, 1)
    assert dict(Payment.objects.values_list("pk", "state")) == {
        slow.pk: "succeeded",
        lost.pk: "succeeded",
        declined.pk: "failed",
        never_asked.pk: "pending",
        unknown.pk: "pending",
        cancelled.pk: "cancelled",
    }
    assert Transfer.objects.count() == 2


def test_an_answer_lost_for_longer_than_keys_live_is_looked_for(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = moment()
    owner = rows.tenant()
    charged, unasked = (billing_rows.pending(owner, now - timedelta(hours=30)) for _ in range(2))
    with monkeypatch.context() as patched:
        patched.setattr(payments, "_apply", killed)
        with pytest.raises(KeyboardInterrupt):
            payments.settle([charged], now - timedelta(hours=30), {}, "settled")
    platform.provider.store._db.execute("DELETE FROM answer")  # the provider has forgotten the keys
    assert finance.sync_stripe_payments(now=now)["settled"] == 2
    assert len(platform.provider.intents()) == 2
    about = [intent["metadata"]["payment"] for intent in platform.provider.intents()]
    assert sorted(about) == sorted([str(charged.pk), str(unasked.pk)])


@pytest.mark.parametrize(
    ("retries", "hours", "due"), [(0, 47.9, False), (0, 48, True), (3, 48, True), (4, 900, False)]
)
def test_failed_payments_are_retried_daily_under_their_limit(
    retries: int, hours: float, due: bool, platform: Any
) -> None:
    row = rows.payment(rows.tenant(), platform.now, failed_hours=hours, retries=retries)
    assert finance.retry_failed_payments(now=platform.now)["recovered"] == int(due)
    assert finance.retry_failed_payments(now=platform.now)["looked_at"] == 0
    keys = list(PaymentAttempt.objects.values_list("key", flat=True))
    assert keys == ([f"zumodra-payment-{row.pk}-{retries + 1}"] if due else [])


@pytest.mark.parametrize(
    "task",
    [
        finance.retry_failed_payments,
        finance.sync_stripe_payments,
        finance.sync_stripe_subscriptions,
        finance.process_pending_refunds,
    ],
)
def test_without_a_provider_nothing_is_asked(task: Any, platform: Any, settings: Any) -> None:
    settings.STRIPE_API_KEY = ""
    assert task(now=platform.now)["provider"] == "off"


# --- refunds ---


def refund(payment: Payment, cents: int, **more: Any) -> Refund:
    values = {"state": "approved", "requested_at": payment.created_at}
    number = Refund.objects.count()
    return Refund.objects.create(payment=payment, amount_cents=cents, key=f"refund-{number}", **values | more)


def sent_back(platform: Any) -> list[int]:
    page = platform.provider.store.page("refund", "", {"limit": "100"}, ())["data"]
    return sorted(row["amount"] for row in page)


def test_approved_refunds_go_back_and_are_booked(platform: Any) -> None:
    payment = billing_rows.paid(platform, rows.tenant(), 10_000)
    row, waiting = refund(payment, 4_000), refund(payment, 1_000, state="requested")
    summary = finance.process_pending_refunds(now=platform.now)
    assert (summary["looked_at"], summary["refunded"], summary["cents"]) == (1, 1, 4_000)
    row.refresh_from_db()
    assert (row.state, row.done_at, row.provider_id[:3]) == ("done", platform.now, "re_")
    waiting.refresh_from_db()
    assert waiting.state == "requested"
    assert dict(Transfer.objects.get(key=f"refund {row.pk}").postings.values_list("account", "cents")) == {
        "provider": -4_000,
        f"tenant {payment.tenant_id}": 4_000,
    }
    assert finance.process_pending_refunds(now=platform.now)["looked_at"] == 0
    assert sent_back(platform) == [4_000]


def test_no_more_goes_back_than_was_paid(platform: Any) -> None:
    payment = billing_rows.paid(platform, rows.tenant(), 10_000)
    made = [refund(payment, cents) for cents in (6_000, 4_001, 4_000, 1)]
    summary = finance.process_pending_refunds(now=platform.now)
    assert (summary["refunded"], summary["refused"]) == (2, 2)
    states = dict(Refund.objects.values_list("pk", "state"))
    assert [states[row.pk] for row in made] == ["done", "refused", "done", "refused"]
    assert sent_back(platform) == [4_000, 6_000]
    late = refund(payment, 1)
    finance.process_pending_refunds(now=platform.now)
    late.refresh_from_db()
    assert (late.state, late.detail) == (
        "refused",
        f"1 cents are more than the 0 left of payment {payment.pk}",
    )


def test_the_provider_has_the_last_word(platform: Any) -> None:
    payment = billing_rows.paid(platform, rows.tenant(), 10_000)
    Payment.objects.update(amount_cents=90_000)  # our books are wrong
    row = refund(payment, 10_001)
    assert finance.process_pending_refunds(now=platform.now)["refused"] == 1
    row.refresh_from_db()
    assert "greater than unrefunded amount" in row.detail
    assert sent_back(platform) == []


@pytest.mark.parametrize("keys", ["known", "forgotten"])
def test_a_refund_whose_worker_was_killed_before_booking_goes_back_once(
    keys: str, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = billing_rows.paid(platform, rows.tenant(), 10_000)
    refund(payment, 4_000)
    with monkeypatch.context() as patched:
        patched.setattr(refunds, "_apply", killed)
        with pytest.raises(KeyboardInterrupt):
            finance.process_pending_refunds(now=platform.now)
    assert sent_back(platform) == [4_000]
    assert Refund.objects.get().state == "approved"
    if keys == "forgotten":
        platform.provider.store._db.execute("DELETE FROM answer")
    assert finance.process_pending_refunds(now=platform.now)["refunded"] == 1
    assert sent_back(platform) == [4_000]
    assert Transfer.objects.filter(key__startswith="refund").count() == 1


def test_refunds_of_nothing_are_refused_and_stop_no_other(platform: Any) -> None:
    owner = rows.tenant()
    failed = rows.payment(owner, platform.now, failed_hours=1, created_at=platform.now)
    elsewhere = billing_rows.pending(owner, platform.now, state="succeeded", asked=False)
    unknown = billing_rows.pending(
        owner, platform.now, state="succeeded", asked=False, provider_id="pi_unknown"
    )
    bad = [refund(payment, 5) for payment in (failed, elsewhere, unknown)]
    good = refund(billing_rows.paid(platform, owner), 10)
    summary = finance.process_pending_refunds(now=platform.now)
    assert (summary["refunded"], summary["refused"]) == (1, 3)
    for row in bad:
        row.refresh_from_db()
        assert row.state == "refused"
        assert row.detail
    good.refresh_from_db()
    assert good.state == "done"


def test_what_went_back_before_the_provider_went_away_is_booked(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = billing_rows.paid(platform, rows.tenant(), 10_000)
    for _ in range(3):
        refund(payment, 1_000)
    send, asked = refunds.send, []

    def going_away(row: Refund) -> None:
        asked.append(row)
        if len(asked) > 1:
            raise ConnectionError("gone")
        send(row)

    with monkeypatch.context() as patched:
        patched.setattr(refunds, "send", going_away)
        with pytest.raises(ConnectionError):
            finance.process_pending_refunds(now=platform.now)
    assert Refund.objects.filter(state="done").count() == 1
    assert finance.process_pending_refunds(now=platform.now)["refunded"] == 2
    assert sent_back(platform) == [1_000] * 3


# --- subscriptions: with the provider, and by payments and dates ---


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


def test_everything_together_leaves_the_ledger_at_zero(platform: Any) -> None:
    from tasks import demo

    demo.load(scale=0.2, now=platform.now)
    every = (
        finance.update_subscription_status,
        finance.generate_monthly_invoices,
        finance.sync_stripe_payments,
        finance.retry_failed_payments,
        finance.process_pending_refunds,
        finance.sync_stripe_subscriptions,
    )
    for _ in range(2):
        for task in every:
            assert task(now=platform.now)["skipped"] == 0
    for invoice in Invoice.objects.filter(state="open"):
        for _ in range(2):
            finance.process_payment(invoice_id=invoice.pk, now=platform.now)
    paid = Payment.objects.filter(state="succeeded")
    assert Transfer.objects.filter(key__startswith="payment").count() == paid.count()
    charged = [p.provider_id for p in paid if not p.provider_id.startswith("pi_demo")]
    there = [i["id"] for i in platform.provider.intents() if i["status"] == "succeeded"]
    assert sorted(charged) == sorted(i for i in there if not i.startswith("pi_demo"))
