"""Refunds: sent back once, booked once, never more than was paid."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.finance import refunds
from tasks.finance import tasks as finance
from tasks.models import Payment, Refund, Transfer
from tests.integration.tasks import billing_rows, rows
from tests.integration.tasks.interruptions import at_once, killed

pytestmark = pytest.mark.usefixtures("balanced")


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


def test_runs_at_the_same_time_pay_back_once(platform: Any) -> None:
    payment = billing_rows.paid(platform, rows.tenant(), 10_000)
    for _ in range(3):
        refund(payment, 4_000)
    at_once(lambda: finance.process_pending_refunds(now=platform.now))
    finance.process_pending_refunds(now=platform.now)
    assert sent_back(platform) == [4_000, 4_000]
