"""A newsletter reaches each subscriber once, however often and wherever its run was ended."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from tasks.base import mail
from tasks.models import Mail, Newsletter, NewsletterDelivery, Subscriber
from tasks.newsletter import tasks as newsletter
from tests.integration.tasks import rows


def readers(now: Any, count: int, **more: Any) -> list[Subscriber]:
    return [
        Subscriber.objects.create(
            email=f"r{Subscriber.objects.count()}@x.example", name=f"Reader {n}", changed_at=now, **more
        )
        for n in range(count)
    ]


def issue(send_at: Any, **more: Any) -> Newsletter:
    values = {"subject": "News", "body": "First.\n\nSecond.", "state": "scheduled"}
    return Newsletter.objects.create(send_at=send_at, **values | more)


def received(platform: Any) -> Counter[str]:
    return Counter(message["To"] for message in platform.inbox.messages)


def test_due_issues_go_to_those_who_subscribe(platform: Any) -> None:
    wanting = readers(platform.now, 3)
    readers(platform.now, 1, state="unsubscribed")
    due = issue(platform.now)
    others = [
        issue(platform.now + timedelta(seconds=1)),
        issue(platform.now, state="draft"),
        issue(platform.now, state="sent"),
        issue(None),
    ]
    before = [(row.state, row.sent_at) for row in others]
    summary = newsletter.send_scheduled_newsletters(now=platform.now)
    assert (summary["looked_at"], summary["written"], summary["sent"], summary["mailed"]) == (1, 3, 1, 3)
    due.refresh_from_db()
    assert (due.state, due.sent_at) == ("sent", platform.now)
    assert [
        (row.state, row.sent_at) for row in Newsletter.objects.exclude(pk=due.pk).order_by("pk")
    ] == before
    assert received(platform) == {reader.email: 1 for reader in wanting}
    assert set(NewsletterDelivery.objects.values_list("newsletter", "subscriber", "sent_at")) == {
        (due.pk, reader.pk, platform.now) for reader in wanting
    }
    text = platform.inbox.messages[0].get_body(("plain",)).get_content()
    assert "Hello Reader 0," in text
    assert text.index("First.") < text.index("Second.") < text.index("unsubscribe")


def test_an_issue_that_was_begun_goes_on_with_those_who_do_not_have_it(platform: Any) -> None:
    first, second = readers(platform.now, 2)
    begun = issue(platform.now - timedelta(hours=3), state="sending")
    NewsletterDelivery.objects.create(newsletter=begun, subscriber=first, sent_at=platform.now)
    newsletter.send_scheduled_newsletters(now=platform.now)
    assert received(platform) == {second.email: 1}


@pytest.mark.parametrize("where", ["write", "deliver", "half the mail"])
def test_a_run_that_was_killed_is_finished_by_the_next(
    where: str, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newsletter, "READERS_AT_ONCE", 2)
    wanting = readers(platform.now, 5)
    issue(platform.now)
    calls = 0

    def killed(*_: Any) -> int:
        nonlocal calls
        calls += 1
        if where == "write" and calls == 1:
            return write(*_)
        raise KeyboardInterrupt

    write = mail.write
    with monkeypatch.context() as patched:
        if where == "half the mail":
            platform.inbox.hang_up_after = 2
            with pytest.raises(OSError, match="closed"):
                newsletter.send_scheduled_newsletters(now=platform.now)
        else:
            patched.setattr(mail, where, killed)
            with pytest.raises(KeyboardInterrupt):
                newsletter.send_scheduled_newsletters(now=platform.now)
    platform.inbox.hang_up_after = None
    assert Newsletter.objects.get().state == "sending"
    if where == "write":  # what was not written has no delivery that would say so
        assert NewsletterDelivery.objects.count() == Mail.objects.count() == 2
    newsletter.send_scheduled_newsletters(now=platform.now)
    assert received(platform) == {reader.email: 1 for reader in wanting}
    assert Newsletter.objects.get().state == "sent"


@pytest.mark.parametrize("state", ["draft", "scheduled", "sending"])
def test_one_issue_is_sent_when_it_is_called_for(state: str, platform: Any) -> None:
    (reader,) = readers(platform.now, 1)
    called = issue(platform.now + timedelta(days=9), state=state)
    other = issue(platform.now)
    assert newsletter.send_newsletter(called.pk, now=platform.now)["mailed"] == 1
    again = newsletter.send_newsletter(newsletter_id=called.pk, now=platform.now)
    assert (again["looked_at"], again["skipped"]) == (0, 0)
    assert received(platform) == {reader.email: 1}
    assert Newsletter.objects.get(pk=other.pk).state == "scheduled"


def test_an_issue_that_is_not_there_is_said_so(platform: Any) -> None:
    summary = newsletter.send_newsletter(404, now=platform.now)
    assert (summary["skipped"], summary["skipped_ids"]) == (1, ["newsletter 404"])


def test_an_address_that_is_none_does_not_stop_the_others(platform: Any) -> None:
    Subscriber.objects.create(email="no address", changed_at=platform.now)
    readers(platform.now, 1)
    issue(platform.now)
    assert newsletter.send_scheduled_newsletters(now=platform.now)["mailed"] == 1
    assert Mail.objects.get(state="refused").recipient == "no address"


def test_no_text_breaks_out_of_the_letter(platform: Any) -> None:
    for text in rows.HOSTILE:
        Subscriber.objects.create(
            email=f"h{Subscriber.objects.count()}@x.example", name=text[:200], changed_at=platform.now
        )
    issue(platform.now, subject=rows.HOSTILE[2][:200], body="\n".join(rows.HOSTILE) + "x" * 1_000_000)
    assert newsletter.send_scheduled_newsletters(now=platform.now)["mailed"] == len(rows.HOSTILE)
    for message in platform.inbox.messages:
        assert message["Bcc"] is None
        page = message.get_body(("html",)).get_content()
        assert "<script>" not in page
        assert len(page) < 100_000


@pytest.mark.parametrize(("days", "gone"), [(365, 1), (10, 2)])
def test_old_statistics_go(days: int, gone: int, platform: Any) -> None:
    (reader,) = readers(platform.now, 1)
    for age, state in ((5, "sent"), (365, "sent"), (365.1, "sent"), (500, "sending")):
        sent_at = platform.now - timedelta(days=age)
        NewsletterDelivery.objects.create(
            newsletter=issue(sent_at, state=state), subscriber=reader, sent_at=sent_at
        )
    summary = newsletter.cleanup_old_statistics(days=days, now=platform.now)
    assert (summary["deleted"], summary["left"]) == (gone, 4 - gone)
    # who has an issue that is still being sent must not be forgotten
    assert NewsletterDelivery.objects.filter(newsletter__state="sending").count() == 1
    assert Newsletter.objects.count() == 4
