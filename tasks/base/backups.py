"""Dumps of the business database: made, checked, rotated.

A dump is written beside its final name and renamed once it has passed its check, so that a file with a
backup's name is a whole backup.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection

from tasks.base.clock import stamp
from tasks.base.errors import DumpError, MissingTool
from tasks.models import Backup

SUFFIXES = {"sqlite": ".sqlite3.gz", "postgresql": ".dump"}
LEFTOVER = timedelta(days=1)  # age of an unfinished file that no run is writing any more
COPY = 1 << 20  # bytes at a time


@dataclass(frozen=True)
class Dump:
    """A complete and checked file."""

    size: int  # bytes
    tables: int
    digest: str


def file_name(at: datetime) -> str:
    """The name of the backup that was begun at `at`."""
    return f"zumodra-{stamp(at)}{SUFFIXES[connection.vendor]}"


def make(path: Path) -> Dump:
    """Dump the business database to `path` and check that every table is in it.

    Raises
    ------
    DumpError
        The dump fails or lacks a table.
    MissingTool
        PostgreSQL's programs are not installed.
    OSError
        The folder cannot be written, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as folder:
        part = Path(folder) / path.name
        found = _dump_sqlite(part) if connection.vendor == "sqlite" else _dump_postgresql(part)
        missing = sorted(_expected_tables() - found)
        if missing:
            raise DumpError(f"{path.name} lacks {', '.join(missing)}; run the migrations, then back up again")
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        size = part.stat().st_size
        part.replace(path)
    return Dump(size, len(found), digest)


def _expected_tables() -> set[str]:
    return {model._meta.db_table for model in apps.get_app_config("tasks").get_models()}


def _dump_sqlite(part: Path) -> set[str]:
    """Copy a live SQLite file by its online backup, check the copy, compress it."""
    plain = part.with_suffix("")
    connection.ensure_connection()
    copy = sqlite3.connect(plain)
    try:
        # In one step: under WAL it reads one snapshot and no writer waits, where a copy in steps would
        # begin anew whenever somebody writes.
        connection.connection.backup(copy)
        verdict = copy.execute("PRAGMA quick_check").fetchone()[0]
        if verdict != "ok":
            raise DumpError(
                f"the copy is damaged ({verdict}); check the database with PRAGMA integrity_check"
            )
        found = {row[0] for row in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        copy.close()
    with plain.open("rb") as source, gzip.open(part, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(source, packed, COPY)
    with plain.open("rb") as source, gzip.open(part, "rb") as packed:
        whole = hashlib.file_digest(source, "sha256").digest()
        if hashlib.file_digest(packed, "sha256").digest() != whole:
            raise DumpError(f"{part.name} does not unpack to what was packed; look at the disk")
    plain.unlink()
    return found


def _dump_postgresql(part: Path) -> set[str]:
    """Dump with pg_dump in its compressed format, list the dump with pg_restore."""
    given = connection.get_connection_params()
    # The password goes into a file that only we may read: arguments are seen by every user.
    secret = part.with_suffix(".pass")
    secret.touch(mode=0o600)
    secret.write_text(":".join("*" * 4) + ":" + _escaped(given.get("password") or "") + "\n")
    place = {k: str(given[k]) for k in ("host", "port", "user", "dbname") if given.get(k)}
    place["passfile"] = str(secret)
    conninfo = " ".join(f"{name}='{_quoted(value)}'" for name, value in place.items())
    _run("pg_dump", "--format=custom", "--no-password", f"--file={part}", f"--dbname={conninfo}")
    secret.unlink()
    listing = _run("pg_restore", "--list", str(part))
    return set(re.findall(r"^\d+; \d+ \d+ TABLE DATA \S+ (\S+) ", listing, re.MULTILINE))


def _escaped(password: str) -> str:
    return password.replace("\\", "\\\\").replace(":", "\\:")


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _run(program: str, *arguments: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise MissingTool(
            f"{program} is not installed; install PostgreSQL's client programs (postgresql-client)"
        )
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DumpError(f"{program} failed ({done.returncode}): {done.stderr.strip()[-400:]}")
    return done.stdout


def run(key: str, now: datetime) -> tuple[Backup, bool]:
    """The backup of the run `key`: made now, or found where that run has made it before.

    Returns the backup and whether it was made by this call.
    """
    backup, _ = Backup.objects.get_or_create(
        key=key, defaults={"path": file_name(now), "engine": connection.vendor, "started_at": now}
    )
    if backup.state not in (Backup.State.STARTED, Backup.State.FAILED):
        return backup, False
    begun = time.monotonic()
    try:
        dump = make(Path(settings.BACKUPS) / backup.path)
    except (DumpError, MissingTool, OSError) as error:
        Backup.objects.filter(pk=backup.pk).update(state=Backup.State.FAILED, detail=str(error)[:300])
        raise
    backup.state, backup.detail = Backup.State.VERIFIED, ""
    backup.size, backup.tables, backup.digest = dump.size, dump.tables, dump.digest
    backup.seconds = round(time.monotonic() - begun, 3)
    backup.save()
    return backup, True


def rotate(now: datetime, retention: timedelta, most: int, least: int) -> dict[str, Any]:
    """Delete backups older than `retention` or beyond the `most` newest, never below the `least` newest.

    Only whole backups whose file is there count. Rows whose file is gone are marked as lost; what an
    interrupted dump left behind is removed.
    """
    folder = Path(settings.BACKUPS)
    rows = list(Backup.objects.filter(state=Backup.State.VERIFIED).order_by("-started_at", "-pk"))
    present = [row for row in rows if (folder / row.path).is_file()]
    lost = [row.pk for row in rows if row not in set(present)]
    surplus = [
        row
        for rank, row in enumerate(present)
        if rank >= least and (rank >= most or row.started_at < now - retention)
    ]
    freed = _remove(folder, surplus)
    Backup.objects.filter(pk__in=[row.pk for row in surplus]).update(
        state=Backup.State.ROTATED, deleted_at=now
    )
    Backup.objects.filter(pk__in=lost).update(state=Backup.State.LOST)
    return {
        "looked_at": len(rows),
        "deleted": len(surplus),
        "kept": len(present) - len(surplus),
        "lost": len(lost),
        "leftovers": _remove_leftovers(folder, now),
        "bytes_freed": freed,
    }


def _remove(folder: Path, surplus: Sequence[Backup]) -> int:
    freed = 0
    for row in surplus:
        path = folder / row.path
        freed += path.stat().st_size
        path.unlink()
    return freed


def _remove_leftovers(folder: Path, now: datetime) -> int:
    old = [p for p in folder.glob(".part-*") if p.stat().st_mtime < (now - LEFTOVER).timestamp()]
    for path in old:
        shutil.rmtree(path)
    return len(old)
