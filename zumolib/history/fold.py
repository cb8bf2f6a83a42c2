"""Folding: raw events become one record a task, and the rest of them one file a day.

A fold takes the events that no fold took yet and the tasks in flight. Tasks that ended become settled
records, the others stay in flight. A late event, or one that came twice, finds the record that it
belongs to; the two are merged, and the file that held it is written anew in the same step.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from zumolib.errors import HistoryError
from zumolib.history import appended, events, queries
from zumolib.history.gathering import DEPTHS, gather, read_rows, read_settled
from zumolib.history.manifest import Manifest, commit, micros
from zumolib.history.output import Output
from zumolib.history.place import Entry, Place
from zumolib.history.queries import query

logger = logging.getLogger(__name__)

# One step takes no more than this, so that its memory is bounded whatever has piled up.
STEP_ROWS = 250_000
STEP_BYTES = 100_000_000


def waiting(place: Place, manifest: Manifest) -> tuple[list[Entry], list[Entry]]:
    """Files of events and of depth samples that no fold took yet."""
    found = []
    for folder in (appended.EVENTS, appended.DEPTHS):
        found.append([entry for entry in place.entries(folder) if entry.name not in manifest.unread])
    return found[0], found[1]


def fold(place: Place, manifest: Manifest, now: datetime) -> Manifest:
    """Fold everything that waits by now, in steps of bounded size; returns the state after it.

    What comes meanwhile waits for the next time: whoever writes faster than this folds must not keep it for ever.

    The caller is the only one who works in the background here, or loses a race without harm.

    Raises
    ------
    HistoryError
        The place cannot be read or written. What waits goes on waiting, and nothing is lost.
    """
    limit = STEP_ROWS
    first = {entry.name for entries in waiting(place, manifest) for entry in entries}
    while True:
        hot, depths = (
            [entry for entry in found if entry.name in first] for found in waiting(place, manifest)
        )
        if not hot and not depths:
            return manifest
        batch = list(_batch(hot, limit))
        try:
            after = _step(place, manifest, batch, depths, now)
        except duckdb.OutOfMemoryException as error:
            if len(batch) < 2:
                raise HistoryError(
                    f"{place.url}: {batch[0].name} needs more memory to fold: {error}"
                ) from error
            limit = max(1, min(limit, sum(appended.rows(entry) for entry in batch)) // 4)
            continue
        except duckdb.Error as error:
            taken = [entry.name for entry in batch + depths]
            after = without_damaged(place, manifest, taken, now)
            if after is None:
                raise HistoryError(f"{place.url} cannot be folded: {error}") from error
            after = after if commit(place, after) else None
        if after is None:
            logger.info("%s: somebody else folded first", place.url)
            return manifest
        manifest = after


def without_damaged(place: Place, manifest: Manifest, waiting: list[str], now: datetime) -> Manifest | None:
    """The state without files that cannot be read; None when all can. They stay where they are."""
    return leave_out(place, manifest, [*waiting, *(segment.name for segment in manifest.segments)], now)


def leave_out(place: Place, manifest: Manifest, names: list[str], now: datetime) -> Manifest | None:
    """The state without those of these files that cannot be read; None when all can."""
    damaged = [name for name in names if not readable(place, name)]
    if not damaged:
        return None
    logger.error("%s: damaged and left out from now on: %s", place.url, ", ".join(damaged))
    after = manifest.after(now, drop=damaged, damaged=tuple(sorted({*manifest.damaged, *damaged})))
    return replace(after, gone={name: at for name, at in after.gone.items() if name not in damaged})


def readable(place: Place, name: str) -> bool:
    """Whether a Parquet file can be read whole."""
    try:
        return whole(place.path(name))
    except FileNotFoundError:
        return False


def whole(path: Path) -> bool:
    """Whether a Parquet file can be read whole.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    try:
        with pq.ParquetFile(path) as file:
            for _ in file.iter_batches():
                pass
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError):
        return False
    return True


def _batch(hot: list[Entry], limit: int) -> Iterator[Entry]:
    rows = size = 0
    for entry in hot:
        rows += appended.rows(entry)
        size += entry.bytes
        if rows > appended.rows(entry) and (rows > limit or size > STEP_BYTES):
            return
        yield entry


def _step(
    place: Place, manifest: Manifest, hot: list[Entry], depths: list[Entry], now: datetime
) -> Manifest | None:
    """One commit; None when somebody else's came first."""
    began = time.monotonic()
    with (
        place.spill() as spill,
        queries.background(spill) as connection,
        Output(place, connection, now) as output,
    ):
        in_flight = [str(place.path(segment.name)) for segment in manifest.of("open")]
        paths = [str(place.path(entry.name)) for entry in hot]
        rows = read_rows(paths, events.SCHEMA, connection)
        base = read_settled(in_flight) if in_flight else "nothing_in_flight"
        nothing = query(
            "merged", partials=query("partials_of_events", events=read_rows([], events.SCHEMA, connection))
        )
        connection.execute(f"CREATE TEMP VIEW nothing_in_flight AS {nothing}")
        gathered = gather(connection, place, manifest, base=base, rows=rows, now=now)
        settle(output, connection, now)
        for segment in gathered.holders:
            path = str(place.path(segment.name))
            output.write("tasks", segment.day, query("without_found", [path]), ended=segment.ended)
        output.write("open", "", query("in_flight"))
        connection.execute(f"CREATE TEMP TABLE other AS {query('others', events=rows)}")
        _keep(output, connection, "heartbeats", "other")
        if depths:
            sampled = read_rows([str(place.path(entry.name)) for entry in depths], DEPTHS, connection)
            _keep(output, connection, "samples", sampled)
        after = manifest.after(
            now,
            add=output.segments,
            drop=[segment.name for segment in (*manifest.of("open"), *gathered.holders)],
            consumed=[entry.name for entry in hot + depths],
            events=manifest.events + sum(appended.rows(entry) for entry in hot),
            source=appended.source(place, hot) or manifest.source,
            folded=micros(now),
            seconds=time.monotonic() - began,
        )
        return after if output.commit(after) else None


def settle(output: Output, connection: duckdb.DuckDBPyConnection, now: datetime) -> None:
    """Write the records of the tasks that ended, a file a day."""
    records = query("records", partials="task")
    moments = query("moments", partials="task")
    connection.execute(query("judged", records=records, moments=moments), {"now": now})
    for day, ended, _ in connection.execute(query("judged_days")).fetchall():
        chosen = query("judged_day", day=f"DATE '{day}'", ended=str(ended))
        output.write("tasks", str(day), chosen, ended=ended)


def _keep(output: Output, connection: duckdb.DuckDBPyConnection, kind: str, rows: str) -> None:
    """Write rows that are kept as they are, a file a day."""
    for day, _ in connection.execute(query("kept_days", rows=rows)).fetchall():
        output.write(kind, str(day), query("kept_day", rows=rows, day=f"DATE '{day}'"))  # type: ignore[arg-type]
