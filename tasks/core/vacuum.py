"""Give the database back the room of deleted rows, and tell it anew how its tables are filled."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connection

from tasks.base.errors import TaskError


def tables() -> list[str]:
    """The business tables."""
    return sorted(model._meta.db_table for model in apps.get_app_config("tasks").get_models())


def vacuum(analyze: bool) -> dict[str, Any]:
    """Vacuum the business tables.

    Returns
    -------
    dict
        On PostgreSQL ``dead_rows_before`` and ``dead_rows_after``, as its statistics count them; on
        SQLite ``free_pages_before`` and ``free_pages_after``; on both ``tables`` and bytes before and
        after.

    Raises
    ------
    TaskError
        It was called inside a transaction, where no database does this.
    """
    if connection.in_atomic_block:
        raise TaskError("VACUUM cannot run inside a transaction; call the task outside of one")
    work = _vacuum_sqlite if connection.vendor == "sqlite" else _vacuum_postgresql
    return {"engine": connection.vendor, "tables": len(tables()), "analyzed": analyze} | work(analyze)


def refresh_statistics() -> None:
    """Tell the database how its tables are filled, so that it chooses the right index for each query.

    PostgreSQL does so by itself after a while; SQLite never.
    """
    listed = ", ".join(connection.ops.quote_name(table) for table in tables())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else f"ANALYZE {listed}")


def _vacuum_postgresql(analyze: bool) -> dict[str, int]:
    listed = ", ".join(connection.ops.quote_name(table) for table in tables())
    before = _postgresql_state()
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM {'(ANALYZE) ' if analyze else ''}{listed}")
    after = _postgresql_state()
    return {
        "dead_rows_before": before[0],
        "dead_rows_after": after[0],
        "bytes_before": before[1],
        "bytes_after": after[1],
    }


def _postgresql_state() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE(SUM(n_dead_tup), 0)::bigint,"
            " COALESCE(SUM(pg_total_relation_size(relid)), 0)::bigint"
            " FROM pg_stat_user_tables WHERE relname = ANY(%s)",
            [tables()],
        )
        dead, size = cursor.fetchone()
    return dead, size


def _vacuum_sqlite(analyze: bool) -> dict[str, int]:
    before = _sqlite_state()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
        if analyze:
            refresh_statistics()
        # The log has grown by the whole file; a reader that is still busy keeps it, which is no harm.
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.fetchall()
    after = _sqlite_state()
    return {
        "free_pages_before": before[0],
        "free_pages_after": after[0],
        "bytes_before": before[1],
        "bytes_after": after[1],
    }


def _sqlite_state() -> tuple[int, int]:
    with connection.cursor() as cursor:
        numbers = []
        for name in ("freelist_count", "page_count", "page_size"):
            cursor.execute(f"PRAGMA {name}")
            numbers.append(cursor.fetchone()[0])
    free, pages, size = numbers
    return free, pages * size
