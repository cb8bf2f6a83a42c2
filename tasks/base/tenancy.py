"""Rows of one tenant, or of all of them."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)


def within(rows: QuerySet[Row], tenant_id: int | None, path: str = "tenant") -> QuerySet[Row]:
    """`rows` of the tenant that `path` leads to; all of them where no tenant is named."""
    return rows if tenant_id is None else rows.filter(**{path: tenant_id})
