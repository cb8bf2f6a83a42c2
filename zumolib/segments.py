"""Parquet files in day folders: written whole or not at all, merged without a moment of doubt.

A **segment** is one file, ``<kind>/day=YYYY-MM-DD/<rows>-<random>.parquet``. It appears by an atomic
rename after its bytes are on disk, and never changes. A merged segment names in its own metadata the
segments that it replaces; a reader that sees both leaves the replaced ones out. So rows are seen
exactly once at every instant, whichever of the files a crash left behind, and no lock, manifest or
log is needed. Replaced files are deleted on a later pass, when no reader can still hold a list from
before the merge.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zumolib.errors import HistoryError

# Segments of like size are merged when there are this many of them, so a row is rewritten once per
# factor of eight, and a day of N rows has at most about 8 * log8(N) segments: 60 for ten million.
FAN = 8

# A merge stops here: larger files would only make it slow.
SEGMENT_ROWS = 5_000_000

# Longer than any query takes between listing the files and reading them.
GRACE = timedelta(seconds=120)

_COVERS = b"zumo.covers"
_SOURCE = b"zumo.source"
_PART = ".part"


@dataclass(frozen=True)
class Segment:
    """One readable file and what its footer says."""

    path: Path
    day: date
    rows: int
    bytes: int
    source: str | None  # how its events were taken: stream, queue or pubsub
    covers: frozenset[str]  # names of the segments that it replaces
    written: float  # seconds since 1970


class Segments:
    """The segments of one kind of row.

    Parameters
    ----------
    root
        Folder of this kind, made on the first write.
    schema
        Arrow schema of the rows.
    """

    def __init__(self, root: Path, schema: pa.Schema) -> None:
        self.root = root
        self.schema = schema
        self._known: dict[Path, Segment] = {}
        self._damaged: set[Path] = set()

    def days(self) -> list[date]:
        """Days that have a folder, in order."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.root):
                with contextlib.suppress(ValueError):
                    found.append(date.fromisoformat(entry.name.removeprefix("day=")))
        return sorted(found)

    def find(self, first: date | None = None, last: date | None = None) -> list[Segment]:
        """Segments of the days from `first` to `last`, both included, each row in exactly one."""
        found: list[Segment] = []
        for day in self.days():
            if (first is None or day >= first) and (last is None or day <= last):
                present = list(self._present(day))
                covered = frozenset().union(*(segment.covers for segment in present))
                found += [segment for segment in present if segment.path.name not in covered]
        return found

    def damaged(self) -> list[Path]:
        """Files that cannot be read, in order; they are left out of every answer."""
        for day in self.days():
            for _ in self._present(day):
                pass
        return sorted(path for path in self._damaged if path.exists())

    def doubt(self, segment: Segment) -> bool:
        """Read a segment whole, and leave it out from now on if that fails."""
        try:
            with pq.ParquetFile(segment.path) as file:
                for _ in file.iter_batches():
                    pass
        except FileNotFoundError:
            self._known.pop(segment.path, None)
            return True
        except (pa.ArrowException, OSError):
            self._damaged.add(segment.path)
            self._known.pop(segment.path, None)
            return True
        return False

    def write(self, day: date, table: pa.Table, source: str | None = None) -> Path:
        """Put rows on disk as one segment; when this returns they survive a power cut.

        Raises
        ------
        HistoryError
            The folder cannot be written; nothing of the rows is visible then.
        """
        metadata = {_SOURCE: source.encode()} if source else {}
        return self._write(day, iter([table]), table.num_rows, metadata)

    def compact(self, now: datetime) -> int:
        """Merge segments, delete replaced ones; returns how many files are gone.

        Safe at any instant and beside any number of writers and readers; a second compaction that
        runs at the same time leaves at once.
        """
        if not self.root.is_dir():
            return 0
        with (self.root / ".compact").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0
            return sum(self._compact_day(day, now) for day in self.days())

    def retain(self, first: date) -> list[date]:
        """Delete the folders of days before `first`; returns those days."""
        old = [day for day in self.days() if day < first]
        for day in old:
            # Renamed first, so that a reader sees the whole day or nothing of it.
            away = self.root / f".old-{day}-{secrets.token_hex(4)}"
            try:
                self._folder(day).rename(away)
                shutil.rmtree(away)
            except OSError as error:
                raise HistoryError(
                    f"{self._folder(day)} cannot be deleted ({error}); delete it by hand"
                ) from error
        self._known = {path: segment for path, segment in self._known.items() if segment.day >= first}
        return old

    def _folder(self, day: date) -> Path:
        return self.root / f"day={day}"

    def _present(self, day: date) -> Iterator[Segment]:
        """Readable segments of a day, replaced ones included."""
        with contextlib.suppress(FileNotFoundError):  # the day was deleted meanwhile
            for entry in sorted(os.scandir(self._folder(day)), key=lambda entry: entry.name):
                path = Path(entry.path)
                if not entry.name.endswith(".parquet") or path in self._damaged:
                    continue
                segment = self._known.get(path) or self._look(path, day)
                if segment is not None:
                    yield segment

    def _look(self, path: Path, day: date) -> Segment | None:
        try:
            stat = path.stat()
            footer = pq.read_metadata(path)
            stored = footer.metadata or {}
            covers = frozenset(json.loads(stored.get(_COVERS, b"[]")))
        except FileNotFoundError:
            return None
        except (pa.ArrowException, OSError, ValueError):
            self._damaged.add(path)
            return None
        source = stored[_SOURCE].decode() if _SOURCE in stored else None
        segment = Segment(path, day, footer.num_rows, stat.st_size, source, covers, stat.st_mtime)
        self._known[path] = segment
        return segment

    def _write(self, day: date, tables: Iterator[pa.Table], rows: int, metadata: dict[bytes, bytes]) -> Path:
        folder = self._folder(day)
        path = folder / f"{rows}-{secrets.token_hex(8)}.parquet"
        part = path.with_name(f".{path.name}{_PART}")
        try:
            _make_folder(folder)
            try:
                with part.open("wb") as sink:
                    schema = self.schema.with_metadata(metadata)
                    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
                        for table in tables:
                            writer.write_table(table.replace_schema_metadata(metadata))
                    sink.flush()
                    os.fsync(sink.fileno())
                part.rename(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            _sync_folder(folder)
        except OSError as error:
            raise HistoryError(
                f"{folder} cannot be written ({error.strerror or error}); free space or make it writable"
            ) from error
        return path

    def _compact_day(self, day: date, now: datetime) -> int:
        gone = self._sweep(day, now)
        present = list(self._present(day))
        covered = frozenset().union(*(segment.covers for segment in present))
        names = {segment.path.name for segment in present}
        tiers: dict[int, list[Segment]] = defaultdict(list)
        closed = day < (now - timedelta(hours=6)).date()  # late events come within hours, if at all
        for segment in present:
            if segment.path.name not in covered and segment.rows < SEGMENT_ROWS // 2:
                tiers[0 if closed else _tier(segment.rows)].append(segment)
        for tier in tiers.values():
            if len(tier) >= (2 if closed else FAN):
                for batch in _batches(tier):
                    self._merge(day, batch, names)
        return gone

    def _merge(self, day: date, inputs: list[Segment], present: set[str]) -> None:
        sound = [segment for segment in inputs if not self.doubt(segment)]
        if len(sound) < 2:
            return
        # What an input replaced may still lie there, and must stay replaced when the input is gone.
        covers = {s.path.name for s in sound}.union(*(s.covers & present for s in sound))
        metadata = {_COVERS: json.dumps(sorted(covers)).encode()}
        sources = [s.source for s in sorted(sound, key=lambda s: s.written) if s.source]
        if sources:
            metadata[_SOURCE] = sources[-1].encode()
        self._write(day, self._tables(sound), sum(s.rows for s in sound), metadata)

    def _tables(self, segments: list[Segment]) -> Iterator[pa.Table]:
        """All rows, in tables large enough for good row groups and small enough for memory."""
        held: list[pa.RecordBatch] = []
        for segment in segments:
            with pq.ParquetFile(segment.path) as file:
                for batch in file.iter_batches(65_536):
                    held.append(batch)
                    if sum(b.num_rows for b in held) >= 131_072:
                        yield self._conform(held)
                        held = []
        if held:
            yield self._conform(held)

    def _conform(self, batches: list[pa.RecordBatch]) -> pa.Table:
        """Rows in today's schema, whatever version of it wrote them."""
        table = pa.concat_tables([pa.Table.from_batches([b]) for b in batches], promote_options="default")
        columns = [
            table[field.name].cast(field.type)
            if field.name in table.column_names
            else pa.nulls(table.num_rows, field.type)
            for field in self.schema
        ]
        return pa.Table.from_arrays(columns, schema=self.schema)

    def _sweep(self, day: date, now: datetime) -> int:
        """Delete what a merge replaced, and what a crash left half-written, once it is old enough."""
        present = list(self._present(day))
        before = (now.astimezone(UTC) - GRACE).timestamp()
        gone = 0
        replaced = {name for segment in present if segment.written < before for name in segment.covers}
        for segment in present:
            if segment.path.name in replaced:
                segment.path.unlink(missing_ok=True)
                self._known.pop(segment.path, None)
                gone += 1
        for part in self._folder(day).glob(f".*{_PART}"):
            with contextlib.suppress(FileNotFoundError):
                if part.stat().st_mtime < before - 3600:
                    part.unlink()
                    gone += 1
        return gone


def _tier(rows: int) -> int:
    tier = 0
    while rows >= FAN:
        rows //= FAN
        tier += 1
    return tier


def _batches(segments: list[Segment]) -> Iterator[list[Segment]]:
    batch: list[Segment] = []
    for segment in segments:
        if batch and sum(s.rows for s in batch) + segment.rows > SEGMENT_ROWS:
            yield batch
            batch = []
        batch.append(segment)
    yield batch


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
