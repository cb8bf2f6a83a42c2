"""Hide in what is on disk what the keys of today hide in what comes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zumolib.errors import HistoryError
from zumolib.history import aside, queries
from zumolib.history.adoption import adopt
from zumolib.history.fold import fold, waiting
from zumolib.history.manifest import Manifest, Segment, newest
from zumolib.history.output import ROW_GROUP, Output
from zumolib.history.place import Place
from zumolib.history.store import History
from zumolib.masking import Hidden, mask_text
from zumolib.masking.table import mask_table

KINDS = ("tasks", "open", "heartbeats")


@dataclass(frozen=True)
class Scrubbed:
    """What was written anew, or would be."""

    files: int  # of the history, looked through
    changed: int  # of them
    lines: int  # changed among what is kept aside
    damaged: tuple[str, ...] = ()  # files that cannot be read, and so were not looked through


def look(history: History, keys: Sequence[str], arguments: Mapping[str, Hidden] | None = None) -> Scrubbed:
    """What :func:`scrub` would change; nothing is written.

    Raises
    ------
    HistoryError
        The place cannot be read.
    """
    place = history.place
    manifest = newest(place)
    hot, _ = waiting(place, manifest)
    names = [segment.name for segment in manifest.segments if segment.kind in KINDS]
    names += [entry.name for entry in hot]
    changed = sum(_has_secrets(place.path(name), tuple(keys), dict(arguments or {})) for name in names)
    lines = sum(
        _hidden(line, tuple(keys)) != line
        for path in aside.files(place.root)
        for line in path.read_text("ascii", "replace").splitlines()
    )
    return Scrubbed(len(names), changed, lines, manifest.damaged)


def scrub(history: History, keys: Sequence[str], arguments: Mapping[str, Hidden] | None = None) -> Scrubbed:
    """Hide what is secret in every file of a history; what was hidden before stays so.

    Readers and recorders go on meanwhile. Of a crash, either the old files are left or the new ones. A
    recorder that was started with other keys goes on with those.

    Parameters
    ----------
    history
        Whose files.
    keys, arguments
        As :func:`zumolib.masking.table.mask_table` takes them.

    Raises
    ------
    HistoryError
        The place cannot be read or written, or somebody else works in it in the background.
    """
    place, now = history.place, datetime.now(UTC)
    with place.alone() as alone:
        if not alone:
            raise HistoryError(
                f"{place.url}: somebody else folds or merges files just now; try again in a minute"
            )
        manifest = newest(place)
        if not manifest.token:
            manifest = adopt(place, manifest, now)
        manifest = fold(place, manifest, now)
        segments = [segment for segment in manifest.segments if segment.kind in KINDS]
        changed = _rewrite(place, manifest, segments, tuple(keys), dict(arguments or {}), now)
        # What was replaced earlier, and waits for its deletion, holds the same values.
        for name in newest(place).gone:
            place.delete(name)
    return Scrubbed(len(segments), changed, _scrub_aside(place.root, tuple(keys)), manifest.damaged)


def _rewrite(
    place: Place,
    manifest: Manifest,
    segments: list[Segment],
    keys: tuple[str, ...],
    arguments: dict[str, Hidden],
    now: datetime,
) -> int:
    """Write those files anew in which something is to be hidden; returns how many, all in one step."""
    with (
        place.spill() as spill,
        queries.background(spill) as connection,
        Output(place, connection, now) as output,
    ):
        replaced = []
        for segment in segments:
            if not _has_secrets(place.path(segment.name), keys, arguments):
                continue
            source = place.path(segment.name)
            output.copy(segment, partial(_copy, source, keys=keys, arguments=arguments))
            replaced.append(segment.name)
        if replaced and not output.commit(manifest.after(now, add=output.segments, drop=replaced)):
            raise HistoryError(
                f"{place.url}: somebody else changed it meanwhile; nothing was changed, try again"
            )
        return len(replaced)


def _has_secrets(path: Path, keys: tuple[str, ...], arguments: dict[str, Hidden]) -> bool:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROW_GROUP):
            rows = pa.Table.from_batches([batch])
            if mask_table(rows, keys, arguments) is not rows:
                return True
    return False


def _copy(source: Path, target: Path, keys: tuple[str, ...], arguments: dict[str, Hidden]) -> None:
    with (
        pq.ParquetFile(source) as file,
        pq.ParquetWriter(target, file.schema_arrow, compression="zstd") as sink,
    ):
        for batch in file.iter_batches(ROW_GROUP):
            sink.write_table(mask_table(pa.Table.from_batches([batch]), keys, arguments), ROW_GROUP)


def _scrub_aside(root: Path, keys: tuple[str, ...]) -> int:
    changed = 0

    def change(line: str) -> str:
        nonlocal changed
        shown = _hidden(line, keys)
        changed += shown != line
        return shown

    for path in aside.files(root):
        aside.rewrite(path, change)
    return changed


def _hidden(line: str, keys: tuple[str, ...]) -> str:
    """One line of what is kept aside, its text masked; ValueError or the like for one that a crash cut."""
    kept = json.loads(line)
    shown = kept | {name: mask_text(kept[name], keys) for name in ("raw", "reason")}
    return line if shown == kept else json.dumps(shown)
