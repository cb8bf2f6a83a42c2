"""Campaigns batch by batch, conversion, scores, and the two sides of the subscribers' list."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from tasks.base import metrics
from tasks.base.errors import MailingRefused
from tasks.marketing import mailing_list
from tasks.marketing import tasks as marketing
from tasks.models import Campaign, CampaignMessage, Lead, Metric, Subscriber, Visit
from tasks.provider import lists
from tests.integration.tasks import rows

HOUR = timedelta(hours=1)


def lead(now: datetime, **more: Any) -> Lead:
    number = Lead.objects.count()
    return Lead.objects.create(**{"email": f"l{number}@x.example", "created_at": now} | more)


def campaign(starts_at: datetime, **more: Any) -> Campaign:
    values = {"name": "Hire faster", "subject": "Hire faster", "body": "One.\nTwo.", "batch_size": 2}
    return Campaign.objects.create(starts_at=starts_at, **values | more)


def visit(at: datetime, kind: str = "page", **more: Any) -> Visit:
    return Visit.objects.create(at=at, kind=kind, **{"visitor": "v", "path": "/"} | more)


# --- campaigns ---


def test_a_campaign_starts_when_it_is_due_and_goes_batch_by_batch(platform: Any) -> None:
    now = platform.now
    people = [lead(now, score=score) for score in (10, None, 90)]
    running, later = campaign(now), campaign(now + HOUR)
    summary = marketing.process_scheduled_campaigns(now=now)
    assert (summary["started"], summary["written"], summary["mailed"], summary["done"]) == (1, 2, 2, 0)
    running.refresh_from_db()
    assert (running.state, running.started_at) == ("running", now)
    assert [m["To"] for m in platform.inbox.messages] == [people[2].email, people[0].email]  # best first
    for minutes in (0, 29.9):  # delivered again, or sent by hand: the same hour is one batch
        again = marketing.process_scheduled_campaigns(now=now + timedelta(minutes=minutes))
        assert (again["started"], again["written"], again["mailed"]) == (0, 0, 0)
    summary = marketing.process_scheduled_campaigns(now=now + HOUR)
    assert (summary["started"], summary["written"], summary["done"]) == (1, 3, 1)
    running.refresh_from_db()
    assert (running.state, running.done_at) == ("done", now + HOUR)
    later.refresh_from_db()
    assert later.state == "running"
    assert CampaignMessage.objects.filter(campaign=running).count() == 3
    assert marketing.process_scheduled_campaigns(now=now + 2 * HOUR)["done"] == 1


def test_a_campaign_reaches_who_is_worth_it_and_wants_it(platform: Any) -> None:
    now = platform.now
    good, bad, unknown, left = (lead(now, score=score) for score in (50, 49.9, None, 99))
    Subscriber.objects.create(email=left.email, state="unsubscribed", changed_at=now)
    Subscriber.objects.create(email=good.email, changed_at=now)
    campaign(now, least_score=50, batch_size=10)
    assert marketing.process_scheduled_campaigns(now=now)["mailed"] == 1
    assert CampaignMessage.objects.get().lead == good
    assert {bad.pk, unknown.pk}.isdisjoint(CampaignMessage.objects.values_list("lead", flat=True))


def test_a_campaign_that_was_killed_before_its_mail_left_sends_it_once(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        lead(platform.now, name=rows.HOSTILE[0])
    campaign(platform.now)

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(marketing.mail, "deliver", killed)
        with pytest.raises(KeyboardInterrupt):
            marketing.process_scheduled_campaigns(now=platform.now)
    assert marketing.process_scheduled_campaigns(now=platform.now)["mailed"] == 2
    assert len(platform.inbox.messages) == CampaignMessage.objects.count() == 2
    assert "<script>" not in platform.inbox.messages[0].get_body(("html",)).get_content()


# --- conversion ---


def test_conversion_is_of_yesterday(platform: Any) -> None:
    first, after = metrics.midnight(date(2026, 11, 21)), metrics.midnight(date(2026, 11, 22))
    tick = timedelta(microseconds=1)
    for at in (first - tick, after):
        visit(at, visitor="other")
        lead(at, signed_up_at=at, subscribed_at=at)
    for visitor in ("a", "a", "b", "c", "d"):
        visit(first, visitor=visitor)
    visit(first, kind="open", visitor="e")
    lead(first, signed_up_at=first, subscribed_at=after - tick)
    lead(first, signed_up_at=after - tick)
    summary = marketing.calculate_conversion_metrics(now=platform.now)
    assert summary["figures"] == {
        "funnel.visitors": 4,
        "funnel.sign_ups": 2,
        "funnel.subscriptions": 1,
        "funnel.visit_to_sign_up": 0.5,
        "funnel.sign_up_to_subscription": 0.5,
    }
    stored = Metric.objects.filter(tenant=None, period="day", start="2026-11-21")
    assert dict(stored.values_list("name", "value")) == summary["figures"]


def test_without_anybody_there_is_no_rate(platform: Any) -> None:
    summary = marketing.calculate_conversion_metrics(now=platform.now)
    assert summary["figures"] == {"funnel.visitors": 0, "funnel.sign_ups": 0, "funnel.subscriptions": 0}


def test_old_visits_go(platform: Any) -> None:
    for days in (0, 90, 90.01, 300):
        visit(platform.now - timedelta(days=days))
    assert marketing.cleanup_old_visits(now=platform.now) == {"deleted": 2, "left": 2, "skipped": 0}


# --- scores ---


@pytest.mark.parametrize(
    ("visits", "company", "size", "score"),
    [
        ({}, "", None, 0),
        ({}, "Some", None, 5),
        ({"page": 3}, "", None, 6),
        ({"page": 15, "open": 5, "download": 2}, "Big", 200, 100),
        ({"page": 50, "open": 50, "download": 50}, "Big", 1999, 100),
        ({"open": 1, "download": 1}, "Huge", 2000, 29),
        ({}, "Tiny", 9, 0),
    ],
)
def test_a_score_counts_what_a_lead_did_and_its_company(
    visits: dict[str, int], company: str, size: int | None, score: float, platform: Any
) -> None:
    person = lead(platform.now, company=company, company_size=size)
    for kind, count in visits.items():
        for _ in range(count):
            visit(platform.now - timedelta(days=89.9), kind, lead=person)
    visit(platform.now - timedelta(days=90), "download", lead=person)
    visit(platform.now + timedelta(seconds=1), "download", lead=person)
    customer = lead(platform.now, subscribed_at=platform.now, company_size=200)
    summary = marketing.calculate_lead_scores(now=platform.now)
    assert summary == {"looked_at": 1, "scored": 1, "skipped": 0}
    person.refresh_from_db()
    customer.refresh_from_db()
    assert (person.score, person.scored_at, customer.score) == (score, platform.now, None)


# --- the mailing provider ---


def member(platform: Any, email: str) -> dict[str, Any] | None:
    return platform.provider.store.find("member", lists.member_id("newsletter", email))


def leave(platform: Any, email: str, at: datetime) -> None:
    """Somebody clicks "unsubscribe" in a mail of the provider's."""
    mailing_list.push([mailing_list.Member(email, "", subscribed=False)])
    platform.provider.store.put(member(platform, email) | {"last_changed": at.isoformat()})


