"""Who is shut out, warned and found odd; what is kept about it, and for how long."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.models import (
    AddressReputation,
    Anomaly,
    Archive,
    AuditEntry,
    Block,
    Lease,
    LoginAttempt,
    LoginSession,
    StoredReport,
    Token,
    User,
)
from tasks.security import tasks as security
from tests.integration.tasks import rows

HOME, AWAY = "192.0.2.1", "198.51.100.9"
DAY = timedelta(days=1)


def attempts(at: datetime, count: int = 1, *, failed: bool = False, **more: Any) -> list[LoginAttempt]:
    values = {"email": "x@x.example", "address": HOME, "country": "DE", "at": at, "succeeded": not failed}
    return LoginAttempt.objects.bulk_create(LoginAttempt(**values | more) for _ in range(count))


# --- audit ---


def test_audit_entries_are_archived_and_archives_end_after_two_years(platform: Any) -> None:
    for days in (800, 795, 100):
        rows.audit(platform.now, days=days)
        security.cleanup_audit_logs(now=platform.now)
    for archive, age in zip(Archive.objects.order_by("pk"), (730.01, 730, 0), strict=True):
        Archive.objects.filter(pk=archive.pk).update(created_at=platform.now - age * DAY)
    paths = [
        platform.ARCHIVES / path for path in Archive.objects.order_by("pk").values_list("path", flat=True)
    ]
    assert [path.is_file() for path in paths] == [True, True, True]
    kept = rows.audit(platform.now, days=90)
    summary = security.cleanup_audit_logs(now=platform.now)
    assert (summary["archived"], summary["files_deleted"]) == (0, 1)
    assert [path.is_file() for path in paths] == [False, True, True]
    assert list(Archive.objects.order_by("pk").values_list("state", flat=True)) == [
        "deleted",
        "purged",
        "purged",
    ]
    assert AuditEntry.objects.get() == kept


def test_what_a_killed_run_had_begun_to_archive_goes_with_the_next(platform: Any) -> None:
    begun = platform.ARCHIVES / "audit" / ".audit.4711.part"
    begun.parent.mkdir(parents=True)
    begun.write_bytes(b"the beginning of")
    rows.audit(platform.now, days=100)
    assert security.cleanup_audit_logs(now=platform.now)["archived"] == 1
    assert [path.name for path in begun.parent.iterdir()] == [Path(Archive.objects.get().path).name]


def test_an_archive_whose_file_a_killed_run_deleted_is_recorded(platform: Any) -> None:
    rows.audit(platform.now, days=800)
    security.cleanup_audit_logs(now=platform.now - 731 * DAY, days=1)
    (platform.ARCHIVES / Archive.objects.get().path).unlink()
    assert security.cleanup_audit_logs(now=platform.now)["files_deleted"] == 1
    assert security.cleanup_audit_logs(now=platform.now)["files_deleted"] == 0


def test_one_tenants_audit_leaves_the_archives_alone(platform: Any) -> None:
    owner = rows.tenant()
    rows.audit(platform.now, days=800)
    security.cleanup_audit_logs(now=platform.now)
    Archive.objects.update(created_at=platform.now - 731 * DAY)
    rows.audit(platform.now, days=100, owner=owner)
    rows.audit(platform.now, days=100)
    assert security.cleanup_audit_logs(now=platform.now, tenant_id=owner.pk)["archived"] == 1
    assert Archive.objects.filter(state="purged").count() == 2
    assert AuditEntry.objects.get().tenant is None


# --- failed logins ---


def test_bursts_block_addresses_and_accounts(platform: Any) -> None:
    now, owner = platform.now, rows.tenant()
    target, near, mixed = (rows.user(owner) for _ in range(3))
    attempts(now - timedelta(minutes=59), 20, failed=True, address=AWAY)
    attempts(now - timedelta(minutes=59), 19, failed=True, address="198.51.100.10")
    attempts(now - timedelta(minutes=60), 5, failed=True, address="198.51.100.10")  # just outside
    attempts(now, 10, failed=True, user=target, address="198.51.100.11")
    attempts(now, 9, failed=True, user=near, address="198.51.100.12")
    attempts(now, 30, user=mixed, address="198.51.100.13")
    AddressReputation.objects.create(address=AWAY, score=95, updated_at=now - DAY)
    summary = security.analyze_failed_logins(now=now)
    assert (summary["addresses_blocked"], summary["accounts_blocked"]) == (1, 1)
    blocks = Block.objects.order_by("pk").values_list("address", "user", "failures", "created_at", "ends_at")
    assert list(blocks) == [(AWAY, None, 20, now, now + DAY), (None, target.pk, 10, now, now + DAY)]
    reputation = AddressReputation.objects.get()
    assert (reputation.score, reputation.blocked_until) == (95, now + DAY)
    entries = AuditEntry.objects.order_by("pk").values_list("action", "address", "user", "tenant", "at")
    assert list(entries) == [
        ("security.block", AWAY, None, None, now),
        ("security.block", None, target.pk, owner.pk, now),
    ]
    # half an hour later the same burst is still in sight, and nothing is blocked twice
    again = security.analyze_failed_logins(now=now + timedelta(minutes=30))
    assert (again["addresses_blocked"], again["accounts_blocked"]) == (0, 0)
    assert Block.objects.count() == AuditEntry.objects.count() == 2


def test_a_new_burst_after_the_block_blocks_again(platform: Any) -> None:
    attempts(platform.now, 20, failed=True)
    security.analyze_failed_logins(now=platform.now)
    later = platform.now + DAY
    attempts(later, 25, failed=True)
    assert security.analyze_failed_logins(now=later)["addresses_blocked"] == 1
    assert list(Block.objects.order_by("pk").values_list("failures", flat=True)) == [20, 25]
    reputation = AddressReputation.objects.get()
    assert (reputation.score, reputation.blocked_until) == (90, later + DAY)


def test_two_runs_do_not_block_at_once(platform: Any) -> None:
    attempts(platform.now, 20, failed=True)
    Lease.objects.create(name="failed logins", holder="another", until=datetime.now(UTC) + DAY)
    assert security.analyze_failed_logins(now=platform.now) == {"in_progress": True, "skipped": 0}
    assert not Block.objects.exists()


# --- sessions ---


def test_idle_sessions_end_and_their_tokens_are_revoked(platform: Any) -> None:
    now, person = platform.now, rows.user(rows.tenant())
    active, idle = rows.session(person, now, idle_days=1), rows.session(person, now, idle_days=1.01)
    over = rows.session(person, now, idle_days=5, ended_at=now - DAY)  # a killed run had ended it
    for number, session in enumerate((active, idle, over, None)):
        Token.objects.create(
            user=person,
            session=session,
            kind="authentication",
            key=str(number),
            created_at=now - 9 * DAY,
            expires_at=now + DAY,
        )
    summary = security.expire_sessions(now=now)
    assert (summary["ended"], summary["revoked"]) == (1, 2)
    assert list(LoginSession.objects.order_by("pk").values_list("ended_at", flat=True)) == [
        None,
        now,
        now - DAY,
    ]
    assert list(Token.objects.order_by("pk").values_list("revoked_at", flat=True)) == [None, now, now, None]


def test_idle_sessions_of_one_tenant(platform: Any) -> None:
    people = [rows.user(rows.tenant()) for _ in range(2)]
    for person in people:
        rows.session(person, platform.now, idle_days=9)
    assert security.expire_sessions(now=platform.now, tenant_id=people[0].tenant_id)["ended"] == 1
    assert LoginSession.objects.get(ended_at=None).user == people[1]


# --- the report ---


def test_the_report_of_yesterday_is_stored_once(platform: Any) -> None:
    person = rows.user(rows.tenant())
    first, after = datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
    tick = timedelta(microseconds=1)
    for at in (first - tick, after):
        attempts(at, 7, user=person)
        Block.objects.create(user=person, reason="r", failures=7, created_at=at, ends_at=at)
        Anomaly.objects.create(user=person, kind="hour", day=at.date(), found_at=at)
    attempts(first, 2, user=person)
    attempts(after - tick, 3, failed=True, address=AWAY, email=rows.HOSTILE[0])
    Block.objects.create(address=AWAY, reason="burst", failures=3, created_at=first, ends_at=after)
    Anomaly.objects.create(user=person, kind="country", day=first.date(), detail="KP", found_at=after)
    summary = security.generate_security_report(now=platform.now)
    assert (summary["stored"], summary["day"]) == (1, "2026-11-21")
    report = StoredReport.objects.get()
    assert (report.kind, report.day) == ("security", first.date())
    assert report.content == {
        "totals": {
            "logins": 2,
            "failures": 3,
            "people": 1,
            "addresses": 2,
            "addresses_blocked": 1,
            "accounts_blocked": 0,
            "anomalies_country": 1,
            "anomalies_hour": 0,
            "anomalies_volume": 0,
        },
        "failures_by_address": [{"what": AWAY, "count": 3}],
        "failures_by_account": [{"what": rows.HOSTILE[0], "count": 3}],
        "logins_by_country": [{"what": "DE", "count": 2}],
        "blocks": [{"address": AWAY, "user": None, "failures": 3, "reason": "burst"}],
        "anomalies_by_user": [{"what": person.pk, "count": 1}],
    }
    attempts(first, 5, user=person)
    assert security.generate_security_report(now=platform.now)["stored"] == 0
    assert StoredReport.objects.get().content["totals"]["logins"] == 2


# --- anomalies ---


@pytest.fixture
def regular(platform: Any) -> User:
    """Somebody who logs in from Germany at noon, every second day."""
    person = rows.user(rows.tenant())
    for days in range(2, 31, 2):
        attempts(platform.now - days * DAY, user=person)
    return person


@pytest.mark.parametrize(
    ("hours_ago", "more", "expected"),
    [
        (1, {}, []),
        (1, {"country": "KP"}, [("country", date(2026, 11, 22), "KP")]),
        (1, {"country": ""}, []),
        (1, {"country": "KP", "failed": True}, []),
        (2, {}, [("hour", date(2026, 11, 22), "10:00 UTC")]),
        (13, {}, [("hour", date(2026, 11, 21), "23:00 UTC")]),
        (23, {}, []),
        (24, {"country": "KP"}, []),  # exactly a day ago is past
        (0, {"count": 20, "failed": True}, [("volume", date(2026, 11, 22), "far more login attempts than usual")]),
        (0, {"count": 19, "failed": True}, []),
    ],
)  # fmt: skip
def test_what_a_user_never_did_is_odd(
    hours_ago: int, more: dict[str, Any], expected: list[Any], regular: User, platform: Any
) -> None:
    attempts(platform.now - timedelta(hours=hours_ago), user=regular, **more)
    summary = security.detect_anomalies(now=platform.now)
    assert list(Anomaly.objects.values_list("kind", "day", "detail")) == expected
    assert sum(summary[kind] for kind in Anomaly.Kind.values) == len(expected)
    # two hours later it is seen again and told once
    security.detect_anomalies(now=platform.now + timedelta(hours=2))
    assert Anomaly.objects.count() == len(expected)


def test_somebody_new_has_no_habits_to_break(platform: Any) -> None:
    person = rows.user(rows.tenant())
    attempts(platform.now - timedelta(hours=9), user=person, country="KP")
    attempts(platform.now - 31 * DAY, 50, user=person)  # older than what is looked at
    assert security.detect_anomalies(now=platform.now)["looked_at"] == 1
    assert not Anomaly.objects.exists()


def test_much_is_usual_for_some(platform: Any) -> None:
    person = rows.user(rows.tenant())
    attempts(platform.now - 3 * DAY, 5 * 30, user=person)  # five a day
    attempts(platform.now, 25, user=person)
    security.detect_anomalies(now=platform.now)
    assert not Anomaly.objects.exists()
    attempts(platform.now, 1, user=person)
    assert security.detect_anomalies(now=platform.now)["volume"] == 1


def test_anomalies_of_one_tenant(regular: User, platform: Any) -> None:
    attempts(platform.now, user=regular, country="KP")
    other = rows.tenant()
    assert security.detect_anomalies(now=platform.now, tenant_id=other.pk)["looked_at"] == 0
    assert security.detect_anomalies(now=platform.now, tenant_id=regular.tenant_id)["country"] == 1


# --- passwords ---


@pytest.mark.parametrize(
    ("left", "subject"),
    [
        (14.01, None),
        (14, "Your password ends in 14 days"),
        (7.01, "Your password ends in 8 days"),
        (7, "Your password ends in 7 days"),
        (1, "Your password ends in 1 day"),
        (0.01, "Your password ends in 1 day"),
        (0, "Please choose a new password"),
        (-50, "Please choose a new password"),
    ],
)
def test_a_password_is_warned_about_and_ends(left: float, subject: str | None, platform: Any) -> None:
    owner = rows.tenant()
    person = rows.user(owner, password_changed_at=platform.now - (90 - left) * DAY, name=rows.HOSTILE[0])
    rows.user(owner, password_changed_at=platform.now - 200 * DAY, is_active=False)
    rows.user(owner, password_changed_at=platform.now - 200 * DAY, must_reset_password=True)
    rows.user(owner)
    summary = security.check_password_expiry(now=platform.now)
    assert (summary["mailed"], summary["forced"]) == (int(subject is not None), int(left <= 0))
    assert [(m["To"], m["Subject"]) for m in platform.inbox.messages] == [(person.email, subject)] * bool(
        subject
    )
    person.refresh_from_db()
    assert person.must_reset_password is (left <= 0)
    assert all("<script>" not in m.get_body(("html",)).get_content() for m in platform.inbox.messages)


def test_each_warning_comes_once(platform: Any) -> None:
    person = rows.user(rows.tenant(), password_changed_at=platform.now - 75 * DAY)
    for day in range(20):
        security.check_password_expiry(now=platform.now + day * DAY)
        security.check_password_expiry(now=platform.now + day * DAY)
    assert [m["Subject"] for m in platform.inbox.messages] == [
        "Your password ends in 14 days",
        "Your password ends in 7 days",
        "Your password ends in 1 day",
        "Please choose a new password",
    ]
    # with a new password it begins again
    changed = platform.now + 20 * DAY
    User.objects.filter(pk=person.pk).update(password_changed_at=changed, must_reset_password=False)
    assert security.check_password_expiry(now=changed + 76 * DAY)["mailed"] == 1


def test_passwords_of_one_tenant(platform: Any) -> None:
    people = [rows.user(rows.tenant(), password_changed_at=platform.now - 99 * DAY) for _ in range(2)]
    security.check_password_expiry(now=platform.now, tenant_id=people[0].tenant_id)
    assert User.objects.get(must_reset_password=True) == people[0]


# --- reputation ---


def reputation(score: float, updated_at: datetime, address: str = HOME, **more: Any) -> AddressReputation:
    return AddressReputation.objects.create(address=address, score=score, updated_at=updated_at, **more)


def test_a_score_fades_and_follows_behaviour(platform: Any) -> None:
    now = platform.now
    faded = reputation(80, now - 7 * DAY)
    bad = reputation(10, now - timedelta(hours=4), AWAY)
    attempts(now - timedelta(hours=4), 9, failed=True, address=AWAY)  # counted the last time
    attempts(now - timedelta(hours=1), 3, failed=True, address=AWAY)
    attempts(now - timedelta(hours=1), 2, address=AWAY)
    attempts(now, 2, failed=True, address="198.51.100.20")
    attempts(now, 9, address="198.51.100.21")  # well-behaved strangers need no row
    attempts(now - DAY, 9, failed=True, address="198.51.100.22")  # exactly a day ago is past
    summary = security.update_ip_reputation(now=now)
    assert (summary["updated"], summary["added"], summary["forgotten"]) == (2, 1, 0)
    faded.refresh_from_db()
    bad.refresh_from_db()
    assert faded.score == pytest.approx(40)
    assert bad.score == pytest.approx(10 * 0.5 ** (4 / 168) + 3 * 4 - 2)
    assert AddressReputation.objects.get(address="198.51.100.20").score == 8
    assert AddressReputation.objects.count() == 3
    assert security.update_ip_reputation(now=now)["updated"] == 0


@pytest.mark.parametrize(("score", "failed", "expected"), [(99, 40, 100), (5, 0, None)])
def test_a_score_stays_within_0_to_100(
    score: float, failed: int, expected: float | None, platform: Any
) -> None:
    reputation(score, platform.now - timedelta(hours=4))
    attempts(platform.now, failed, failed=True)
    attempts(platform.now, 0 if failed else 30)
    security.update_ip_reputation(now=platform.now)
    assert AddressReputation.objects.values_list("score", flat=True).first() == expected


def test_blocks_end(platform: Any) -> None:
    now = platform.now
    over = reputation(50, now - DAY, blocked_until=now)
    held = reputation(0.1, now - DAY, AWAY, blocked_until=now + timedelta(seconds=1))
    summary = security.update_ip_reputation(now=now)
    assert (summary["blocks_expired"], summary["forgotten"]) == (1, 0)
    over.refresh_from_db()
    held.refresh_from_db()
    assert (over.blocked_until, held.blocked_until) == (None, now + timedelta(seconds=1))
    later = security.update_ip_reputation(now=now + DAY)
    assert (later["blocks_expired"], later["forgotten"]) == (1, 1)
    assert AddressReputation.objects.get() == over
