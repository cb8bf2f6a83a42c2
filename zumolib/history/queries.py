"""The package's named SQL statements, and the DuckDB that runs them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import duckdb

from zumolib.conf import conf

# Everything needed is built in: a query never reaches for the network.
_OFFLINE = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def connect() -> duckdb.DuckDBPyConnection:
    """A connection of the caller's own, with its own temporary tables; a fork does not inherit any."""
    return _database(os.getpid()).cursor()


def forget() -> None:
    """Open a new database next time: some errors leave one that answers no more."""
    _database.cache_clear()


def background(spill: Path, memory: str = "500MB") -> duckdb.DuckDBPyConnection:
    """A database for work beside a recorder: one thread, bounded memory, and files in `spill` beyond it."""
    return _open({"threads": "1", "memory_limit": memory, "temp_directory": os.fspath(spill)})


def query(name: str, files: Iterable[Path | str] = (), **parts: str) -> str:
    """The statement of this name.

    Parameters
    ----------
    name
        As in the line ``-- name: …`` of a .sql file of the package.
    files
        Parquet files, for its placeholder ``{files}``.
    parts
        Table expressions for its other placeholders.
    """
    return fill(_statements()[name], files=listed(files), **parts)


def fill(text: str, **parts: str) -> str:
    """Put these table expressions in the place of their names in braces, once; they are not looked into."""
    return re.sub(r"\{(\w+)\}", lambda found: parts.get(found[1], found[0]), text)


def listed(files: Iterable[Path | str]) -> str:
    """Paths as a list of SQL constants."""
    return "[" + ", ".join(quoted(file) for file in files) + "]"


def quoted(text: Path | str) -> str:
    """A constant of SQL."""
    return "'" + os.fspath(text).replace("'", "''") + "'"


@cache
def _database(process: int) -> duckdb.DuckDBPyConnection:
    """One in-memory database a process: opening it takes longer than a query of the last hour."""
    threads = conf().ZUMO_QUERY_THREADS
    return _open({} if threads is None else {"threads": str(threads)})


def _open(options: dict[str, str]) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(":memory:", config=_OFFLINE | options)  # type: ignore[arg-type]
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    return database


@cache
def _statements() -> dict[str, str]:
    """All statements of the package; the last semicolon goes, so that one can stand within another."""
    found: dict[str, str] = {}
    for path in sorted(Path(__file__).parents[1].rglob("*.sql")):
        parts = re.split(r"^-- name: (\w+)$", path.read_text(), flags=re.MULTILINE)
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            found[name] = "\n" + text.strip().removesuffix(";") + "\n"
    return found
