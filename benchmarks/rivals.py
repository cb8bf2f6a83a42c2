"""The same question asked elsewhere: latency by task, of the tasks that finished in a window.

Each rival gives, by name: count, failures, and of queue wait and of run time p50, p90, p95, p99 and the
maximum, so that the answers can be compared and not only the times.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

QUANTILES = (0.5, 0.9, 0.95, 0.99)
# What the rivals store: without the long texts, which is to their advantage.
COLUMNS = (
    "task_id", "name", "queue", "worker", "state", "sent", "received", "started", "finished", "queue_wait",
    "run_time", "retries",
)  # fmt: skip
MOMENTS = ("sent", "received", "started", "finished")

Answer = dict[str, tuple[float, ...]]


class TooSlow(Exception):
    """A question took longer than it was given."""


class Files:
    """What is asked: settled Parquet files, by day."""

    def __init__(self, root: Path) -> None:
        self.paths = sorted(root.glob("tasks/day=*/*.parquet"))
        if not self.paths:
            raise FileNotFoundError(
                f"{root} has no settled records; name a folder made by benchmarks.generated"
            )

    def of(self, start: datetime, end: datetime) -> list[str]:
        """Those of the days that the window touches, as a person would name them."""
        first, last = start.date(), (end - timedelta(microseconds=1)).date()
        names = {f"day={first + timedelta(days=n)}" for n in range((last - first).days + 1)}
        return [str(path) for path in self.paths if path.parent.name in names]


class DuckDB:
    """The floor: the query that a person who knows the files would write by hand."""

    name = "hand-written DuckDB query"

    def __init__(self, files: Files) -> None:
        self._files = files
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")

    def ask(self, start: datetime, end: datetime, limit: float) -> pd.DataFrame:
        return self._connection.execute(
            f"""
            SELECT name, count(*) AS count, count(*) FILTER (state = 'FAILURE') AS failures,
                   quantile_cont(queue_wait, {list(QUANTILES)}) AS waits, max(queue_wait) AS longest_wait,
                   quantile_cont(run_time, {list(QUANTILES)}) AS runs, max(run_time) AS longest_run
            FROM read_parquet({self._files.of(start, end)}, hive_partitioning = false)
            WHERE finished >= $start AND finished < $end
            GROUP BY name ORDER BY name
            """,
            {"start": start, "end": end},
        ).df()

    def answer(self, found: pd.DataFrame) -> Answer:
        return {r[0]: (r[1], r[2], *r[3], r[4], *r[5], r[6]) for r in found.itertuples(index=False)}

    def close(self) -> None:
        self._connection.close()


class Pandas:
    """The columns that are needed, read into a frame, and grouped there."""

    name = "pandas"

    def __init__(self, files: Files) -> None:
        self._files = files

    def ask(self, start: datetime, end: datetime, limit: float) -> pd.DataFrame:
        frame = pd.concat(
            pd.read_parquet(path, columns=["name", "state", "finished", "queue_wait", "run_time"])
            for path in self._files.of(start, end)
        )
        frame = frame[(frame["finished"] >= start) & (frame["finished"] < end)]
        grouped = frame.groupby("name")
        found = pd.DataFrame(
            {"count": grouped.size(), "failures": frame["state"].eq("FAILURE").groupby(frame["name"]).sum()}
        )
        for column in ("queue_wait", "run_time"):
            quantiles = grouped[column].quantile(list(QUANTILES)).unstack()
            found[[f"{column}_{q}" for q in QUANTILES]] = quantiles
            found[f"{column}_max"] = grouped[column].max()
        return found

    def answer(self, found: pd.DataFrame) -> Answer:
        return {row[0]: tuple(row[1:]) for row in found.itertuples()}

    def close(self) -> None:
        """Nothing is kept."""


class PostgreSQL:
    """A server of its own, with the index that this question asks for, vacuumed and analyzed."""

    name = "PostgreSQL"
    settings = ("shared_buffers=2GB", "work_mem=256MB", "maintenance_work_mem=1GB", "max_wal_size=8GB")

    def __init__(self, files: Files) -> None:
        import psycopg

        from tests.services.postgresql import postgresql

        self._open = ExitStack()
        place = self._open.enter_context(postgresql(*self.settings))
        names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "NAME": "dbname"}
        login: dict[str, Any] = {names[key]: value for key, value in place.items()}
        self._connection = self._open.enter_context(psycopg.connect(autocommit=True, **login))
        version = self._connection.info.server_version // 10_000
        self.name = f"PostgreSQL {version}"
        types = {"finished": "timestamptz", "retries": "bigint", "queue_wait": "float8", "run_time": "float8"}
        types |= dict.fromkeys(MOMENTS, "timestamptz")
        columns = ", ".join(f"{column} {types.get(column, 'text')}" for column in COLUMNS)
        self._connection.execute(f"CREATE UNLOGGED TABLE task ({columns})")
        self._load(files)
        self._connection.execute(
            "CREATE INDEX ON task (finished) INCLUDE (name, state, queue_wait, run_time)"
        )
        self._connection.execute("VACUUM ANALYZE task")

    def _load(self, files: Files) -> None:
        with tempfile.TemporaryDirectory() as folder, duckdb.connect() as source:
            source.execute("SET TimeZone = 'UTC'")
            text = Path(folder, "day.csv")
            for path in files.paths:
                source.execute(
                    f"COPY (SELECT {', '.join(COLUMNS)} FROM read_parquet('{path}')) TO '{text}' (HEADER false)"
                )
                with (
                    self._connection.cursor().copy("COPY task FROM STDIN (FORMAT csv)") as copy,
                    text.open("rb") as rows,
                ):
                    while block := rows.read(1 << 20):
                        copy.write(block)

    def ask(self, start: datetime, end: datetime, limit: float) -> list[tuple[Any, ...]]:
        import psycopg

        many = list(QUANTILES)
        try:
            self._connection.execute(f"SET statement_timeout = {int(limit * 1000)}")
            return self._connection.execute(
                """
                SELECT name, count(*), count(*) FILTER (WHERE state = 'FAILURE'),
                       percentile_cont(%s::float8[]) WITHIN GROUP (ORDER BY queue_wait), max(queue_wait),
                       percentile_cont(%s::float8[]) WITHIN GROUP (ORDER BY run_time), max(run_time)
                FROM task WHERE finished >= %s AND finished < %s GROUP BY name
                """,
                (many, many, start, end),
            ).fetchall()
        except psycopg.errors.QueryCanceled:
            raise TooSlow from None

    def answer(self, found: list[tuple[Any, ...]]) -> Answer:
        return {name: (n, bad, *waits, wait, *runs, run) for name, n, bad, waits, wait, runs, run in found}

    def close(self) -> None:
        self._open.close()


class SQLite:
    """One file with a covering index; quantiles by ranks, since it has no function for them."""

    name = "SQLite"

    def __init__(self, files: Files) -> None:
        self._folder = tempfile.mkdtemp(prefix="zumo-bench-")
        self._connection = sqlite3.connect(Path(self._folder, "tasks.sqlite3"))
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "cache_size = -2000000",
            "mmap_size = 8000000000",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(f"CREATE TABLE task ({', '.join(COLUMNS)})")
        marks = ", ".join("?" * len(COLUMNS))
        chosen = ", ".join(f"epoch_us({c}) AS {c}" if c in MOMENTS else c for c in COLUMNS)
        with duckdb.connect() as source:
            for path in files.paths:
                rows = source.execute(f"SELECT {chosen} FROM read_parquet('{path}')").fetchall()
                self._connection.executemany(f"INSERT INTO task VALUES ({marks})", rows)
        self._connection.execute("CREATE INDEX by_end ON task (finished, name, state, queue_wait, run_time)")
        self._connection.execute("ANALYZE")
        self._connection.commit()

    def ask(self, start: datetime, end: datetime, limit: float) -> Answer:
        until = time.perf_counter() + limit
        self._connection.set_progress_handler(lambda: time.perf_counter() > until, 1_000_000)
        window = [int(moment.timestamp()) * 1_000_000 for moment in (start, end)]
        within = "finished >= ? AND finished < ?"
        try:
            found = {
                name: [n, failures]
                for name, n, failures in self._connection.execute(
                    f"SELECT name, count(*), sum(state = 'FAILURE') FROM task WHERE {within} GROUP BY name",
                    window,
                )
            }
            for column in ("queue_wait", "run_time"):
                values: dict[str, dict[float, float]] = {}
                for name, quantile, value in self._connection.execute(self._ranks(column, within), window):
                    values.setdefault(name, {})[quantile] = value
                for name, its in values.items():
                    found[name] += [its[quantile] for quantile in (*QUANTILES, 1.0)]
        except sqlite3.OperationalError as error:
            if "interrupted" not in str(error):
                raise
            raise TooSlow from None
        return {name: tuple(row) for name, row in found.items()}

    def _ranks(self, column: str, within: str) -> str:
        wanted = ", ".join(f"({quantile})" for quantile in (*QUANTILES, 1.0))
        return f"""
            WITH ranked AS (
                SELECT name, {column} AS value, row_number() OVER its - 1 AS rank,
                       lead({column}) OVER its AS next, count(*) OVER (PARTITION BY name) - 1 AS last
                FROM task WHERE {within} AND {column} IS NOT NULL
                WINDOW its AS (PARTITION BY name ORDER BY {column})
            ),
            wanted(quantile) AS (VALUES {wanted})
            SELECT name, quantile, value + (quantile * last - rank) * coalesce(next - value, 0)
            FROM ranked JOIN wanted ON rank = CAST(quantile * last AS INTEGER)
        """

    def answer(self, found: Answer) -> Answer:
        return found

    def close(self) -> None:
        self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)


Rival = DuckDB | Pandas | PostgreSQL | SQLite
RIVALS: dict[str, type[Rival]] = {
    "duckdb": DuckDB,
    "pandas": Pandas,
    "postgresql": PostgreSQL,
    "sqlite": SQLite,
}


def same(one: Answer, other: Answer) -> bool:
    """Whether two answers say the same, to a microsecond."""
    return one.keys() == other.keys() and all(
        abs(a - b) <= 2e-6 for name in one for a, b in zip(one[name], other[name], strict=True)
    )


def names(text: str) -> Sequence[str]:
    """Rivals of a list with commas, if all are known."""
    chosen = [name for name in text.split(",") if name]
    unknown = [name for name in chosen if name not in RIVALS]
    if unknown:
        raise SystemExit(f"{', '.join(unknown)}: no such rival; choose from {', '.join(RIVALS)}")
    return chosen
