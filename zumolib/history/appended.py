"""Files as a recorder appends them: small ones, many, soon folded.

The name tells when a file was written and how many rows it has, ``events/<ms>-<rows>-<random>.parquet``.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zumolib.history.place import Entry, Place

EVENTS, DEPTHS = "events", "depths"

_SOURCE = b"zumo.source"

# Columns of few values; ids and texts are written as they are.
_REPEATED = [
    "type", "hostname", "pid", "name", "queue", "exchange", "routing_key", "retries", "entry", "requeue",
    "sw_ver", "freq",
]  # fmt: skip


def write(place: Place, folder: str, table: pa.Table, source: str | None = None) -> str:
    """Put rows there; when this returns they survive a power cut.

    Raises
    ------
    HistoryError
        The place cannot be written.
    """
    millis = int(datetime.now(UTC).timestamp() * 1000)
    name = f"{folder}/{millis:013}-{table.num_rows}-{secrets.token_hex(6)}.parquet"
    table = table.replace_schema_metadata({_SOURCE: source.encode()} if source else None)
    repeated = [column for column in _REPEATED if column in table.column_names]

    def put(path: Path) -> None:
        pq.write_table(table, path, compression="zstd", compression_level=1, use_dictionary=repeated)

    place.put(name, put)
    return name


def rows(entry: Entry) -> int:
    """How many rows a file has, as its name says; a guess where it does not."""
    parts = entry.name.rpartition("/")[2].split("-")
    told = parts[-2] if len(parts) > 1 else ""
    return int(told) if told.isdigit() else max(1, entry.bytes // 50)


def written(entry: Entry) -> float:
    """When it was written, in seconds since 1970."""
    first = entry.name.rpartition("/")[2].split("-")[0]
    return int(first) / 1000 if len(first) == 13 and first.isdigit() else entry.modified


def source(place: Place, entries: Sequence[Entry]) -> str | None:
    """How the latest events were taken: stream, queue or pubsub."""
    for entry in sorted(entries, key=written, reverse=True):
        try:
            metadata = pq.read_metadata(place.path(entry.name)).metadata or {}
        except (FileNotFoundError, pa.ArrowException, OSError):
            continue  # gone, or damaged: another one tells
        if _SOURCE in metadata:
            return str(metadata[_SOURCE].decode())
    return None
