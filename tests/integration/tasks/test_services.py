"""The marketplace: contracts by their dates, ratings by their age, and escrows released once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tasks.base.money import ledger
from tasks.models import (
    Contract,
    Escrow,
    Posting,
    Proposal,
    Provider,
    Review,
    Service,
    ServiceRequest,
    ServiceView,
    Transfer,
    User,
)
from tasks.services import escrows, ratings
from tasks.services import tasks as services
from tests.integration.tasks import rows


def service(**more: Any) -> Service:
    person = rows.user(rows.tenant())
    provider = Provider.objects.create(user=person, name=f"Provider {person.pk}")
    return Service.objects.create(**{"provider": provider, "title": "Audit", "price_cents": 500} | more)


def request(person: User, now: datetime, **more: Any) -> ServiceRequest:
    values = {"title": "Wanted", "created_at": now - timedelta(days=90), "active_at": now}
    return ServiceRequest.objects.create(client=person, **values | more)


def proposal(of: Service, now: datetime, person: User | None = None, **more: Any) -> Proposal:
    wanted = request(person or rows.user(rows.tenant()), now)
    values = {"amount_cents": 10_000, "created_at": now - timedelta(days=1)}
    return Proposal.objects.create(request=wanted, service=of, **values | more)


def contract(of: Service, now: datetime, **more: Any) -> Contract:
    """Signed, from yesterday to 20 days ahead."""
    offer = proposal(of, now, state="accepted")
    values = {
        "client": offer.request.client,
        "state": "signed",
        "created_at": now - timedelta(days=2),
        "starts_on": now.date() - timedelta(days=1),
        "ends_on": now.date() + timedelta(days=20),
    }
    values |= more
    values["starts_on"] = min(values["starts_on"], values["ends_on"])
    return Contract.objects.create(proposal=offer, service=of, **values)


def escrow(of: Service, now: datetime, *, booked: bool = True, **more: Any) -> Escrow:
    """On hold until a moment ago, for a contract that is complete."""
    state = more.pop("contract_state", "completed")
    values = {
        "contract": contract(of, now, state=state, completed_at=now),
        "amount_cents": 10_000,
        "fee_cents": 1_000,
        "held_at": now - timedelta(days=9),
        "hold_until": now,
    }
    row = Escrow.objects.create(**values | more)
    if booked:
        held = {"client 1": -row.amount_cents, escrows.account(row.pk): row.amount_cents}
        ledger.book([ledger.Movement(f"escrow {row.pk} held", now, "held", row.currency, held)])
    return row


def released(now: datetime) -> dict[str, Any]:
    return services.process_escrow_releases(now=now)


def balance(account: str) -> int:
    return sum(Posting.objects.filter(account=account).values_list("cents", flat=True))


# --- escrow ---


def test_an_escrow_is_released_to_the_provider_less_the_fee(platform: Any) -> None:
    of = service()
    row = escrow(of, platform.now)
    assert released(platform.now) == {"looked_at": 1, "released": 1, "usd_cents": 10_000, "skipped": 0}
    row.refresh_from_db()
    assert (row.state, row.released_at) == ("released", platform.now)
    assert balance(escrows.account(row.pk)) == 0
    assert balance(escrows.earner(of.provider_id)) == 9_000
    assert balance(escrows.FEES) == 1_000
    assert ledger.imbalance() == {}
    assert released(platform.now + timedelta(days=1))["looked_at"] == 0


@pytest.mark.parametrize(
    "more",
    [
        {"hold": 1},
        {"contract_state": "active"},
        {"contract_state": "overdue"},
        {"contract_state": "cancelled"},
        {"state": "released"},
        {"state": "refunded"},
    ],
)
def test_escrows_that_are_not_ready_stay(more: dict[str, Any], platform: Any) -> None:
    if seconds := more.pop("hold", 0):
        more["hold_until"] = platform.now + timedelta(seconds=seconds)
    row = escrow(service(), platform.now, **more)
    assert released(platform.now)["looked_at"] == 0
    assert balance(escrows.account(row.pk)) == 10_000


# Where the worker is killed: before and after the ledger is written
@pytest.mark.parametrize("after", [False, True])
def test_a_release_that_was_killed_is_done_once(
    after: bool, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = service()
    escrow(of, platform.now)
    book = ledger.book

    def killed(movements: Any) -> int:
        if after:
            book(movements)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "book", killed)
        with pytest.raises(KeyboardInterrupt):
            released(platform.now)
    assert balance(escrows.earner(of.provider_id)) == 0
    assert Escrow.objects.get().state == "held"
    assert released(platform.now)["released"] == 1
    assert balance(escrows.earner(of.provider_id)) == 9_000


def test_two_runs_that_found_the_same_escrow_release_it_once(platform: Any) -> None:
    from tasks.base.summary import Summary

    of = service()
    found = [escrow(of, platform.now)]
    first, second = Summary("released"), Summary("released")
    for summary in (first, second):
        escrows.release(found, platform.now, summary)
    assert (first["released"], second["released"]) == (1, 0)
    # Even an escrow whose state was set back by hand is not paid out again: its account is empty.
    Escrow.objects.update(state="held")
    assert released(platform.now)["skipped"] == 1
    assert balance(escrows.earner(of.provider_id)) == 9_000
    assert Transfer.objects.filter(key__endswith="released").count() == 1


def test_what_the_ledger_does_not_hold_is_not_released(platform: Any) -> None:
    of = service()
    missing = escrow(of, platform.now, booked=False)
    in_euro = escrow(of, platform.now)
    Escrow.objects.filter(pk=in_euro.pk).update(currency="eur")
    good = escrow(of, platform.now, fee_cents=0)
    summary = released(platform.now)
    assert summary["skipped_ids"] == [f"escrow {missing.pk}", f"escrow {in_euro.pk}"]
    assert set(Escrow.objects.filter(state="released")) == {good}
    assert ledger.imbalance() == {}


# --- contracts ---


def test_contracts_follow_their_dates(platform: Any) -> None:
    of, now, today = service(), platform.now, platform.now.date()
    day = timedelta(days=1)
    made = {
        "begins": contract(of, now, starts_on=today),
        "begins later": contract(of, now, starts_on=today + day),
        "unsigned": contract(of, now, state="unsigned"),
        "begins and is late": contract(of, now, ends_on=today - day),
        "last day": contract(of, now, state="active", ends_on=today),
        "late": contract(of, now, state="active", ends_on=today - day),
        "delivered": contract(of, now, state="active", ends_on=today - day, delivered_at=now),
        "delivered late": contract(of, now, state="overdue", ends_on=today - day, delivered_at=now),
        "to be delivered": contract(of, now, state="active", delivered_at=now + day),
        "cancelled": contract(of, now, state="cancelled", delivered_at=now),
    }
    summary = services.update_contract_statuses(now=now)
    assert summary == {"activated": 2, "completed": 2, "overdue": 2, "skipped": 0}
    states = dict(Contract.objects.values_list("pk", "state"))
    assert {name: states[row.pk] for name, row in made.items()} == {
        "begins": "active",
        "begins later": "signed",
        "unsigned": "unsigned",
        "begins and is late": "overdue",
        "last day": "active",
        "late": "overdue",
        "delivered": "completed",
        "delivered late": "completed",
        "to be delivered": "active",
        "cancelled": "cancelled",
    }
    completed = Contract.objects.filter(state="completed").values_list("completed_at", flat=True)
    assert set(completed) == {now}
    again = services.update_contract_statuses(now=now)
    assert not any(again.values())


def test_both_sides_are_reminded_of_contracts(platform: Any) -> None:
    now, today = platform.now, platform.now.date()
    of = service(title=rows.HOSTILE[0])
    kept = [
        contract(of, now, state="unsigned"),
        contract(of, now, ends_on=today),
        contract(of, now, state="active", ends_on=today + timedelta(days=7)),
    ]
    for more in (
        {"ends_on": today + timedelta(days=8)},
        {"ends_on": today - timedelta(days=1), "state": "active"},
        {"ends_on": today, "state": "completed"},
        {"ends_on": today, "state": "active", "delivered_at": now},
    ):
        contract(of, now, **more)
    gone = contract(of, now, state="unsigned")
    User.objects.filter(pk=gone.client_id).update(is_active=False)
    summary = services.send_contract_reminders(now=now)
    assert (summary["looked_at"], summary["mailed"]) == (4, 7)
    sent = [message["To"] for message in platform.inbox.messages]
    assert sent.count(of.provider.user.email) == 4
    assert {row.client.email for row in kept} <= set(sent)
    assert gone.client.email not in sent
    assert "<script" not in platform.inbox.messages[0].get_body(("html",)).get_content()
    platform.inbox.clear()
    services.send_contract_reminders(now=now + timedelta(hours=3))
    assert platform.inbox.messages == []
    # Contracts that nobody signs are reminded of again every week of theirs; here they are two days old.
    services.send_contract_reminders(now=now + timedelta(days=4), tenant_id=kept[0].client.tenant_id)
    assert platform.inbox.messages == []
    services.send_contract_reminders(now=now + timedelta(days=5), tenant_id=kept[0].client.tenant_id)
    assert sorted(m["To"] for m in platform.inbox.messages) == sorted(
        [of.provider.user.email, kept[0].client.email]
    )


# --- proposals, requests, ratings, figures ---


def test_proposals_pending_for_too_long_expire(platform: Any) -> None:
    of = service()
    old = proposal(of, platform.now, created_at=platform.now - timedelta(days=30, seconds=1))
    others = [
        proposal(of, platform.now, created_at=platform.now - timedelta(days=30)),
        proposal(of, platform.now, created_at=platform.now - timedelta(days=90), state="accepted"),
    ]
    assert services.expire_old_proposals(now=platform.now)["expired"] == 1
    old.refresh_from_db()
    assert (old.state, old.decided_at) == ("expired", platform.now)
    assert set(Proposal.objects.exclude(state="expired")) == set(others)


def test_requests_without_activity_close(platform: Any) -> None:
    person = rows.user(rows.tenant())
    idle = request(person, platform.now, active_at=platform.now - timedelta(days=60))
    request(person, platform.now, active_at=platform.now - timedelta(days=59, hours=23))
    request(person, platform.now, active_at=platform.now - timedelta(days=80), state="ordered")
    assert services.cleanup_abandoned_requests(now=platform.now)["closed"] == 1
    closed = ServiceRequest.objects.get(state="closed")
    assert (closed.pk, closed.closed_at) == (idle.pk, platform.now)


def test_recent_reviews_count_more(platform: Any) -> None:
    now, half = platform.now, ratings.HALF_LIFE
    assert ratings.weighted([]) == (None, 0)
    assert ratings.weighted([(5, now), (2, now)]) == (3.5, 2)
    assert ratings.weighted([(5, now), (2, now - half)]) == (4.0, 2)
    assert ratings.weighted([(5, now - 9 * half), (2, now - 10 * half)]) == (4.0, 2)
    assert ratings.weighted([(4, now - timedelta(days=700_000)), (4, now - timedelta(days=735_000))]) == (
        4.0,
        2,
    )


def test_ratings_are_stored_where_they_changed(platform: Any) -> None:
    first, second, third = service(), service(), service()
    for rating, days in ((5, 0), (2, 180), (1, -1)):  # the last one is of tomorrow
        Review.objects.create(
            contract=contract(first, platform.now),
            provider=first.provider,
            rating=rating,
            at=platform.now - timedelta(days=days),
        )
    Provider.objects.filter(pk=third.provider_id).update(rating=5, reviews_counted=1)
    summary = services.calculate_provider_ratings(now=platform.now)
    assert (summary["looked_at"], summary["rated"]) == (3, 2)
    columns = ("pk", "rating", "reviews_counted", "rated_at")
    assert list(Provider.objects.order_by("pk").values_list(*columns)) == [
        (first.provider_id, 4.0, 2, platform.now),
        (second.provider_id, None, 0, None),
        (third.provider_id, None, 0, platform.now),
    ]
    assert services.calculate_provider_ratings(now=platform.now + timedelta(hours=1))["rated"] == 0


def test_views_orders_and_conversion_are_counted(platform: Any) -> None:
    seen, unseen, popular, fresh = (service() for _ in range(4))

    def look(at: Service, times: int, moment: datetime = platform.now) -> None:
        views = [ServiceView(service=at, visitor="v", at=moment) for _ in range(times)]
        ServiceView.objects.bulk_create(views)

    look(seen, 4)
    look(seen, 3, platform.now + timedelta(seconds=1))
    look(popular, 1)
    for of, states in ((seen, ("signed", "cancelled")), (unseen, ("active",)), (popular, ("active",) * 2)):
        for state in states:
            contract(of, platform.now, state=state)
    assert services.update_service_statistics(now=platform.now)["updated"] == 3
    columns = ("pk", "views", "orders", "conversion")
    assert list(Service.objects.order_by("pk").values_list(*columns)) == [
        (seen.pk, 4, 1, 0.25),
        (unseen.pk, 0, 1, None),
        (popular.pk, 1, 2, 1.0),
        (fresh.pk, 0, 0, None),
    ]
    later = platform.now + timedelta(seconds=1)
    assert services.update_service_statistics(now=later)["updated"] == 1
    assert Service.objects.get(counted_at=later).views == 7


@pytest.mark.parametrize(
    "task",
    [
        services.send_contract_reminders,
        services.update_contract_statuses,
        services.process_escrow_releases,
        services.update_service_statistics,
    ],
)
def test_another_tenant_is_left_alone(task: Any, platform: Any) -> None:
    of = service()
    escrow(of, platform.now)
    contract(of, platform.now, state="unsigned")
    contract(of, platform.now, starts_on=platform.now.date())
    summary = task(now=platform.now, tenant_id=rows.tenant().pk)
    assert not any(count for name, count in summary.items() if name != "looked_at")
    summary = task(now=platform.now)
    assert any(count for name, count in summary.items() if name != "looked_at")
