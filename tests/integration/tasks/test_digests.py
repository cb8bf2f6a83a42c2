"""Digests tell people of their own tenant, of the right days, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tasks.models import Application, Candidate, Interview, Job, LoginSession, Payment, StageStay, Tenant
from tasks.zumodra import tasks as zumodra
from tests.integration.tasks import rows

DAY = timedelta(days=1)


def activity(owner: Tenant, at: Any, mark: int = 0) -> Application:
    """One of everything at that moment."""
    person = rows.user(owner)
    job = Job.objects.create(tenant=owner, title="Baker", created_at=at)
    Job.objects.create(tenant=owner, title="Smith", created_at=at - 400 * DAY, closed_at=at)
    candidate = Candidate.objects.create(tenant=owner, name="Ada", email=f"c{mark}@x.example", created_at=at)
    application = Application.objects.create(
        tenant=owner, job=job, candidate=candidate, applied_at=at, touched_at=at
    )
    StageStay.objects.create(application=application, stage="hired", entered_at=at)
    for state in ("done", "cancelled"):
        Interview.objects.create(application=application, starts_at=at, state=state)
    for number in range(2):  # the same person twice
        LoginSession.objects.create(
            user=person,
            key=f"{owner.pk} {mark} {number}",
            created_at=at,
            last_seen_at=at,
            expires_at=at + DAY,
        )
    Payment.objects.create(
        tenant=owner, amount_cents=1_234_505, state="succeeded", settled_at=at, payment_method="pm_1"
    )
    return application


def facts(message: Any) -> list[str]:
    """The lines of the letter's text."""
    return message.get_body(("plain",)).get_content().splitlines()


ONE_OF_EACH = {
    "new applications": 1,
    "new candidates": 1,
    "interviews": 1,
    "hires": 1,
    "jobs opened": 1,
    "jobs closed": 1,
    "people who logged in": 1,
}


def shown(message: Any) -> dict[str, int]:
    """The figures in the letter's text."""
    found = {}
    for line in facts(message):
        label, _, value = line.strip().rpartition(" ")
        label = label.strip(" :")
        if label in ONE_OF_EACH:
            found[label] = int(value)
    return found


def test_the_daily_digest_tells_of_yesterday(platform: Any) -> None:
    midnight = platform.now.replace(hour=0)
    owner, other = rows.tenant(rows.HOSTILE[0]), rows.tenant("Birch")
    reader = rows.user(owner, daily_digest=True)
    for mark, at in enumerate(
        (midnight - DAY, midnight, midnight - DAY - timedelta(microseconds=1), platform.now)
    ):
        activity(owner, at, mark)
    activity(other, midnight - timedelta(hours=1))
    quiet = rows.user(rows.tenant("Cedar"), daily_digest=True)
    summary = zumodra.send_daily_digest(now=platform.now)
    assert (summary["looked_at"], summary["written"], summary["mailed"]) == (2, 2, 2)
    letters = {message["To"]: message for message in platform.inbox.messages}
    assert shown(letters[reader.email]) == ONE_OF_EACH
    assert shown(letters[quiet.email]) == dict.fromkeys(ONE_OF_EACH, 0)
    assert letters[quiet.email]["Subject"] == "Cedar on Saturday, 21 November"
    assert "<script>" not in letters[reader.email].get_body(("html",)).get_content()
    assert "12,345" not in "".join(facts(letters[reader.email]))  # what is paid concerns administrators


@pytest.mark.parametrize("task", [zumodra.send_daily_digest, zumodra.send_weekly_summary])
def test_who_gets_none(task: Any, platform: Any) -> None:
    wants = {"daily_digest": True, "role": "admin"}
    owner = rows.tenant()
    rows.user(owner)
    rows.user(owner, **wants, is_active=False)
    for state in ("expired", "cancelled", "suspended"):
        rows.user(rows.tenant(state=state), **wants)
    from tasks.models import User

    User.objects.create(tenant=None, email="staff@x.example", name="Staff", **wants)
    assert task(now=platform.now)["looked_at"] == 0
    assert platform.inbox.messages == []


@pytest.mark.parametrize(
    ("task", "same", "following"),
    [
        (zumodra.send_daily_digest, timedelta(hours=11), timedelta(hours=12)),
        (zumodra.send_weekly_summary, timedelta(hours=11), timedelta(hours=12)),  # from a Sunday noon on
    ],
)
def test_none_twice_for_one_period(task: Any, same: timedelta, following: timedelta, platform: Any) -> None:
    people = [rows.user(rows.tenant(), daily_digest=True, role="admin") for _ in range(2)]
    assert task(now=platform.now, tenant_id=people[1].tenant_id)["mailed"] == 1
    assert task(now=platform.now)["mailed"] == 1
    assert task(now=platform.now + same)["mailed"] == 0
    assert sorted(m["To"] for m in platform.inbox.messages) == sorted(person.email for person in people)
    assert task(now=platform.now + following)["mailed"] == 2


def test_the_weekly_summary_has_the_totals_of_the_last_whole_week(platform: Any) -> None:
    monday = platform.now.replace(hour=9) + DAY  # when the schedule sends it
    owner = rows.tenant("Alder")
    admin = rows.user(owner, role="admin")
    rows.user(owner, role="recruiter")
    begin = monday.replace(hour=0) - 7 * DAY
    moments = (begin, begin + 7 * DAY - timedelta(seconds=1), begin + 7 * DAY, begin - timedelta(seconds=1))
    for mark, at in enumerate(moments):
        activity(owner, at, mark)
    assert zumodra.send_weekly_summary(now=monday)["mailed"] == 1
    [message] = platform.inbox.messages
    assert (message["To"], message["Subject"]) == (admin.email, "Alder: week 47 of 2026")
    assert shown(message) == dict.fromkeys(ONE_OF_EACH, 2)
    assert any("24,690.10 USD" in line for line in facts(message))
    assert any("16 November to 22 November" in line for line in facts(message))


def test_one_letter_that_the_server_refuses_stops_no_other(platform: Any) -> None:
    owner = rows.tenant()
    people = [rows.user(owner, daily_digest=True) for _ in range(3)]
    platform.inbox.refuse = {people[1].email: "550 no such user"}
    summary = zumodra.send_daily_digest(now=platform.now)
    assert (summary["mailed"], summary["refused"]) == (2, 1)
