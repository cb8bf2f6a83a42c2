"""A history whose manifests are lost: its files are taken for what they are.

Among them may be files that others had replaced already, so a task may lie in several. Such rows are
merged, as late events are, and what they were in is written anew.
"""

from __future__ import annotations

import logging
from datetime import datetime

import duckdb

from zumolib.errors import HistoryError
from zumolib.history import events, queries
from zumolib.history.fold import readable, settle
from zumolib.history.gathering import read_rows, read_settled
from zumolib.history.manifest import KINDS, Manifest
from zumolib.history.output import Output
from zumolib.history.place import Place
from zumolib.history.queries import query

logger = logging.getLogger(__name__)


def adopt(place: Place, manifest: Manifest, now: datetime) -> Manifest:
    """The state with every folded file that lies in the place; the same one where there is none.

    Raises
    ------
    HistoryError
        The place cannot be read or written.
    """
    there = [(kind, entry) for kind in KINDS for entry in place.entries(kind)]
    if not there:
        return manifest
    logger.warning("%s: no manifest tells which files count; all %s are taken", place.url, len(there))
    damaged = [entry.name for _, entry in there if not readable(place, entry.name)]
    with (
        place.spill() as spill,
        queries.background(spill) as connection,
        Output(place, connection, now) as output,
    ):
        try:
            for kind, entry in there:
                if entry.name not in damaged:
                    _, _, day = entry.name.rpartition("/")[0].partition("day=")
                    output.take(kind, entry, day)
            known = {segment.name: segment for segment in output.segments}
            replaced = _merge_doubles(place, connection, output, now)
        except duckdb.Error as error:
            raise HistoryError(f"{place.url} cannot be taken up again: {error}") from error
        segments = [segment for segment in output.segments if segment.name not in replaced]
        drop = [name for name in replaced if name in known]
        after = manifest.after(now, add=segments, drop=drop, damaged=tuple(sorted(damaged)))
        return after if output.commit(after) else manifest


def _merge_doubles(
    place: Place, connection: duckdb.DuckDBPyConnection, output: Output, now: datetime
) -> set[str]:
    """Write each task once; returns the names of the files that are replaced by that."""
    taken = list(output.segments)
    paths = {str(place.path(s.name)): s for s in taken if s.kind == "tasks"}
    in_flight = [s for s in taken if s.kind == "open"]
    nothing = query("partials_of_events", events=read_rows([], events.SCHEMA, connection))
    base = read_settled([str(place.path(s.name)) for s in in_flight]) if in_flight else f"({nothing})"
    connection.execute(query("fresh", merged=query("merged", partials=base)))
    if paths:
        connection.execute(query("doubles", paths))
        connection.execute(query("found", partials=query("partials_of_records", records="settled")))
    else:
        connection.execute(query("none_found"))
    merged = query("merged", partials=query("to_merge", base="(FROM fresh LIMIT 0)"))
    connection.execute(query("task", merged=merged, base="(FROM fresh LIMIT 0)"))
    settle(output, connection, now)
    held = connection.execute("SELECT DISTINCT segment FROM found").fetchall()
    holders = [paths[path] for (path,) in held]
    for segment in holders:
        path = str(place.path(segment.name))
        output.write("tasks", segment.day, query("without_found", [path]), ended=segment.ended)
    output.write("open", "", query("in_flight"))
    return {segment.name for segment in (*holders, *in_flight)}
