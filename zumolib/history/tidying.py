"""Work in the background: fold what waits, merge small files, delete what was replaced or is too old.

Segments of one day are merged by tiers: eight of like size become one, so a row is rewritten once per
factor of eight. A day that is over becomes one sorted file, or a few. So the number of files is bounded
whatever the interval of the recorder.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb

from zumolib.errors import HistoryError
from zumolib.history import appended, doubts, events, queries
from zumolib.history.adoption import adopt
from zumolib.history.fold import fold, leave_out, waiting, without_damaged
from zumolib.history.gathering import DEPTHS, read_rows
from zumolib.history.manifest import GRACE, KINDS, Manifest, Segment, commit, micros, newest
from zumolib.history.output import Output
from zumolib.history.place import Entry, Place
from zumolib.history.queries import query

logger = logging.getLogger(__name__)

FAN = 8

# A merge stops here: larger files would only make it slow.
SEGMENT_ROWS = 2_000_000

# What waits is folded when it is this much, or this old; and the background gets a quarter of the time.
FOLD_FILES = 16
FOLD_ROWS = 50_000
FOLD_SECONDS = 25
SHARE = 4
MERGE_SECONDS = 20  # no merge is begun later than this in one round

# A file that no manifest lists was left by a crash, if it is older than any step takes.
ORPHAN = timedelta(hours=1)
ORPHANS_EVERY = 100  # commits

# Late events come within hours, if at all.
CLOSED = timedelta(hours=6)
QUIET = timedelta(hours=1)


def tidy(place: Place, now: datetime, *, at_once: bool = False) -> int:
    """One round in the background; leaves at once where somebody else is at it.

    Parameters
    ----------
    at_once
        Fold whatever waits, however little it is.

    Returns
    -------
    int
        How many files were deleted.

    Raises
    ------
    HistoryError
        The place cannot be read or written.
    """
    with place.alone() as alone:
        if not alone:
            return 0
        manifest = newest(place)
        if not manifest.token:
            manifest = adopt(place, manifest, now)
        manifest = _resolve_doubts(place, manifest, now)
        swept, manifest = _sweep(place, manifest, now)
        if at_once or _due(place, manifest, now):
            manifest = fold(place, manifest, now)
        until = time.monotonic() + MERGE_SECONDS
        for inputs in list(_merges(manifest, now)):
            if time.monotonic() < until and set(inputs) <= set(manifest.segments):
                manifest = _merge(place, manifest, inputs, now)
        if swept and newest(place).gone.keys() != manifest.gone.keys():
            commit(place, manifest.after(now))
        return swept


def retain(place: Place, *, first: date, most: float | None, now: datetime) -> list[date]:
    """Let go of days before `first`, then of the oldest days until the rest has at most `most` bytes.

    Their files are deleted by a later round of :func:`tidy`. Today stays.

    Returns
    -------
    list of date
        The days that went; none where somebody else works in the background.
    """
    with place.alone() as alone:
        if not alone:
            return []
        manifest = newest(place)
        sizes: dict[str, int] = defaultdict(int)
        for segment in manifest.segments:
            if segment.day:
                sizes[segment.day] += segment.bytes
        total = sum(segment.bytes for segment in manifest.segments)
        gone = []
        for day in sorted(sizes):
            too_much = most is not None and total > most and day < str(now.astimezone(UTC).date())
            if day < str(first) or too_much:
                gone.append(day)
                total -= sizes[day]
        old_damage = [name for name in manifest.damaged if _day_of(name) < str(first)]
        if not gone and not old_damage:
            return []
        drop = [segment.name for segment in manifest.segments if segment.day in gone]
        damaged = tuple(name for name in manifest.damaged if name not in old_damage)
        after = manifest.after(now, drop=drop, consumed=old_damage, damaged=damaged)
        return [date.fromisoformat(day) for day in gone] if commit(place, after) else []


def _day_of(name: str) -> str:
    """The day of a file by its name: its folder's, or when it was written."""
    folder, _, last = name.rpartition("/")
    _, found, day = folder.partition("day=")
    return day if found else str(datetime.fromtimestamp(appended.written(Entry(last, 0, 0.0)), UTC).date())


