"""Rows that a query computes, into their table without a way through Python: one statement for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet


def upsert(model: type[Model], rows: QuerySet[Any], columns: Sequence[str], key: Sequence[str]) -> int:
    """Insert what `rows` selects; what is there under the same `key` is overwritten.

    Parameters
    ----------
    rows
        Grouped or filtered values (``values_list``), in the order of `columns`.
    columns, key
        Names of the model's fields; `key` has a unique constraint.
    """
    connection = connections[rows.db]
    quoted = connection.ops.quote_name
    names = {name: quoted(model._meta.get_field(name).column) for name in columns}
    others = ", ".join(f"{names[c]} = excluded.{names[c]}" for c in columns if c not in key)
    query, parameters = rows.query.get_compiler(rows.db).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quoted(model._meta.db_table)} ({', '.join(names.values())}) {query} "
            f"ON CONFLICT ({', '.join(names[c] for c in key)}) DO UPDATE SET {others}",
            parameters,
        )
        return int(cursor.rowcount)
