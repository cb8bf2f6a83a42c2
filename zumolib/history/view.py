"""What one question sees: the files that count at this instant, as tables for SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import duckdb

from zumolib.history import events
from zumolib.history.fold import waiting
from zumolib.history.gathering import DEPTHS, read_rows, read_settled
from zumolib.history.hot import Hot, Warm
from zumolib.history.manifest import Kind, Manifest, Segment, micros, newest
from zumolib.history.place import Entry, Place
from zumolib.history.queries import query

By = Literal["any", "finished"]

COLUMNS = (
    "task_id", "name", "queue", "worker", "state", "sent", "eta", "expires", "received", "started", "finished",
    "queue_wait", "run_time", "retries", "exception", "traceback", "args", "kwargs", "parent_id", "root_id",
    "entry",
)  # fmt: skip
_LISTED = ", ".join(COLUMNS)

_warm = Warm()


class View:
    """The history at one instant. Nothing that is appended or folded afterwards changes it.

    Parameters
    ----------
    doubted
        Files that turned out to be damaged; they are left out.
    """

    def __init__(
        self, place: Place, connection: duckdb.DuckDBPyConnection, doubted: frozenset[str] = frozenset()
    ) -> None:
        self.place = place
        self.connection = connection
        # In this order: what is folded after the first step still lies where it was appended.
        manifest = newest(place)
        found = waiting(place, manifest)
        self.listed = [*found[0], *found[1]]
        self.events, self.depths = (
            [entry for entry in entries if entry.name not in doubted] for entries in found
        )
        sound = tuple(segment for segment in manifest.segments if segment.name not in doubted)
        self.manifest: Manifest = manifest
        self.segments: tuple[Segment, ...] = sound

    def names(self) -> list[str]:
        """Every file that a question may read."""
        waiting = [entry.name for entry in (*self.events, *self.depths)]
        return waiting + [segment.name for segment in self.segments]

    def hot(self) -> Hot:
        """The records that are not settled."""
        manifest = self.manifest.with_only(self.segments)
        return _warm.get(self.connection, self.place, manifest, self.events, datetime.now(UTC))

    def tasks_table(self, start: datetime, end: datetime, by: By) -> str:
        """A table expression of the records of a window, and some around it."""
        hot = self.hot()
        settled = [s for s in self.segments if s.kind == "tasks" and _overlaps(s, start, end, by)]
        parts = []
        if settled:
            chosen = f"SELECT {_LISTED} FROM {read_settled(self._paths(settled))}"
            if hot.replaced.num_rows:
                self.connection.register("replaced_tasks", hot.replaced)
                chosen += " WHERE task_id NOT IN (SELECT task_id FROM replaced_tasks)"
            parts.append(chosen)
        if hot.records.num_rows or not parts:
            self.connection.register("hot_tasks", hot.records)
            parts.append(f"SELECT {_LISTED} FROM hot_tasks")
        return f"({' UNION ALL '.join(parts)})"

    def depths_table(self, start: datetime, end: datetime) -> str:
        """A table expression of the depth samples of a window, and some around it, each once."""
        rows = self._rows("samples", self.depths, start, end)
        return f"(SELECT DISTINCT * FROM {rows})"

    def beats_table(self, start: datetime, end: datetime) -> str:
        """A table expression of the heartbeats of a window, each once."""
        return f"({query('beats', heartbeats=self._rows('heartbeats', self.events, start, end))})"

    def _rows(self, kind: Kind, waiting: Sequence[Entry], start: datetime, end: datetime) -> str:
        kept = [s for s in self.segments if s.kind == kind and _overlaps(s, start, end, "any")]
        files = self._paths(kept) + [str(self.place.path(entry.name)) for entry in waiting]
        return read_rows(files, DEPTHS if kind == "samples" else events.SCHEMA, self.connection)

    def _paths(self, segments: Sequence[Segment]) -> list[str]:
        return [str(self.place.path(segment.name)) for segment in segments]


def forget() -> None:
    """Read everything anew next time."""
    _warm.forget()


def _overlaps(segment: Segment, start: datetime, end: datetime, by: By) -> bool:
    first, last = (segment.low, segment.high) if by == "finished" else (segment.first, segment.last)
    return first is not None and last is not None and first < micros(end) and last >= micros(start)
