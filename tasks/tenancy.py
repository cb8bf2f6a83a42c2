"""Runs for one tenant alone."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet


def only(rows: QuerySet[Any], tenant_id: int | None, path: str = "tenant") -> QuerySet[Any]:
    """`rows` of one tenant, or all of them for None; `path` leads from a row to its tenant."""
    return rows if tenant_id is None else rows.filter(**{path: tenant_id})
