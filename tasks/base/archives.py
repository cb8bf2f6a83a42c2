"""Old rows into compressed files, then out of their table; no instant at which a row is in neither.

A file is written beside its final name, read back, renamed, recorded, and only then are its rows
deleted. A run that was killed is finished by the next one: a recorded file whose rows are still there
loses them, a file that was never recorded is written again with the same content under the same name.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, QuerySet

from tasks.base import batches, parts
from tasks.base.clock import stamp
from tasks.base.errors import ArchiveError
from tasks.base.leases import lease
from tasks.base.summary import Summary
from tasks.base.tenancy import within
from tasks.models import Archive, AuditEntry

ROWS_A_FILE = 50_000
ROWS_AT_ONCE = 2000  # what is in memory while writing


@dataclass(frozen=True)
class Shelf:
    """A table whose old rows are kept in files."""

    kind: str  # folder and first part of the file's name
    model: type[Model]
    moment: str  # the column that says how old a row is
    tenant: str = "tenant"  # the way to its tenant

    def older(self, cutoff: datetime, tenant_id: int | None = None) -> QuerySet[Any]:
        """Rows from before `cutoff`, of one tenant or of all."""
        rows = self.model._base_manager.filter(**{f"{self.moment}__lt": cutoff})
        return within(rows, tenant_id, self.tenant)


AUDIT = Shelf("audit", AuditEntry, "at")


def put_away(shelf: Shelf, cutoff: datetime, now: datetime, tenant_id: int | None = None) -> dict[str, int]:
    """Archive and delete every row older than `cutoff`; the caller holds the shelf's lease.

    Returns
    -------
    dict
        ``archived`` rows written, ``deleted`` rows out of the table, ``files`` and ``bytes`` written.

    Raises
    ------
    ArchiveError
        A file does not read back as it was written; nothing of it was deleted.
    OSError
        The folder cannot be written.
    """
    counts = {"archived": 0, "deleted": 0, "files": 0, "bytes": 0}
    parts.sweep(Path(settings.ARCHIVES) / shelf.kind)
    for unfinished in Archive.objects.filter(kind=shelf.kind, state=Archive.State.WRITTEN):
        counts["deleted"] += _purge(shelf, unfinished)
    while True:
        rows = shelf.older(cutoff, tenant_id).order_by("pk")
        keys = list(rows.values_list("pk", flat=True)[:ROWS_A_FILE])
        if not keys:
            return counts
        archive = _write(shelf, rows.filter(pk__lte=keys[-1]), cutoff, now, tenant_id)
        counts["archived"] += archive.rows
        counts["bytes"] += archive.size
        counts["files"] += 1
        counts["deleted"] += _purge(shelf, archive)


def retire(shelf: Shelf, cutoff: datetime, now: datetime, who: str, tenant_id: int | None = None) -> Summary:
    """Put away what is older than `cutoff`, unless another run is at this shelf."""
    with lease(f"archive {shelf.kind}", who) as mine:
        if not mine:
            return Summary(in_progress=True)
        summary = Summary(looked_at=shelf.older(cutoff, tenant_id).count())
        summary.merge(put_away(shelf, cutoff, now, tenant_id))
    return summary


def forget(shelf: Shelf, before: datetime) -> dict[str, int]:
    """Delete the files that were written before that moment; their records say so.

    Returns
    -------
    dict
        ``files_deleted`` and ``bytes_freed``.
    """
    counts = {"files_deleted": 0, "bytes_freed": 0}
    old = Archive.objects.filter(kind=shelf.kind, state=Archive.State.PURGED, created_at__lt=before)
    for batch in batches.walk(old):
        for archive in batch:
            # The file first: a run that is killed here finds the record again, and no file.
            (Path(settings.ARCHIVES) / archive.path).unlink(missing_ok=True)
            counts["bytes_freed"] += archive.size
        keys = [archive.pk for archive in batch]
        counts["files_deleted"] += Archive.objects.filter(pk__in=keys).update(state=Archive.State.DELETED)
    return counts


def read(archive: Archive) -> list[dict[str, Any]]:
    """The rows of an archive, as they stood in the table."""
    with gzip.open(Path(settings.ARCHIVES) / archive.path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _write(
    shelf: Shelf, rows: QuerySet[Any], cutoff: datetime, now: datetime, tenant_id: int | None
) -> Archive:
    folder = Path(settings.ARCHIVES) / shelf.kind
    folder.mkdir(parents=True, exist_ok=True)
    part = parts.begun(folder, shelf.kind)
    digest, count, first, last = hashlib.sha256(), 0, None, None
    low, high = None, None
    try:
        with part.open("wb") as file:
            # No name and no time in the header: the same rows give the same bytes.
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                for row in rows.values().iterator(ROWS_AT_ONCE):
                    line = json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False).encode() + b"\n"
                    packed.write(line)
                    digest.update(line)
                    count, last = count + 1, row["id"]
                    first = last if first is None else first
                    at = row[shelf.moment]
                    low, high = min(low or at, at), max(high or at, at)
            file.flush()
            os.fsync(file.fileno())
        _check(part, count, digest.hexdigest())
        name = f"{shelf.kind}/{shelf.kind}-{first}-{last}-{stamp(cutoff)}.jsonl.gz"
        size = part.stat().st_size
        part.replace(Path(settings.ARCHIVES) / name)
    finally:
        part.unlink(missing_ok=True)
    return Archive.objects.create(
        kind=shelf.kind,
        path=name,
        tenant_id=tenant_id,
        first_id=first,
        last_id=last,
        first_at=low,
        last_at=high,
        cutoff=cutoff,
        rows=count,
        size=size,
        digest=digest.hexdigest(),
        created_at=now,
    )


def _check(path: Path, count: int, digest: str) -> None:
    """Read the file as anyone will later: every byte of it, through its checksum."""
    found, lines = hashlib.sha256(), 0
    try:
        with gzip.open(path, "rb") as packed:
            for line in packed:
                found.update(line)
                lines += 1
    except (EOFError, gzip.BadGzipFile) as error:
        raise ArchiveError(f"{path} does not unpack ({error}); look at the disk") from error
    if (lines, found.hexdigest()) != (count, digest):
        raise ArchiveError(f"{path} holds {lines} rows of {count}; look at the disk, nothing was deleted")


def _purge(shelf: Shelf, archive: Archive) -> int:
    rows = shelf.older(archive.cutoff, archive.tenant_id).filter(
        pk__gte=archive.first_id, pk__lte=archive.last_id
    )
    deleted = batches.delete(rows)
    Archive.objects.filter(pk=archive.pk).update(state=Archive.State.PURGED)
    return deleted
