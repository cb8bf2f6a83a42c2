"""What new events say, joined with what is known of the same tasks, in flight or settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from zumolib.history import events, queries
from zumolib.history.manifest import Manifest, Segment, moment
from zumolib.history.place import Place
from zumolib.history.queries import query

DEPTHS = pa.schema(
    [
        ("at", events.MOMENT),
        ("queue", pa.string()),
        ("ready", pa.int64()),  # messages
        ("unacked", pa.int64()),  # messages
        ("consumers", pa.int64()),
        ("rate_in", pa.float64()),  # messages a second that were put into the queue
        ("rate_out", pa.float64()),  # messages a second that were delivered
    ]
)
"""One row a queue and sample; what a broker does not tell is missing."""


def read_rows(files: Sequence[str], schema: pa.Schema, connection: duckdb.DuckDBPyConnection) -> str:
    """A table expression over Parquet files, with every column of `schema`, whatever version wrote them."""
    name = f"no_{'depths' if schema is DEPTHS else 'events'}"
    connection.register(name, schema.empty_table())
    if not files:
        return name
    columns = ", ".join(f'"{column}"' for column in schema.names)
    return (
        f"(SELECT {columns} FROM (SELECT * FROM {name} UNION ALL BY NAME SELECT * FROM "
        f"read_parquet({queries.listed(files)}, union_by_name = true, hive_partitioning = false)))"
    )


def read_settled(files: Sequence[str]) -> str:
    """A table expression over files of one form."""
    return f"read_parquet({queries.listed(files)}, hive_partitioning = false)"


@dataclass(frozen=True)
class Gathered:
    """What :func:`gather` left in the temporary tables ``task`` (partial rows) and ``found``."""

    holders: tuple[Segment, ...]  # settled segments with older records of these tasks


def gather(
    connection: duckdb.DuckDBPyConnection,
    place: Place,
    manifest: Manifest,
    *,
    base: str,
    rows: str,
    now: datetime,
) -> Gathered:
    """Fold events into partial rows, together with all that is known of the same ids.

    Parameters
    ----------
    base
        Table expression of the partial rows of tasks in flight, an id once, none of them settled.
    rows
        Table expression of the new events.

    Raises
    ------
    duckdb.Error
        A file cannot be read.
    """
    partials = query("partials_of_events", events=rows)
    connection.execute(query("fresh", merged=query("merged", partials=partials)))
    moments = query("moments", partials="fresh")
    connection.execute(query("unsure", moments=moments, base=base), {"now": now})
    [(bound, strange)] = connection.execute(query("bounds")).fetchall()
    near = _near(manifest, bound, strange) if bound is not None else []
    paths = {str(place.path(segment.name)): segment for segment in near}
    holders: tuple[Segment, ...] = ()
    if paths:
        connection.execute(query("settled", paths), {"bound": moment(bound)})
        connection.execute(query("found", partials=query("partials_of_records", records="settled")))
        held = connection.execute("SELECT DISTINCT segment FROM found").fetchall()
        holders = tuple(paths[path] for (path,) in held)
    else:
        connection.execute(query("none_found"))
    merged = query("merged", partials=query("to_merge", base=base))
    connection.execute(query("task", merged=merged, base=base))
    return Gathered(holders)


def _near(manifest: Manifest, bound: int, strange: bool) -> list[Segment]:
    """Settled segments that may hold a task which was known at `bound` (microseconds since 1970) or later."""
    return [
        segment
        for segment in manifest.of("tasks")
        if (not segment.ended and strange)
        or max(segment.high or segment.made, segment.last or segment.made) >= bound
    ]
