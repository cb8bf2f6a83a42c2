"""The part of a history that is not settled yet, as records in memory.

That is the tasks in flight at the last fold, and the events since. A process keeps it between two
questions: the second one pays for the files that came since the first, and for nothing when none did.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from zumolib.history import events
from zumolib.history.gathering import gather, read_rows, read_settled
from zumolib.history.manifest import Manifest
from zumolib.history.place import Entry, Place
from zumolib.history.queries import query


@dataclass(frozen=True)
class Hot:
    """Records of tasks that are not settled, and the ids whose settled record they replace."""

    token: str  # of the manifest that it completes
    names: frozenset[str]  # files of events that it took in
    partials: pa.Table
    records: pa.Table
    replaced: pa.Table  # one column, task_id


class Warm:
    """The last :class:`Hot` of each place, shared by the threads of a process."""

    def __init__(self) -> None:
        self._kept: dict[str, Hot] = {}
        self._lock = threading.Lock()

    def get(
        self,
        connection: duckdb.DuckDBPyConnection,
        place: Place,
        manifest: Manifest,
        entries: Sequence[Entry],
        now: datetime,
    ) -> Hot:
        """What these files of events, and the tasks in flight of this manifest, come to.

        Raises
        ------
        duckdb.Error
            A file cannot be read.
        """
        names = frozenset(entry.name for entry in entries)
        with self._lock:
            before = self._kept.get(place.url)
            if before is None or before.token != manifest.token or not before.names <= names:
                before = None
            if before is not None and before.names == names:
                return before
            found = _take(connection, place, manifest, names, before, now)
            while len(self._kept) >= 8:
                self._kept.pop(next(iter(self._kept)))
            self._kept[place.url] = found
            return found

    def forget(self) -> None:
        """Read everything anew next time."""
        with self._lock:
            self._kept.clear()


def _take(
    connection: duckdb.DuckDBPyConnection,
    place: Place,
    manifest: Manifest,
    names: frozenset[str],
    before: Hot | None,
    now: datetime,
) -> Hot:
    new = sorted(names - (before.names if before else frozenset()))
    rows = read_rows([str(place.path(name)) for name in new], events.SCHEMA, connection)
    in_flight = [str(place.path(segment.name)) for segment in manifest.of("open")]
    if before is not None:
        connection.register("kept_partials", before.partials)
        base = "kept_partials"
    elif in_flight:
        base = read_settled(in_flight)
    else:
        empty = read_rows([], events.SCHEMA, connection)
        connection.execute(
            "CREATE OR REPLACE TEMP VIEW nothing_in_flight AS "
            + query("merged", partials=query("partials_of_events", events=empty))
        )
        base = "nothing_in_flight"
    gather(connection, place, manifest, base=base, rows=rows, now=now)
    replaced = connection.sql("SELECT DISTINCT task_id FROM found").to_arrow_table()
    return Hot(
        manifest.token,
        names,
        connection.sql("SELECT * FROM task").to_arrow_table(),
        connection.sql(query("records", partials="task")).to_arrow_table(),
        pa.concat_tables([before.replaced, replaced]) if before is not None else replaced,
    )
