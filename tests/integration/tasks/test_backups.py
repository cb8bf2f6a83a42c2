"""Backups hold every table, are made once a run, and rotate within their bounds."""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.base import backups
from tasks.base.errors import DumpError, MissingTool, TaskError
from tasks.core import vacuum
from tasks.core.tasks import backup_rotation_task as rotate
from tasks.core.tasks import database_vacuum_task
from tasks.models import Backup, LoginSession, Tenant
from tasks.zumodra.tasks import backup_database
from tests.integration.tasks import rows
from tests.services.postgresql import programs


def test_a_backup_restores(platform: Any, tmp_path: Path) -> None:
    for text in rows.HOSTILE:
        rows.tenant(text[:190])
    summary = backup_database(now=platform.now)
    path = platform.BACKUPS / summary["file"]
    assert (summary["made"], summary["state"]) == (1, "verified")
    assert summary["bytes"] == path.stat().st_size
    assert summary["tables"] >= len(vacuum.tables())
    assert [p.name for p in platform.BACKUPS.iterdir()] == [path.name]
    names = list(Tenant.objects.order_by("pk").values_list("name", flat=True))
    if platform.database == "sqlite":
        restored = tmp_path / "restored.sqlite3"
        restored.write_bytes(gzip.decompress(path.read_bytes()))
        with sqlite3.connect(restored) as copy:
            assert [r[0] for r in copy.execute("SELECT name FROM tasks_tenant ORDER BY id")] == names
    else:
        folder = programs()
        assert folder is not None
        content = subprocess.run(
            [folder / "pg_restore", "--data-only", "--table=tasks_tenant", "--file=-", path],
            capture_output=True,
            check=True,
        ).stdout.decode()
        assert content.count("owner@tenant-") == len(names)


def test_one_moment_is_one_backup(platform: Any) -> None:
    assert backup_database(now=platform.now)["made"] == 1
    again = backup_database(now=platform.now)
    assert (again["made"], Backup.objects.count()) == (0, 1)
    assert backup_database(now=platform.now + timedelta(days=1))["made"] == 1


def test_a_run_killed_while_dumping_makes_its_backup_when_it_comes_again(
    platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(backups, "make", killed)
        with pytest.raises(KeyboardInterrupt):
            backup_database(now=platform.now)
    assert Backup.objects.get().state == Backup.State.STARTED
    assert backup_database(now=platform.now)["made"] == 1
    assert Backup.objects.get().state == Backup.State.VERIFIED


def test_a_backup_without_a_table_is_none(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "_expected_tables", lambda: {"tasks_tenant", "tasks_gone"})
    with pytest.raises(DumpError, match="lacks tasks_gone"):
        backup_database(now=platform.now)
    backup = Backup.objects.get()
    assert backup.state == Backup.State.FAILED
    assert "tasks_gone" in backup.detail
    assert list(platform.BACKUPS.iterdir()) == []


def test_missing_programs_are_named(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if platform.database == "sqlite":
        monkeypatch.setattr(backups, "_dump_sqlite", lambda part: backups._run("pg_dump", str(part)))
    monkeypatch.setattr(backups.shutil, "which", lambda name: None)
    with pytest.raises(MissingTool, match="pg_dump is not installed; install"):
        backup_database(now=platform.now)


def _kept(platform: Any, ages: list[float]) -> list[Backup]:
    platform.BACKUPS.mkdir(exist_ok=True)
    made = []
    for age in ages:
        at = platform.now - timedelta(days=age)
        path = platform.BACKUPS / backups.file_name(at)
        path.write_bytes(b"x" * 10)
        made.append(
            Backup.objects.create(
                key=str(age), path=path.name, engine="x", state="verified", started_at=at, size=10
            )
        )
    return made


# ages in days | retention, most, least | ages that stay
@pytest.mark.parametrize(
    ("ages", "bounds", "stay"),
    [
        ([1, 2, 40, 50], (30, 100, 1), [1, 2]),
        ([1, 2, 40, 50], (30, 100, 3), [1, 2, 40]),
        ([40, 50, 60], (30, 100, 7), [40, 50, 60]),
        ([1, 2, 3, 4, 5], (30, 3, 1), [1, 2, 3]),
        ([1, 2, 3, 4, 5], (30, 3, 3), [1, 2, 3]),
        ([29.9, 30.1], (30, 100, 1), [29.9]),
    ],
)
def test_rotation_keeps_within_its_bounds(
    ages: list[float], bounds: tuple[int, int, int], stay: list[float], platform: Any
) -> None:
    made = _kept(platform, ages)
    summary = rotate(*bounds, now=platform.now)
    expected = {row.path for row, age in zip(made, ages, strict=True) if age in stay}
    assert {path.name for path in platform.BACKUPS.iterdir()} == expected
    assert summary["deleted"] == len(ages) - len(stay)
    assert summary["bytes_freed"] == 10 * summary["deleted"]
    gone = Backup.objects.filter(state=Backup.State.ROTATED)
    assert {row.path for row in made} - expected == {row.path for row in gone}
    assert all(row.deleted_at == platform.now for row in gone)


def test_backups_that_are_not_there_do_not_count(platform: Any) -> None:
    made = _kept(platform, [1, 2, 40, 50])
    for row in made[:2]:
        (platform.BACKUPS / row.path).unlink()
    Backup.objects.create(key="failed", path="failed", engine="x", state="failed", started_at=platform.now)
    summary = rotate(30, 100, 2, now=platform.now)
    assert (summary["lost"], summary["deleted"], summary["kept"]) == (2, 0, 2)


def test_leftovers_of_a_killed_dump_go_after_a_day(platform: Any) -> None:
    for name, age in ((".part-old", 2), (".part-new", 0.1)):
        folder = platform.BACKUPS / name
        folder.mkdir(parents=True)
        changed = (platform.now - timedelta(days=age)).timestamp()
        os.utime(folder, (changed, changed))
    assert rotate(now=platform.now)["leftovers"] == 1
    assert [p.name for p in platform.BACKUPS.iterdir()] == [".part-new"]


@pytest.mark.parametrize("bounds", [(30, 5, 7), (30, 5, 0), (0, 100, 7)])
def test_bounds_that_contradict_are_refused(bounds: tuple[int, int, int], platform: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        rotate(*bounds, now=platform.now)


def test_vacuum_frees_the_room_of_deleted_rows(platform: Any) -> None:
    from django.db import connection

    person = rows.user(rows.tenant())
    LoginSession.objects.bulk_create(
        LoginSession(
            user=person,
            key=f"{n:064d}",
            created_at=platform.now,
            last_seen_at=platform.now,
            expires_at=platform.now,
            agent="x" * 190,
        )
        for n in range(3000)
    )
    LoginSession.objects.all()._raw_delete("default")
    if platform.database == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute("SELECT 1")
    summary = database_vacuum_task(now=platform.now)
    kind = "free_pages" if platform.database == "sqlite" else "dead_rows"
    assert summary["tables"] == len(vacuum.tables())
    assert summary[f"{kind}_before"] > 100
    assert summary[f"{kind}_after"] == 0
    assert summary["bytes_after"] < summary["bytes_before"]


def test_vacuum_inside_a_transaction_is_refused(platform: Any) -> None:
    from django.db import transaction

    with transaction.atomic(), pytest.raises(TaskError, match="outside"):
        vacuum.vacuum(analyze=False)
