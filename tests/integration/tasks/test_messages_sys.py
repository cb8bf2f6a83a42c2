"""Messages: on their way, unread, counted, suspicious, and put away when they are old."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tasks.base import archives
from tasks.messages_sys import contacts, spam
from tasks.messages_sys import tasks as messages_sys
from tasks.models import (
    Archive,
    ContactSuggestion,
    Conversation,
    EmailNotice,
    Message,
    Participant,
    Tenant,
    User,
)
from tests.integration.tasks import rows

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ADVERT = "Win http://a.example and http://b.example now"


def conversation(*people: User, read_at: datetime | None = None) -> Conversation:
    thread = Conversation.objects.create(
        tenant=people[0].tenant, title="News", created_at="2020-01-01T00:00Z"
    )
    for person in people:
        Participant.objects.create(conversation=thread, user=person, read_at=read_at)
    return thread


def message(thread: Conversation, sender: User | None, at: datetime, **more: Any) -> Message:
    values = {"text": "Could we meet on Thursday?", "sent_at": at}
    return Message.objects.create(conversation=thread, sender=sender, **values | more)


def arrived(thread: Conversation, sender: User | None, at: datetime, **more: Any) -> Message:
    return message(thread, sender, at, **{"state": "delivered", "delivered_at": at, "attempts": 1} | more)


@pytest.fixture
def pair(platform: Any) -> tuple[User, User]:
    owner = rows.tenant()
    return rows.user(owner), rows.user(owner)


def test_messages_move_to_delivered_or_failed(pair: tuple[User, User], platform: Any) -> None:
    sender, _ = pair
    absent = rows.user(sender.tenant, is_active=False)
    here, empty, alone = conversation(*pair), conversation(sender, absent), conversation(sender)
    at = platform.now
    reached = [message(here, sender, at), message(here, None, at), message(empty, None, at)]
    lost = [message(empty, sender, at), message(alone, sender, at)]
    later = message(here, sender, at + MINUTE)
    summary = messages_sys.update_delivery_status(now=at)
    assert summary == {"recovered": 0, "failed_again": 0, "delivered": 3, "failed": 2, "skipped": 0}
    found = {row.pk: row for row in Message.objects.all()}
    assert {(found[m.pk].state, found[m.pk].delivered_at) for m in reached} == {("delivered", at)}
    assert {(found[m.pk].state, found[m.pk].delivered_at) for m in lost} == {("failed", None)}
    assert {(found[m.pk].attempts, found[m.pk].attempted_at) for m in reached + lost} == {(1, at)}
    assert found[later.pk].state == "sent"
    assert not any(messages_sys.update_delivery_status(now=at).values())


# attempts so far, minutes since the last; whether it is tried again
RETRIES = [(1, 4, False), (1, 5, True), (3, 19, False), (3, 20, True), (4, 40, True), (5, 5000, False)]


@pytest.mark.parametrize(("attempts", "minutes", "again"), RETRIES)
def test_failed_deliveries_are_tried_again_after_growing_pauses(
    attempts: int, minutes: int, again: bool, pair: tuple[User, User], platform: Any
) -> None:
    sender, reader = pair
    tried = platform.now - minutes * MINUTE
    state = {"state": "failed", "attempts": attempts, "attempted_at": tried}
    heard = message(conversation(sender, reader), sender, tried, **state)
    unheard = message(conversation(sender), sender, tried, **state)
    summary = messages_sys.update_delivery_status(now=platform.now)
    assert (summary["recovered"], summary["failed_again"]) == (again, again)
    for row in (heard, unheard):
        row.refresh_from_db()
    assert (heard.state, unheard.state) == ("delivered" if again else "failed", "failed")
    assert heard.attempts == unheard.attempts == attempts + again
    assert unheard.attempted_at == (platform.now if again else tried)


def test_who_is_told_of_unread_messages(platform: Any) -> None:
    at = platform.now
    owner = rows.tenant()
    sender, reader, done, gone = (rows.user(owner, is_active=n != 3) for n in range(4))
    thread = conversation(sender, reader, gone)
    Participant.objects.create(conversation=thread, user=done, read_at=at - 61 * MINUTE)
    for minutes in (61, 90, 60):  # the last is not unread for over an hour
        arrived(thread, sender, at - minutes * MINUTE)
    arrived(thread, sender, at - 2 * HOUR, is_spam=True)
    message(thread, sender, at - 2 * HOUR)  # not delivered yet
    arrived(thread, sender, at - 31 * DAY)
    arrived(conversation(reader), reader, at - 2 * HOUR)  # his own
    summary = messages_sys.send_unread_notifications(now=at)
    assert (summary["told"], summary["mailed"]) == (1, 1)
    [letter] = platform.inbox.messages
    assert (letter["To"], letter["Subject"]) == (reader.email, "2 unread messages")
    assert "conversations: 1" in letter.get_body(("plain",)).get_content()
    assert EmailNotice.objects.get().sent_at == at


def test_unread_messages_are_brought_up_at_most_once_in_four_hours(
    pair: tuple[User, User], platform: Any
) -> None:
    sender, reader = pair
    arrived(conversation(*pair, read_at=platform.now - DAY), sender, platform.now - 2 * HOUR)
    moments = (timedelta(), MINUTE, 239 * MINUTE, 240 * MINUTE, 479 * MINUTE, 480 * MINUTE)
    told = [messages_sys.send_unread_notifications(now=platform.now + span)["mailed"] for span in moments]
    assert told == [1, 0, 0, 1, 0, 1]
    assert {letter["To"] for letter in platform.inbox.messages} == {reader.email}
    Participant.objects.update(read_at=platform.now)
    assert messages_sys.send_unread_notifications(now=platform.now + DAY)["mailed"] == 0
    assert EmailNotice.objects.count() == 1


def test_a_run_that_comes_a_little_early_leaves_nobody_out(pair: tuple[User, User], platform: Any) -> None:
    arrived(conversation(*pair), pair[0], platform.now - 2 * HOUR)
    late = timedelta(seconds=2)
    assert messages_sys.send_unread_notifications(now=platform.now + late)["mailed"] == 1
    assert messages_sys.send_unread_notifications(now=platform.now + 4 * HOUR)["mailed"] == 1


def test_conversations_are_counted(pair: tuple[User, User], platform: Any) -> None:
    first, second = pair
    thread, empty = conversation(*pair), conversation(first)
    for hours, sender in ((5, first), (4, first), (3, second), (2, None)):
        arrived(thread, sender, platform.now - hours * HOUR)
    arrived(thread, first, platform.now + HOUR)
    summary = messages_sys.update_conversation_stats(now=platform.now)
    assert summary == {"conversations": 2, "participants": 3, "skipped": 0}
    thread.refresh_from_db()
    assert (thread.messages_counted, thread.active_at) == (4, platform.now - 2 * HOUR)
    people = {p.user_id: p for p in Participant.objects.filter(conversation=thread)}
    assert (people[first.pk].messages_counted, people[first.pk].active_at) == (2, platform.now - 4 * HOUR)
    assert (people[second.pk].messages_counted, people[second.pk].active_at) == (1, platform.now - 3 * HOUR)
    empty.refresh_from_db()
    assert (empty.messages_counted, empty.active_at, empty.counted_at) == (0, None, platform.now)
    assert messages_sys.update_conversation_stats(now=platform.now)["conversations"] == 0
    Message.objects.all().delete()
    messages_sys.update_conversation_stats(now=platform.now + DAY)
    thread.refresh_from_db()
    assert (thread.messages_counted, thread.active_at) == (0, None)


@pytest.mark.parametrize(
    "task", [messages_sys.update_conversation_stats, messages_sys.update_delivery_status]
)
def test_one_tenants_messages_alone(task: Any, platform: Any) -> None:
    owners = [rows.tenant(), rows.tenant()]
    for owner in owners:
        person = rows.user(owner)
        message(conversation(person, rows.user(owner)), person, platform.now)
    before = list(Message.objects.filter(conversation__tenant=owners[1]).values())
    counted = list(Conversation.objects.filter(tenant=owners[1]).values())
    summary = task(now=platform.now, tenant_id=owners[0].pk)
    assert 1 in summary.values()
    assert list(Message.objects.filter(conversation__tenant=owners[1]).values()) == before
    assert list(Conversation.objects.filter(tenant=owners[1]).values()) == counted


def suggested(person: User) -> list[tuple[int, float, str]]:
    found = ContactSuggestion.objects.filter(user=person).order_by("-score", "contact")
    return list(found.values_list("contact", "score", "reason"))


def test_contacts_come_from_conversations_and_employers(platform: Any) -> None:
    owner, elsewhere = rows.tenant(), rows.tenant()
    me, colleague, close = (rows.user(owner, last_login_at=platform.now) for _ in range(3))
    friend, stranger = rows.user(elsewhere), rows.user(rows.tenant())
    absent = rows.user(owner, is_active=False)
    for people in ((me, friend), (me, friend, close), (me, absent)):
        conversation(*people)
    summary = messages_sys.generate_contact_suggestions(now=platform.now)
    assert (summary["looked_at"], summary["removed"]) == (5, 0)
    assert suggested(me) == [
        (friend.pk, 4.0, "2 shared conversations"),
        (close.pk, 3.0, "1 shared conversation, the same employer"),
        (colleague.pk, 1.0, "the same employer"),
    ]
    assert suggested(stranger) == []
    assert suggested(colleague) == [(me.pk, 1.0, "the same employer"), (close.pk, 1.0, "the same employer")]
    again = messages_sys.generate_contact_suggestions(now=platform.now + DAY)
    assert (again["added"], again["changed"], again["removed"]) == (0, 0, 0)


def test_suggestions_follow_what_changes(platform: Any) -> None:
    me, friend, other = (rows.user(rows.tenant()) for _ in range(3))
    conversation(me, friend)
    messages_sys.generate_contact_suggestions(now=platform.now)
    conversation(me, friend)
    User.objects.filter(pk=other.pk).update(tenant=me.tenant)
    summary = messages_sys.generate_contact_suggestions(now=platform.now + DAY)
    assert (summary["added"], summary["changed"]) == (2, 2)
    assert suggested(me) == [
        (friend.pk, 4.0, "2 shared conversations"),
        (other.pk, 1.0, "the same employer"),
    ]
    assert ContactSuggestion.objects.get(user=me, contact=friend).created_at == platform.now
    User.objects.filter(pk=friend.pk).update(is_active=False)
    assert messages_sys.generate_contact_suggestions(now=platform.now + 2 * DAY)["removed"] == 1
    assert [contact for contact, *_ in suggested(me)] == [other.pk]


def test_suggestions_do_not_grow_with_the_square(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "CROWD", 3)
    owner = rows.tenant()
    team = [rows.user(owner, last_login_at=platform.now - n * DAY) for n in range(14)]
    outsiders = [rows.user(rows.tenant()) for _ in range(4)]
    conversation(*outsiders)  # a crowd
    messages_sys.generate_contact_suggestions(limit=3, now=platform.now)
    assert all(suggested(person) == [] for person in outsiders)
    assert [contact for contact, *_ in suggested(team[13])] == [person.pk for person in team[:3]]
    assert ContactSuggestion.objects.count() == 14 * 3


def test_links_rate_and_repetition_make_spam(pair: tuple[User, User], platform: Any) -> None:
    sender, busy = pair
    thread, at = conversation(*pair), platform.now - HOUR
    advert = message(thread, None, at, text=ADVERT)
    one_link = message(thread, sender, at, text="https://example.com/minutes")
    plain = message(thread, sender, at, text="", is_spam=True)
    flood = [message(thread, busy, at + n * MINUTE, text="Buy my wonderful book today") for n in range(25)]
    later = message(thread, None, platform.now + MINUTE, text=ADVERT)
    summary = messages_sys.detect_spam_messages(now=platform.now)
    assert (summary["scored"], summary["flagged"]) == (28, 26)
    found = {row.pk: row for row in Message.objects.all()}
    assert (found[advert.pk].spam_score, found[advert.pk].is_spam) == (spam.WEIGHT_LINKS, True)
    assert (found[one_link.pk].spam_score, found[one_link.pk].is_spam) == (0, False)
    assert (found[plain.pk].spam_score, found[plain.pk].is_spam) == (0, False)
    assert {found[m.pk].spam_score for m in flood} == {0.6}
    assert (found[later.pk].spam_score, found[later.pk].is_spam) == (None, False)
    assert messages_sys.detect_spam_messages(now=platform.now)["scored"] == 0


@pytest.mark.parametrize(
    ("text", "count", "score"),
    [
        ("Buy my wonderful book today", 3, 0.0),  # repeated, but not often
        ("Buy my wonderful book today", 6, 0.3),  # often, and still nothing else
        ("ok", 9, 0.0),
        ("Note {}: the quarterly figures", 15, 0.15),  # half way between a busy hour and too much
        ("Note {}: the quarterly figures", 10, 0.0),
    ],
)
def test_neither_rate_nor_repetition_alone_is_spam(
    text: str, count: int, score: float, pair: tuple[User, User], platform: Any
) -> None:
    thread = conversation(*pair)
    for n in range(count):
        message(thread, pair[0], platform.now - HOUR + n * MINUTE, text=text.format(n))
    assert messages_sys.detect_spam_messages(now=platform.now)["flagged"] == 0
    assert set(Message.objects.values_list("spam_score", flat=True)) == {score}


def test_hostile_texts_are_scored(pair: tuple[User, User], platform: Any) -> None:
    thread = conversation(*pair)
    for text in (*rows.HOSTILE, "x" * 1_000_000, ADVERT + " " + "y " * 500_000):
        message(thread, pair[0], platform.now, text=text)
    summary = messages_sys.detect_spam_messages(now=platform.now)
    assert (summary["scored"], summary["flagged"]) == (len(rows.HOSTILE) + 2, 0)


@pytest.mark.parametrize("threshold", [0, -1, 1.1])
def test_a_threshold_that_flags_all_or_none_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        messages_sys.detect_spam_messages(threshold=threshold)


def old(owner: Tenant, now: datetime, *days: float) -> list[Message]:
    person = rows.user(owner)
    thread = conversation(person)
    return [arrived(thread, person, now - number * DAY, text=rows.HOSTILE[1]) for number in days]


def test_old_messages_move_into_an_archive_that_goes_in_its_time(platform: Any) -> None:
    mine, others = rows.tenant(), rows.tenant()
    gone = old(mine, platform.now, 731, 1000)
    kept = old(mine, platform.now, 729, 730)
    elsewhere = old(others, platform.now, 900)
    summary = messages_sys.cleanup_old_messages(now=platform.now, tenant_id=mine.pk)
    assert (summary["archived"], summary["deleted"], summary["files"]) == (2, 2, 1)
    left = {row.pk for row in [*kept, *elsewhere]}
    assert set(Message.objects.values_list("pk", flat=True)) == left
    archive = Archive.objects.get()
    assert archive.kind == "messages"
    assert [row["text"] for row in archives.read(archive)] == [rows.HOSTILE[1]] * len(gone)
    path = platform.ARCHIVES / archive.path
    Message.objects.all().delete()
    kept_for = 1826 * DAY
    assert messages_sys.cleanup_old_messages(now=platform.now + kept_for)["files_deleted"] == 0
    assert path.exists()
    summary = messages_sys.cleanup_old_messages(now=platform.now + kept_for + MINUTE)
    assert (summary["files_deleted"], path.exists()) == (1, False)
    archive.refresh_from_db()
    assert archive.state == Archive.State.DELETED