def test_new_and_removed_subscribers_are_pushed(platform: Any) -> None:
    now = platform.now
    told = Subscriber.objects.create(email="told@x.example", changed_at=now - HOUR, synced_at=now - HOUR)
    changed = [
        Subscriber.objects.create(email="new@x.example", name=rows.HOSTILE[1][:200], changed_at=now),
        Subscriber.objects.create(
            email="gone@x.example", state="unsubscribed", changed_at=now, synced_at=now - HOUR
        ),
    ]
    summary = marketing.sync_newsletter_subscribers(now=now)
    assert (summary["looked_at"], summary["pushed"], summary["unsubscribed"]) == (2, 2, 0)
    assert member(platform, "new@x.example")["status"] == "subscribed"
    assert member(platform, "new@x.example")["merge_fields"]["FNAME"] == rows.HOSTILE[1][:200]
    assert member(platform, "gone@x.example")["status"] == "unsubscribed"
    assert member(platform, told.email) is None
    assert set(Subscriber.objects.filter(synced_at=now)) == set(changed)
    assert marketing.sync_newsletter_subscribers(now=now)["looked_at"] == 0


def test_the_later_word_wins(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailing_list, "PAGE", 1)  # several pages
    now = platform.now
    for name, age in (("left", 5), ("back", 1)):
        Subscriber.objects.create(email=f"{name}@x.example", changed_at=now - age * HOUR)
        leave(platform, f"{name}@x.example", now - 3 * HOUR)
    Subscriber.objects.create(email="same@x.example", state="unsubscribed", changed_at=now - 5 * HOUR)
    leave(platform, "same@x.example", now - 3 * HOUR)
    leave(platform, "unknown@x.example", now)
    summary = marketing.sync_newsletter_subscribers(now=now)
    assert (summary["unsubscribed"], summary["pushed"]) == (1, 2)
    left, back, same = Subscriber.objects.order_by("pk")
    assert (left.state, left.changed_at, left.synced_at) == ("unsubscribed", now, now)
    assert (back.state, same.state) == ("subscribed", "unsubscribed")
    assert member(platform, left.email)["status"] == "unsubscribed"  # not subscribed again by an old state
    assert member(platform, back.email)["status"] == "subscribed"
    assert Subscriber.objects.count() == 3