def _due(place: Place, manifest: Manifest, now: datetime) -> bool:
    hot, depths = waiting(place, manifest)
    files = hot + depths
    if not files:
        return False
    # A clock that was set back makes a wait look negative, or long: neither may stop the folding.
    since = abs(micros(now) - manifest.folded) / 1e6
    if since < SHARE * manifest.seconds:
        return False
    return (
        len(files) >= FOLD_FILES
        or sum(appended.rows(entry) for entry in files) >= FOLD_ROWS
        or max(abs(now.timestamp() - appended.written(entry)) for entry in files) >= FOLD_SECONDS
    )


def _resolve_doubts(place: Place, manifest: Manifest, now: datetime) -> Manifest:
    """The state without the files that questions could not read, so that nobody tries them again."""
    names = doubts.noted(place.root)
    if not names:
        return manifest
    known = {entry.name for entries in waiting(place, manifest) for entry in entries}
    known |= {segment.name for segment in manifest.segments}
    sound = leave_out(place, manifest, sorted(names & known), now)
    if sound is not None and not commit(place, sound):
        return manifest
    doubts.forget(place.root)
    return sound or manifest


def _sweep(place: Place, manifest: Manifest, now: datetime) -> tuple[int, Manifest]:
    """Delete what was replaced long enough ago; the state without it, to be committed with the next step."""
    if manifest.number % ORPHANS_EVERY == ORPHANS_EVERY - 1:
        sweep_orphans(place, manifest, now)
    at, grace = micros(now), GRACE // timedelta(microseconds=1)
    old = [name for name, since in manifest.gone.items() if abs(at - since) > grace]
    for name in old:
        place.delete(name)
    left = {name: since for name, since in manifest.gone.items() if name not in set(old)}
    return len(old), replace(manifest, gone=left)


def sweep_orphans(place: Place, manifest: Manifest, now: datetime) -> int:
    """Delete what crashes left: half-written files, and whole ones that never came to count."""
    before = (now - ORPHAN).timestamp()
    place.clean(before)
    if not manifest.segments:
        return 0  # nothing is an orphan of a history whose manifests are lost
    known = {segment.name for segment in manifest.segments} | manifest.unread
    orphans = [
        entry.name
        for folder in KINDS
        for entry in place.entries(folder)
        if entry.name not in known and entry.modified < before
    ]
    for name in orphans:
        place.delete(name)
    return len(orphans)


def _merges(manifest: Manifest, now: datetime) -> Iterator[list[Segment]]:
    """Segments that are to become one, each list of one kind and day."""
    groups: dict[tuple[str, str, bool, int], list[Segment]] = defaultdict(list)
    whole = [s for s in manifest.segments if s.kind != "open" and s.rows < SEGMENT_ROWS // 2]
    restless = {
        (s.kind, s.day) for s in whole if abs(micros(now) - s.made) < QUIET // timedelta(microseconds=1)
    }
    for segment in whole:
        over = segment.day < str((now.astimezone(UTC) - CLOSED).date())
        closed = over and (segment.kind, segment.day) not in restless
        tier = -1 if closed else _tier(segment.rows)
        groups[segment.kind, segment.day, segment.ended, tier].append(segment)
    for (*_, tier), segments in groups.items():
        if len(segments) >= (2 if tier < 0 else FAN):
            yield from _batches(segments)


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
            if len(batch) > 1:
                yield batch
            batch = []
        batch.append(segment)
    if len(batch) > 1:
        yield batch


def _merge(place: Place, manifest: Manifest, inputs: list[Segment], now: datetime) -> Manifest:
    """One file of several; the state after it, which is the one before where that did not succeed."""
    names = [segment.name for segment in inputs]
    kind, day = inputs[0].kind, inputs[0].day
    with (
        place.spill() as spill,
        queries.background(spill) as connection,
        Output(place, connection, now) as output,
    ):
        try:
            paths = [str(place.path(name)) for name in names]
            if kind == "tasks":
                chosen = query("joined_tasks", paths)
            else:
                schema = DEPTHS if kind == "samples" else events.SCHEMA
                chosen = query("joined_rows", rows=read_rows(paths, schema, connection))
            output.write(kind, day, chosen, ended=inputs[0].ended)
            after = manifest.after(now, add=output.segments, drop=names)
        except duckdb.OutOfMemoryException as error:
            logger.warning("%s: files of %s stay unmerged: %s", place.url, day, error)
            return manifest
        except duckdb.Error as error:
            sound = without_damaged(place, manifest, [], now)
            if sound is None:
                raise HistoryError(f"{place.url}: files of {day} cannot be merged: {error}") from error
            return sound if commit(place, sound) else manifest
        return after if output.commit(after) else manifest
