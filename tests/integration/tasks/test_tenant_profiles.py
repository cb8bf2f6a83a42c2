"""What people prove and agree to ends on its day, and they are told in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tasks.models import Consent, IdentityCheck, LoginAttempt, Token, User, Verification
from tasks.tenant_profiles import tasks as tenant_profiles
from tests.integration.tasks import rows

remind = tenant_profiles.kyc_verification_reminder


def token(person: User, now: Any, left: timedelta, kind: str) -> Token:
    return Token.objects.create(
        user=person,
        kind=kind,
        key=f"{Token.objects.count():064d}",
        created_at=now - timedelta(days=9),
        expires_at=now + left,
    )


def check(person: User, now: Any, **more: Any) -> IdentityCheck:
    values = {"state": "started", "started_at": now - timedelta(days=100)}
    return IdentityCheck.objects.create(user=person, **values | more)


def verified(person: User, now: Any, days: int | None, **more: Any) -> IdentityCheck:
    ends = None if days is None else now.date() + timedelta(days=days)
    return check(person, now, **{"state": "verified", "document_ends_on": ends} | more)


def test_tokens_of_every_kind_go_when_they_end(platform: Any) -> None:
    person, other = rows.user(rows.tenant()), rows.user(rows.tenant())
    for kind in Token.Kind.values:
        token(person, platform.now, timedelta(0), kind)
        token(person, platform.now, timedelta(seconds=1), kind)
    token(other, platform.now, timedelta(days=-3), "authentication")
    mine = tenant_profiles.cleanup_expired_tokens(now=platform.now, tenant_id=person.tenant_id)
    assert (mine["deleted"], mine["left"]) == (3, 4)
    assert tenant_profiles.cleanup_expired_tokens(now=platform.now)["deleted"] == 1
    assert set(Token.objects.values_list("expires_at", flat=True)) == {platform.now + timedelta(seconds=1)}


def test_login_history_older_than_the_days_goes(platform: Any) -> None:
    person = rows.user(rows.tenant())
    for age, user in ((179, person), (180, person), (180.1, person), (400, None)):
        LoginAttempt.objects.create(
            user=user,
            email=rows.HOSTILE[0],
            address="192.0.2.1",
            succeeded=False,
            at=platform.now - timedelta(days=age),
        )
    assert tenant_profiles.cleanup_old_login_history(now=platform.now, tenant_id=person.tenant_id) == {
        "deleted": 1,
        "left": 3,
        "skipped": 0,
    }
    assert tenant_profiles.cleanup_old_login_history(now=platform.now)["deleted"] == 1
    assert tenant_profiles.cleanup_old_login_history(days=179, now=platform.now)["deleted"] == 1
    with pytest.raises(ValueError, match="above 0"):
        tenant_profiles.cleanup_old_login_history(days=0, now=platform.now)


# task, model, states that end, states that stay, columns that a row needs
ENDS = (
    (
        tenant_profiles.expire_kyc_verifications,
        IdentityCheck,
        ("started", "submitted", "verified"),
        ("rejected", "expired"),
        "started_at",
    ),
    (tenant_profiles.expire_consents, Consent, ("given",), ("withdrawn", "expired"), "given_at"),
    (
        tenant_profiles.expire_old_verifications,
        Verification,
        ("pending", "verified"),
        ("rejected", "expired"),
        "created_at",
    ),
)


@pytest.mark.parametrize(("task", "model", "ending", "staying", "begun"), ENDS)
def test_what_is_past_its_end_expires(
    task: Any, model: Any, ending: Any, staying: Any, begun: str, platform: Any
) -> None:
    more = {"kind": "education"} if model is Verification else {}

    def make(state: str, left: timedelta | None) -> Any:
        purpose = {"purpose": f"purpose {model.objects.count()}"} if model is Consent else {}
        ends = None if left is None else platform.now + left
        begins = {begun: platform.now - timedelta(days=400)}
        return model.objects.create(user=person, state=state, expires_at=ends, **begins, **more, **purpose)

    second = timedelta(seconds=1)
    person = rows.user(rows.tenant())
    ended = [make(state, timedelta(0)) for state in ending]
    kept = [make(state, left) for state in ending for left in (second, None)]
    kept += [make(state, -second) for state in staying]
    before = {row.pk: row.state for row in kept}
    person = rows.user(rows.tenant())
    elsewhere = make(ending[0], -second)

    assert task(now=platform.now, tenant_id=elsewhere.user.tenant_id)["expired"] == 1
    assert task(now=platform.now)["expired"] == len(ended)
    states = dict(model.objects.values_list("pk", "state"))
    assert {states[row.pk] for row in (*ended, elsewhere)} == {"expired"}
    assert {row.pk: states[row.pk] for row in kept} == before
    assert task(now=platform.now)["expired"] == 0


def test_who_began_a_check_is_reminded_at_each_step_once(platform: Any) -> None:
    owner = rows.tenant()
    person = rows.user(owner, name=rows.HOSTILE[0])
    check(person, platform.now, started_at=platform.now)
    subjects = []
    for day in (1, 2, 3, 6, 7, 14, 40):
        remind(now=platform.now + timedelta(days=day))
        subjects.append(len(platform.inbox.messages))
    assert subjects == [0, 1, 1, 1, 2, 3, 3]
    message = platform.inbox.messages[0]
    assert (message["To"], message["Subject"]) == (person.email, "Your identity check is not finished")
    assert "<script>" not in message.get_body(("html",)).get_content()
    assert "<script>" in message.get_body(("plain",)).get_content()


def test_whose_document_ends_soon_is_reminded(platform: Any) -> None:
    owner = rows.tenant()
    for days in (-1, 31, None):
        verified(rows.user(owner), platform.now, days)
    soon = [verified(rows.user(owner), platform.now, days).user.email for days in (0, 7, 30)]
    summary = remind(now=platform.now)
    assert (summary["ending"], summary["begun"], summary["mailed"]) == (3, 0, 3)
    assert sorted(message["To"] for message in platform.inbox.messages) == sorted(soon)
    assert remind(now=platform.now + timedelta(hours=1))["mailed"] == 0


def test_who_has_done_what_was_asked_is_left_in_peace(platform: Any) -> None:
    owner = rows.tenant()
    renewed, begun_anew, gone = rows.user(owner), rows.user(owner), rows.user(owner, is_active=False)
    verified(renewed, platform.now, 5)
    verified(renewed, platform.now, 900)
    check(begun_anew, platform.now)
    check(begun_anew, platform.now, state="submitted", started_at=platform.now - timedelta(days=1))
    check(gone, platform.now)
    for state in ("submitted", "rejected", "expired"):
        check(rows.user(owner), platform.now, state=state)
    assert remind(now=platform.now)["mailed"] == 0


def test_one_tenants_people_alone_are_reminded(platform: Any) -> None:
    first, second = rows.user(rows.tenant()), rows.user(rows.tenant())
    for person in (first, second):
        check(person, platform.now)
    assert remind(now=platform.now, tenant_id=second.tenant_id)["mailed"] == 1
    assert platform.inbox.messages[0]["To"] == second.email
