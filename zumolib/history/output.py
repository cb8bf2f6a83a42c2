"""New files of one background step: all of them count once the step is committed, or none."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType

import duckdb

from zumolib.errors import HistoryError
from zumolib.history.gathering import read_settled
from zumolib.history.manifest import Kind, Manifest, Segment, commit, micros
from zumolib.history.place import Entry, Place
from zumolib.history.queries import query, quoted

# The unit that a question reads or passes over: an hour of a busy day, and enough for good compression.
ROW_GROUP = 61_440


class Output:
    """Writes segments; as a context, deletes them again unless `commit` said that they count."""

    def __init__(self, place: Place, connection: duckdb.DuckDBPyConnection, now: datetime) -> None:
        self.place = place
        self.connection = connection
        self.now = now
        self.segments: list[Segment] = []
        self._names: list[str] = []

    def write(self, kind: Kind, day: str, select: str, *, ended: bool = True) -> None:
        """Write the rows of a SELECT as one segment; nothing for no rows.

        Raises
        ------
        HistoryError
            The place cannot be written.
        duckdb.Error
            What is selected from cannot be read.
        """
        folder = f"{kind}/day={day}" if day else kind
        made = micros(self.now)
        name = f"{folder}/{made // 1000}-{secrets.token_hex(8)}.parquet"
        self._names.append(name)

        def copy(path: object) -> None:
            self.connection.execute(
                f"COPY ({select}) TO {quoted(str(path))} "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
            )

        size = self.place.put(name, copy)
        self._measure(kind, Entry(name, size, 0.0), day, made, ended)

    def copy(self, segment: Segment, write: Callable[[Path], object]) -> None:
        """Write the rows of a segment once more, in another form; they keep their day and their age.

        Raises
        ------
        HistoryError
            The place cannot be written.
        """
        folder = segment.name.rpartition("/")[0]
        name = f"{folder}/{segment.made // 1000}-{secrets.token_hex(8)}.parquet"
        self._names.append(name)
        entry = Entry(name, self.place.put(name, write), 0.0)
        self._measure(segment.kind, entry, segment.day, segment.made, segment.ended)

    def take(self, kind: Kind, entry: Entry, day: str) -> None:
        """Count a file that is there already.

        Raises
        ------
        duckdb.Error
            It cannot be read.
        """
        self._measure(kind, entry, day, int(entry.modified * 1e6), None)

    def _measure(self, kind: Kind, entry: Entry, day: str, made: int, ended: bool | None) -> None:
        there = read_settled([str(self.place.path(entry.name))])
        if kind == "tasks":
            measure = query("extent_tasks", rows=there)
        elif kind == "open":
            measure = query("extent_open", moments=query("moments", partials=there))
        else:
            measure = query("extent_rows", rows=there)
        # Reading it back also shows that it can be read.
        [(rows, first, last, low, high)] = self.connection.execute(measure).fetchall()
        if rows:
            ended = ended if ended is not None else kind != "tasks" or low is not None
            self.segments.append(
                Segment(entry.name, kind, day, rows, entry.bytes, made, first, last, low, high, ended=ended)
            )

    def commit(self, after: Manifest) -> bool:
        """Make this the state of the history; False, and nothing written, when somebody else's came first.

        Raises
        ------
        HistoryError
            The place cannot be written.
        """
        written = {segment.name for segment in self.segments}
        names, self._names = self._names, [name for name in self._names if name not in written]
        # If this is interrupted, nobody knows whether it came to count: what was written stays.
        if commit(self.place, after):
            return True
        self._names = names
        return False

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self._names:
            # What cannot be deleted now is an orphan, and swept later.
            with contextlib.suppress(HistoryError):
                self.place.delete(name)
