"""The named statements of ``queries.sql``, and the DuckDB that runs them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import duckdb


def connect() -> duckdb.DuckDBPyConnection:
    """A connection of the caller's own, with its own temporary tables; a fork does not inherit any."""
    return _database(os.getpid()).cursor()


def forget() -> None:
    """Open a new database next time: some errors leave one that answers no more."""
    _database.cache_clear()


def query(name: str, files: Iterable[Path] = ()) -> str:
    """The statement of this name, over these Parquet files."""
    paths = ", ".join("'" + os.fspath(path).replace("'", "''") + "'" for path in files)
    return _statements()[name].format(files=f"[{paths}]")


@cache
def _database(process: int) -> duckdb.DuckDBPyConnection:
    """One in-memory database a process: opening it takes longer than a query of the last hour."""
    # Everything needed is built in: a query never reaches for the network.
    options = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    database = duckdb.connect(":memory:", config=options)  # type: ignore[arg-type]
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    return database


@cache
def _statements() -> dict[str, str]:
    text = Path(__file__).with_name("queries.sql").read_text()
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
