"""What a history holds, and how it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from zumolib.history import appended
from zumolib.history.manifest import micros, moment
from zumolib.history.place import Entry, Place
from zumolib.history.view import View

Source = Literal["stream", "queue", "pubsub"]


@dataclass(frozen=True)
class Coverage:
    """What the history holds, and how it was taken."""

    first: datetime | None  # the earliest moment that it tells of, UTC
    last: datetime | None  # the latest
    events: int  # recorded since it was begun; duplicates count
    files: int  # that a question may read
    bytes: int  # of those files
    source: Source | None  # of the latest events; with pubsub, what came while no recorder ran is missing
    damaged: tuple[str, ...] = ()  # files that cannot be read and are left out


def cover(look: View, doubted: set[str]) -> Coverage:
    """What this view shows; `doubted` gains the files that turn out to be damaged."""
    moments: list[int] = []
    rows = 0
    waiting = []
    for entry in look.events:
        found = _extent(look.place, entry)
        if found is None:
            doubted.add(entry.name)
        else:
            waiting.append(entry)
            moments += found
            rows += appended.rows(entry)
    kept = [s for s in look.segments if s.kind != "samples"]
    moments += [value for s in kept for value in (s.first, s.last) if value is not None]
    known = [s.bytes for s in look.segments] + [entry.bytes for entry in (*waiting, *look.depths)]
    # What was doubted and is gone since was only folded, and is no damage.
    there = {entry.name for entry in look.listed} | {segment.name for segment in look.manifest.segments}
    return Coverage(
        first=moment(min(moments, default=None)),
        last=moment(max(moments, default=None)),
        events=look.manifest.events + rows,
        files=len(known),
        bytes=sum(known),
        source=appended.source(look.place, waiting) or look.manifest.source,  # type: ignore[arg-type]
        damaged=tuple(sorted((doubted & there).union(look.manifest.damaged))),
    )


def _extent(place: Place, entry: Entry) -> list[int] | None:
    """The first and the last time of a file's events; None for a file that cannot be read."""
    try:
        footer = pq.read_metadata(place.path(entry.name))
    except (FileNotFoundError, pa.ArrowException, OSError):
        return None
    column = footer.schema.names.index("at")
    found = []
    for group in range(footer.num_row_groups):
        statistics = footer.row_group(group).column(column).statistics
        if statistics is not None and statistics.has_min_max:
            found += [micros(edge.astimezone(UTC)) for edge in (statistics.min, statistics.max)]
    return found
