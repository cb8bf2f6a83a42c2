"""Traces of a platform that has been running: audit entries, checks, backups, files, read counts."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection

from tasks.base import aggregates, backups
from tasks.base.errors import MissingTool
from tasks.demo import words
from tasks.demo.people import address
from tasks.demo.world import World
from tasks.models import AuditEntry, Backup, CachedAggregate, Integration, IntegrationCheck
from tasks.zumodra.integrations import PROBES

AUDIT = 2500  # entries at scale 1
AUDIT_DAYS = 115  # so that about a fifth is older than the 90 days that are kept
BACKUPS = 45  # one a day
CHECK_HOURS = 24
FILES = 30  # in the temp folder at scale 1


def make_audit(world: World) -> int:
    """Audit entries of nearly four months, oldest first."""
    dice = world.dice("audit")
    moments = sorted(world.ago(dice, 0, AUDIT_DAYS) for _ in range(world.many(AUDIT)))
    actions = list(words.ACTIONS)
    rows = []
    for at in moments:
        user, action = dice.choice(world.users), dice.choice(actions)
        rows.append(
            AuditEntry(
                tenant_id=user.tenant_id,
                user=user,
                action=action,
                subject=f"{words.ACTIONS[action]} {dice.randint(1, 5000)}",
                address=address(dice),
                details={"agent": dice.choice(words.AGENTS)},
                at=at,
            )
        )
    world.save(rows)
    return len(rows)


def make_integrations(world: World) -> int:
    """A day of checks; mail was down when it was looked at last, so the next look finds a change."""
    dice, since = world.dice("integrations"), world.now - timedelta(days=12)
    last = world.now - timedelta(minutes=20)
    if Integration.objects.exists():
        return 0
    down = Integration.State.DOWN
    rows = world.save(
        [
            Integration(
                name=name,
                state=down if name == "mail" else Integration.State.UP,
                since=world.now - timedelta(hours=3) if name == "mail" else since,
                checked_at=last,
                latency_ms=None if name == "mail" else round(dice.uniform(0.5, 40), 2),
                detail="ConnectionRefusedError: Connection refused" if name == "mail" else "",
            )
            for name in PROBES
        ]
    )
    checks = [
        IntegrationCheck(
            integration=row,
            at=last - timedelta(hours=hours),
            state=down if row.name == "mail" and hours < 3 else Integration.State.UP,
            latency_ms=None if row.name == "mail" and hours < 3 else round(dice.lognormvariate(1.5, 0.6), 2),
        )
        for row in rows
        for hours in range(CHECK_HOURS)
    ]
    world.save(checks)
    return len(rows) + len(checks)


def make_reads(world: World) -> int:
    """How often each aggregate was read."""
    dice = world.dice("reads")
    rows = []
    for name in aggregates.AGGREGATES:
        reads = int(dice.lognormvariate(7, 1))
        rows.append(CachedAggregate(name=name, reads=reads, hits=int(reads * dice.uniform(0.6, 0.98))))
    CachedAggregate.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def make_backups(world: World) -> int:
    """A month and a half of backups: copies of one real dump, taken before the data came.

    Where PostgreSQL's programs are missing there are none, as there could not have been any.
    """
    folder = Path(settings.BACKUPS)
    moments = [
        world.now.replace(hour=2, minute=0, second=0, microsecond=0) - timedelta(days=d + 1)
        for d in range(BACKUPS)
    ]
    first = folder / backups.file_name(moments[0])
    if Backup.objects.filter(path=first.name).exists():
        return 0
    try:
        dump = backups.make(first)
    except MissingTool:
        return 0
    rows = []
    for at in moments:
        path = folder / backups.file_name(at)
        if path != first:
            shutil.copyfile(first, path)
        rows.append(
            Backup(
                key=f"demo {at.isoformat()}",
                path=path.name,
                engine=connection.vendor,
                state=Backup.State.VERIFIED,
                started_at=at,
                size=dump.size,
                seconds=0.4,
                tables=dump.tables,
                digest=dump.digest,
            )
        )
    return len(Backup.objects.bulk_create(rows, ignore_conflicts=True))


def make_files(world: World) -> int:
    """Left-over files of exports and uploads in the temp folder, most of them old."""
    dice, count = world.dice("files"), world.many(FILES)
    for number in range(count):
        folder = Path(settings.TEMPORARY) / f"job-{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        mark = hashlib.sha256(f"{world.key}:{number}".encode()).hexdigest()[:8]
        path = folder / f"{mark}-{dice.choice(words.FILES)}"
        path.write_bytes(b"left over\n" * dice.randint(10, 4000))
        changed = world.ago(dice, 0.2, 9).timestamp()
        os.utime(path, (changed, changed))
    return count
