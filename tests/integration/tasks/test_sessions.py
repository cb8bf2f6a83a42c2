"""Login sessions and audit entries leave by age, and only they."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.base import archives, batches
from tasks.base.errors import ArchiveError
from tasks.core import tasks as core
from tasks.models import Archive, AuditEntry, Lease, LoginSession, Token
from tasks.zumodra import tasks as zumodra
from tests.integration.tasks import rows


def test_sessions_idle_for_longer_than_the_days_go(platform: Any) -> None:
    person = rows.user(rows.tenant())
    kept = [rows.session(person, platform.now, idle_days=days) for days in (0, 29.9, 30)]
    for days in (30.1, 400):
        rows.session(person, platform.now, idle_days=days)
    summary = core.cleanup_old_sessions_task(now=platform.now)
    assert summary == {"deleted": 2, "left": 3, "skipped": 0}
    assert set(LoginSession.objects.values_list("pk", flat=True)) == {row.pk for row in kept}


def test_sessions_past_their_expiry_go(platform: Any) -> None:
    person = rows.user(rows.tenant())
    kept = rows.session(person, platform.now, left_days=0.1)
    rows.session(person, platform.now, left_days=0)
    rows.session(person, platform.now, idle_days=3, left_days=-2)
    assert zumodra.cleanup_expired_sessions(now=platform.now)["deleted"] == 2
    assert LoginSession.objects.get().pk == kept.pk


@pytest.mark.parametrize("task", [core.cleanup_old_sessions_task, zumodra.cleanup_expired_sessions])
def test_one_tenants_sessions_alone(task: Any, platform: Any) -> None:
    first, second = rows.user(rows.tenant()), rows.user(rows.tenant())
    for person in (first, second):
        rows.session(person, platform.now, idle_days=50, left_days=-20)
    assert task(now=platform.now, tenant_id=first.tenant_id)["deleted"] == 1
    assert LoginSession.objects.get().user_id == second.pk


@pytest.mark.parametrize("days", [0, -1])
def test_no_retention_at_all_is_refused(days: int, platform: Any) -> None:
    for task in (core.cleanup_old_sessions_task, zumodra.cleanup_old_audit_logs):
        with pytest.raises(ValueError, match="above 0"):
            task(days=days, now=platform.now)


def test_deleting_goes_in_steps(platform: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    person = rows.user(rows.tenant())
    for _ in range(7):
        rows.session(person, platform.now)
    with CaptureQueriesContext(connection) as queries:
        assert batches.delete(LoginSession.objects.all(), size=3) == 7
    assert len([q for q in queries if q["sql"].startswith('DELETE FROM "tasks_loginsession"')]) == 3


def test_steps_go_over_rows_once(platform: Any) -> None:
    person = rows.user(rows.tenant())
    for _ in range(7):
        rows.session(person, platform.now)
    every = LoginSession.objects.filter(user=person)  # what is set takes no row out of them
    assert [len(keys) for keys in batches.keys_of(every, size=3)] == [3, 3, 1]
    assert batches.update(every, size=3, ended_at=platform.now) == 7
    assert LoginSession.objects.filter(ended_at=platform.now).count() == 7


def test_a_row_that_another_run_took_meanwhile_is_left_alone(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = rows.user(rows.tenant())
    taken, waiting = (rows.session(person, platform.now) for _ in range(2))
    keys_of = batches.keys_of

    def and_then_another(*given: Any) -> Any:
        for keys in keys_of(*given):
            LoginSession.objects.filter(pk=taken.pk).update(ended_at=platform.now - timedelta(hours=1))
            yield keys

    monkeypatch.setattr(batches, "keys_of", and_then_another)
    assert batches.update(LoginSession.objects.filter(ended_at=None), ended_at=platform.now) == 1
    assert LoginSession.objects.get(ended_at=platform.now).pk == waiting.pk


def test_the_tokens_of_a_session_go_with_it(platform: Any) -> None:
    person = rows.user(rows.tenant())
    for idle in (0, 50):
        session = rows.session(person, platform.now, idle_days=idle)
        Token.objects.create(
            user=person,
            session=session,
            kind="authentication",
            key=str(idle),
            created_at=platform.now,
            expires_at=platform.now,
        )
    assert core.cleanup_old_sessions_task(now=platform.now)["deleted"] == 1
    assert Token.objects.get().key == "0"


def test_old_audit_entries_move_into_a_checked_archive(platform: Any) -> None:
    owner = rows.tenant()
    person = rows.user(owner, name=rows.HOSTILE[0])
    old = [
        rows.audit(
            platform.now, days=91 + n, owner=owner, user=person, subject=text[:200], details={"text": text}
        )
        for n, text in enumerate(rows.HOSTILE)
    ]
    kept = rows.audit(platform.now, days=89, owner=owner)
    summary = zumodra.cleanup_old_audit_logs(now=platform.now)
    assert (summary["looked_at"], summary["archived"], summary["deleted"]) == (7, 7, 7)
    assert AuditEntry.objects.get().pk == kept.pk
    archive = Archive.objects.get()
    assert (archive.state, archive.rows) == (Archive.State.PURGED, 7)
    assert archive.size == (platform.ARCHIVES / archive.path).stat().st_size == summary["bytes"]
    found = archives.read(archive)
    assert [row["details"]["text"] for row in found] == list(rows.HOSTILE)
    assert [row["id"] for row in found] == [row.pk for row in old]


def test_a_large_table_is_archived_in_several_files(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "ROWS_A_FILE", 3)
    for n in range(7):
        rows.audit(platform.now, days=100 + n)
    assert zumodra.cleanup_old_audit_logs(now=platform.now)["files"] == 3
    assert sorted(Archive.objects.values_list("rows", flat=True)) == [1, 3, 3]


def test_a_run_killed_before_its_rows_were_deleted_is_finished(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        rows.audit(platform.now, days=100 + n)

    def killed(*_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(batches, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            zumodra.cleanup_old_audit_logs(now=platform.now)
    assert AuditEntry.objects.count() == 5
    summary = zumodra.cleanup_old_audit_logs(now=platform.now)
    assert (summary["deleted"], summary["files"]) == (5, 0)
    assert sum(len(archives.read(a)) for a in Archive.objects.all()) == 5  # nothing is archived twice


def test_a_damaged_archive_keeps_the_rows(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows.audit(platform.now, days=100)
    check = archives._check

    def damaged(path: Path, *given: Any) -> None:
        path.write_bytes(gzip.compress(b"{}\n"))
        check(path, *given)

    monkeypatch.setattr(archives, "_check", damaged)
    with pytest.raises(ArchiveError, match="nothing was deleted"):
        zumodra.cleanup_old_audit_logs(now=platform.now)
    assert AuditEntry.objects.count() == 1
    assert not Archive.objects.exists()
    assert [p for p in platform.ARCHIVES.rglob("*") if p.is_file()] == []


def test_two_archivers_do_not_meet(platform: Any) -> None:
    rows.audit(platform.now, days=100)
    from tasks.base.clock import moment

    Lease.objects.create(name="archive audit", holder="another", until=moment() + timedelta(minutes=5))
    assert zumodra.cleanup_old_audit_logs(now=platform.now) == {"in_progress": True, "skipped": 0}
    assert AuditEntry.objects.count() == 1
    Lease.objects.update(until=moment() - timedelta(seconds=1))  # its holder was killed long ago
    assert zumodra.cleanup_old_audit_logs(now=platform.now)["deleted"] == 1