def test_subscribers_are_pushed_in_batches_and_a_refused_one_is_told(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing_list, "BATCH", 2)
    for email in ("a@x.example", "nonsense", "c@x.example"):
        Subscriber.objects.create(email=email, changed_at=platform.now)
    summary = marketing.sync_newsletter_subscribers(now=platform.now)
    assert (summary["looked_at"], summary["pushed"], summary["skipped"]) == (3, 2, 1)
    assert Subscriber.objects.get(synced_at=None).email == "nonsense"


def test_a_run_killed_after_a_batch_was_pushed_pushes_it_again_to_the_same_end(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Subscriber.objects.create(email="a@x.example", changed_at=platform.now)
    push = mailing_list.push

    def killed(members: Any) -> Any:
        push(members)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(mailing_list, "push", killed)
        with pytest.raises(KeyboardInterrupt):
            marketing.sync_newsletter_subscribers(now=platform.now)
    before = member(platform, "a@x.example")
    assert marketing.sync_newsletter_subscribers(now=platform.now)["pushed"] == 1
    assert member(platform, "a@x.example") == before


def test_without_a_provider_nothing_is_told(platform: Any, settings: Any) -> None:
    Subscriber.objects.create(email="a@x.example", changed_at=platform.now)
    settings.STRIPE_API_KEY = ""
    summary = marketing.sync_newsletter_subscribers(now=platform.now)
    assert summary == {"looked_at": 1, "provider": "off", "skipped": 0}
    settings.STRIPE_API_KEY = "sk_live_secret"
    settings.MAILING_API_BASE = platform.provider.url  # its own address needs its own key
    assert marketing.sync_newsletter_subscribers(now=platform.now)["provider"] == "off"
    settings.MAILING_API_KEY = "sk_test_mailing"
    assert marketing.sync_newsletter_subscribers(now=platform.now)["pushed"] == 1


@pytest.mark.parametrize(
    ("status", "error"), [(500, ConnectionError), (429, ConnectionError), (403, MailingRefused)]
)
def test_what_may_pass_is_told_from_what_does_not(
    status: int, error: type[Exception], platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:

    def refuse(*_: Any) -> Any:
        raise lists.Refusal(status, "api_error", "no")

    monkeypatch.setattr("tasks.provider.lists.ROUTES", (("GET", lists.ROUTES[1][1], refuse),))
    with pytest.raises(error, match=r"mailing provider|was refused"):
        marketing.sync_newsletter_subscribers(now=platform.now)


def test_a_provider_that_is_not_there_may_come_back(platform: Any, settings: Any) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(ConnectionError, match="does not answer"):
        marketing.sync_newsletter_subscribers(now=platform.now)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("[]", 400),
        ('{"members": []}', 400),
        (json.dumps({"members": [{}] * 501}), 400),
        ('{"members": [{"email_address": "a@x.example", "status": "perhaps"}]}', 200),
    ],
)
def test_the_stand_in_takes_what_the_provider_would(body: str, status: int, platform: Any) -> None:
    answer = requests.post(
        f"{platform.provider.url}/3.0/lists/newsletter",
        body,
        headers={"Content-Type": "application/json"},
        auth=("any", "sk_test_1"),
        timeout=5,
    )
    assert answer.status_code == status
    assert status != 200 or len(answer.json()["errors"]) == 1


def test_moments_of_the_provider_are_read_as_utc(platform: Any) -> None:
    mailing_list.push([mailing_list.Member("a@x.example", "A", subscribed=False)])
    ((when,),) = (page.values() for page in mailing_list.unsubscribed())
    assert abs(when - datetime.now(UTC)) < timedelta(minutes=1)
