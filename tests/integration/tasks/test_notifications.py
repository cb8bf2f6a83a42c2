"""Notifications and appointments reach their people: at their time, on their channel, once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tasks.models import Appointment, DigestPreference, Mail, Notification, User
from tasks.notifications import tasks as notifications
from tests.integration.tasks import rows

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def notification(person: User, at: datetime, **more: Any) -> Notification:
    values = {"title": "Offer to approve", "body": "The offer waits.", "deliver_at": at}
    return Notification.objects.create(user=person, **values | more)


def delivered(person: User, at: datetime, **more: Any) -> Notification:
    return notification(person, at, **{"state": "delivered", "delivered_at": at, "attempts": 1} | more)


def failed(person: User, now: datetime, *, attempts: int, minutes: float, **more: Any) -> Notification:
    ago = now - minutes * MINUTE
    values = {"state": "failed", "attempts": attempts, "failed_at": ago, "channel": "email"}
    return notification(person, ago - MINUTE, **values | more)


def states() -> list[str]:
    return list(Notification.objects.order_by("pk").values_list("state", flat=True))


def recipients(platform: Any) -> list[str]:
    return sorted(message["To"] for message in platform.inbox.messages)


def test_what_is_due_is_delivered_on_its_channel(platform: Any) -> None:
    person = rows.user(rows.tenant())
    notification(person, platform.now)
    notification(person, platform.now, channel="email", title=rows.HOSTILE[0], body=rows.HOSTILE[2])
    notification(person, platform.now + timedelta(seconds=1))
    notification(rows.user(person.tenant, is_active=False), platform.now - DAY)
    summary = notifications.process_scheduled_notifications(now=platform.now, batch_size=1)
    assert summary == {"shown": 1, "mailed": 1, "failed": 1, "waiting": 0, "skipped": 0}
    assert states() == ["delivered", "delivered", "scheduled", "failed"]
    shown, mailed, later, absent = Notification.objects.order_by("pk")
    assert (shown.delivered_at, shown.attempts) == (mailed.delivered_at, mailed.attempts) == (platform.now, 1)
    assert (later.delivered_at, later.attempts) == (None, 0)
    assert (absent.failed_at, absent.attempts, absent.detail) == (platform.now, 1, "the user is not active")
    [message] = platform.inbox.messages
    assert (message["To"], message["Bcc"]) == (person.email, None)
    assert "<script>" not in message.get_body(("html",)).get_content()


def test_a_letter_refused_for_good_fails_and_one_deferred_waits(platform: Any) -> None:
    owner = rows.tenant()
    people = [rows.user(owner) for _ in range(3)]
    platform.inbox.refuse = {people[0].email: "550 no such user", people[1].email: "451 later"}
    for person in people:
        notification(person, platform.now, channel="email")
    notification(rows.user(owner, email="no address"), platform.now, channel="email")
    summary = notifications.process_scheduled_notifications(now=platform.now)
    assert (summary["mailed"], summary["failed"], summary["waiting"]) == (1, 2, 1)
    assert states() == ["failed", "scheduled", "delivered", "failed"]
    details = list(Notification.objects.order_by("pk").values_list("detail", flat=True))
    assert details == ["the mail server refuses it", "", "", "no valid address"]
    platform.inbox.refuse.clear()
    assert notifications.process_scheduled_notifications(now=platform.now + MINUTE)["mailed"] == 1
    assert recipients(platform) == sorted(person.email for person in people[1:])


def test_a_mail_server_that_is_down_holds_up_nothing_else(platform: Any, settings: Any) -> None:
    person = rows.user(rows.tenant())
    notification(person, platform.now, channel="email")
    notification(person, platform.now)
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    with pytest.raises(ConnectionError):
        notifications.process_scheduled_notifications(now=platform.now)
    assert states() == ["scheduled", "delivered"]
    settings.EMAIL_PORT = port
    notifications.process_scheduled_notifications(now=platform.now)
    assert states() == ["delivered", "delivered"]
    assert len(platform.inbox.messages) == 1


def test_a_run_leaves_the_letters_of_others_alone(platform: Any) -> None:
    """Else the other, finding its letter in foreign hands, would leave its notification as it is."""
    person = rows.user(rows.tenant())
    platform.inbox.refuse = {person.email: "451 later"}
    notification(person, platform.now, channel="email")
    assert notifications.process_scheduled_notifications(now=platform.now)["waiting"] == 1
    platform.inbox.refuse.clear()
    failed(rows.user(person.tenant), platform.now, attempts=1, minutes=20)
    assert notifications.retry_failed_notifications(now=platform.now)["mailed"] == 1
    assert states() == ["scheduled", "delivered"]
    assert person.email not in recipients(platform)
    assert notifications.process_scheduled_notifications(now=platform.now)["mailed"] == 1
    assert states() == ["delivered", "delivered"]


def test_a_run_killed_after_its_letters_left_sends_none_twice(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.notifications import deliveries

    person = rows.user(rows.tenant())
    notification(person, platform.now, channel="email")

    def killed(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(deliveries, "_settle", killed)
        with pytest.raises(KeyboardInterrupt):
            notifications.process_scheduled_notifications(now=platform.now)
    assert (states(), len(platform.inbox.messages)) == (["scheduled"], 1)
    notifications.process_scheduled_notifications(now=platform.now)
    assert (states(), len(platform.inbox.messages)) == (["delivered"], 1)


# attempts so far, minutes since the last, hours of age; whether it is tried again
PAUSES = [
    (1, 14, 1, False),
    (1, 15, 1, True),
    (2, 29, 1, False),
    (2, 30, 1, True),
    (5, 239, 10, False),
    (5, 240, 10, True),
    (6, 600, 20, False),  # the first and five more
    (1, 60, 23.9, True),
    (1, 60, 24, False),
]


@pytest.mark.parametrize(("attempts", "minutes", "hours", "again"), PAUSES)
def test_failed_ones_are_tried_again_after_growing_pauses(
    attempts: int, minutes: float, hours: float, again: bool, platform: Any
) -> None:
    person = rows.user(rows.tenant())
    row = failed(
        person, platform.now, attempts=attempts, minutes=minutes, deliver_at=platform.now - hours * HOUR
    )
    assert notifications.retry_failed_notifications(now=platform.now)["mailed"] == again
    row.refresh_from_db()
    assert (row.state, row.attempts) == (("delivered", attempts + 1) if again else ("failed", attempts))
    assert len(platform.inbox.messages) == again


def test_a_retry_that_fails_again_writes_a_new_letter_the_next_time(platform: Any) -> None:
    person = rows.user(rows.tenant())
    notification(person, platform.now, channel="email")
    platform.inbox.refuse = {person.email: "550 full"}
    notifications.process_scheduled_notifications(now=platform.now)
    for minutes in (15, 45):
        assert notifications.retry_failed_notifications(now=platform.now + minutes * MINUTE)["failed"] == 1
    platform.inbox.refuse.clear()
    assert notifications.retry_failed_notifications(now=platform.now + 105 * MINUTE)["mailed"] == 1
    assert Notification.objects.get().attempts == Mail.objects.count() == 4
    assert len(platform.inbox.messages) == 1


def test_one_notification_by_e_mail_once(platform: Any) -> None:
    person = rows.user(rows.tenant())
    later = notification(person, platform.now + DAY, channel="email")
    shown = delivered(person, platform.now, title="In the application")
    for row in (later, shown):
        assert notifications.send_email_notification(row.pk, now=platform.now)["mailed"] == 1
        again = notifications.send_email_notification(row.pk, now=platform.now + HOUR)
        assert (again["mailed"], again["already_sent"]) == (0, 1)
    assert [m["Subject"] for m in platform.inbox.messages] == ["Offer to approve", "In the application"]
    later.refresh_from_db()
    assert (later.state, later.delivered_at) == ("delivered", platform.now)
    notifications.process_scheduled_notifications(now=platform.now + 2 * DAY)
    assert len(platform.inbox.messages) == 2


def test_a_notification_that_cannot_be_sent_is_said_to_be_skipped(platform: Any) -> None:
    absent = notification(rows.user(rows.tenant(), is_active=False), platform.now)
    for pk in (absent.pk, 999):
        assert notifications.send_email_notification(pk, now=platform.now)["skipped"] == 1
    assert platform.inbox.messages == []


def test_a_refused_letter_counts_one_attempt_for_one_moment(platform: Any) -> None:
    row = notification(rows.user(rows.tenant(), email="no address"), platform.now, channel="email")
    for _ in range(2):
        notifications.send_email_notification(row.pk, now=platform.now)
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("failed", 1)


def test_the_daily_digest_has_what_is_unread(platform: Any) -> None:
    owner = rows.tenant()
    reader, other, gone, nothing = (rows.user(owner, is_active=n != 2) for n in range(4))
    for person in (reader, gone, nothing):
        DigestPreference.objects.create(user=person, daily=True)
    DigestPreference.objects.create(user=other, weekly=True)
    for person in (reader, other, gone):
        for number in range(12):
            delivered(person, platform.now - (number + 1) * HOUR, title=f"News {number}")
    delivered(reader, platform.now - HOUR, title="read", read_at=platform.now)
    delivered(reader, platform.now - HOUR, title="dismissed", dismissed_at=platform.now)
    delivered(reader, platform.now - 31 * DAY, title="ancient")
    delivered(nothing, platform.now - DAY, read_at=platform.now)
    notification(nothing, platform.now + DAY)
    summary = notifications.send_daily_digest(now=platform.now)
    assert (summary["looked_at"], summary["digests"], summary["mailed"]) == (2, 1, 1)
    [message] = platform.inbox.messages
    assert (message["To"], message["Subject"]) == (reader.email, "12 notifications you have not read")
    text = message.get_body(("plain",)).get_content()
    assert [f"News {n}" in text for n in range(12)] == [True] * 10 + [False] * 2
    assert "2 earlier" in text
    assert not any(word in text for word in ("read\n", "dismissed", "ancient"))


@pytest.mark.parametrize(
    ("task", "same", "following"),
    [
        (notifications.send_daily_digest, 11 * HOUR, 12 * HOUR),
        # a Sunday at noon: its week ends twelve hours later
        (notifications.send_weekly_digest, 11 * HOUR, 13 * HOUR),
    ],
)
def test_one_digest_a_period(task: Any, same: timedelta, following: timedelta, platform: Any) -> None:
    people = [rows.user(rows.tenant()) for _ in range(2)]
    for person in people:
        DigestPreference.objects.create(user=person, daily=True, weekly=True)
        delivered(person, platform.now - HOUR)
    assert task(now=platform.now, tenant_id=people[0].tenant_id)["mailed"] == 1
    assert task(now=platform.now)["mailed"] == 1
    assert task(now=platform.now + same)["mailed"] == 0
    assert recipients(platform) == sorted(person.email for person in people)
    assert task(now=platform.now + following)["mailed"] == 2


def test_the_weekly_digest_has_the_last_seven_days(platform: Any) -> None:
    person = rows.user(rows.tenant(), name=rows.HOSTILE[0])
    DigestPreference.objects.create(user=person, weekly=True)
    delivered(person, platform.now - 7 * DAY, title=rows.HOSTILE[1], read_at=platform.now)
    delivered(person, platform.now - 7 * DAY - MINUTE, title="before")
    assert notifications.send_weekly_digest(now=platform.now)["mailed"] == 1
    [message] = platform.inbox.messages
    assert message["Subject"] == "1 notification this week"
    assert "before" not in message.get_body(("plain",)).get_content()
    assert "<script>" not in message.get_body(("html",)).get_content()


def test_read_and_dismissed_ones_go_by_age(platform: Any) -> None:
    person, other = rows.user(rows.tenant()), rows.user(rows.tenant())
    seen = {"read_at": platform.now}
    kept = [
        delivered(person, platform.now - 90 * DAY, **seen),
        delivered(person, platform.now - 900 * DAY),  # nobody has read it
        failed(person, platform.now, attempts=6, minutes=200_000),
    ]
    gone = [
        delivered(person, platform.now - 90 * DAY - MINUTE, **seen),
        delivered(person, platform.now - 91 * DAY, dismissed_at=platform.now),
        notification(person, platform.now - 91 * DAY, **seen),
    ]
    elsewhere = delivered(other, platform.now - 91 * DAY, **seen)
    summary = notifications.cleanup_old_notifications(now=platform.now, tenant_id=person.tenant_id)
    assert summary["deleted"] == len(gone)
    assert set(Notification.objects.values_list("pk", flat=True)) == {row.pk for row in [*kept, elsewhere]}
    assert notifications.cleanup_old_notifications(now=platform.now)["deleted"] == 1


def appointment(organizer: User, guest: User, starts: datetime, **more: Any) -> Appointment:
    values = {"title": "Salary talk", "starts_at": starts, "ends_at": starts + HOUR}
    return Appointment.objects.create(
        tenant=organizer.tenant, organizer=organizer, guest=guest, **values | more
    )


def test_both_sides_are_reminded_of_what_comes_within_a_day(platform: Any) -> None:
    owner = rows.tenant()
    organizer, guest = rows.user(owner, name=rows.HOSTILE[0]), rows.user(owner, name="Zoë")
    due = [appointment(organizer, guest, platform.now + span) for span in (MINUTE, DAY)]
    left = [
        appointment(organizer, guest, platform.now),
        appointment(organizer, guest, platform.now + DAY + MINUTE),
        appointment(organizer, guest, platform.now + HOUR, state="cancelled"),
        appointment(organizer, guest, platform.now + HOUR, reminded_at=platform.now - HOUR),
    ]
    summary = notifications.send_appointment_reminders(now=platform.now)
    assert (summary["looked_at"], summary["reminded"], summary["mailed"]) == (2, 2, 4)
    assert recipients(platform) == sorted([organizer.email, guest.email] * 2)
    told = dict(Appointment.objects.values_list("pk", "reminded_at"))
    assert {told[row.pk] for row in due} == {platform.now}
    assert [told[row.pk] for row in left] == [None, None, None, platform.now - HOUR]
    to_guest = next(m for m in platform.inbox.messages if m["To"] == guest.email)
    assert "&lt;script&gt;" in to_guest.get_body(("html",)).get_content()
    assert notifications.send_appointment_reminders(now=platform.now)["mailed"] == 0


def test_an_appointment_that_was_moved_is_brought_up_again(platform: Any) -> None:
    organizer, absent = (rows.user(rows.tenant(), is_active=n == 0) for n in range(2))
    row = appointment(organizer, absent, platform.now + HOUR)
    assert notifications.send_appointment_reminders(now=platform.now)["mailed"] == 1
    Appointment.objects.filter(pk=row.pk).update(
        starts_at=platform.now + 3 * HOUR, ends_at=platform.now + 4 * HOUR, reminded_at=None
    )
    assert notifications.send_appointment_reminders(now=platform.now + HOUR)["mailed"] == 1
    assert recipients(platform) == [organizer.email] * 2


def test_letters_of_a_killed_run_leave_with_the_next(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.base import mail

    person = rows.user(rows.tenant())
    appointment(person, rows.user(person.tenant), platform.now + HOUR)

    def killed(*_: Any) -> dict[str, int]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(mail, "deliver", killed)
        with pytest.raises(KeyboardInterrupt):
            notifications.send_appointment_reminders(now=platform.now)
    summary = notifications.send_appointment_reminders(now=platform.now)
    assert (summary["looked_at"], summary["mailed"]) == (0, 2)
