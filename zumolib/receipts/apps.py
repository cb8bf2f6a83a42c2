"""The Django app of the receipts."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import pre_migrate


class ReceiptsConfig(AppConfig):
    """Holds one table, which only grows."""

    name = "zumolib.receipts"
    label = "receipts"
    verbose_name = "Actions"

    def ready(self) -> None:
        """Let a database become one that several processes write when, and only when, its tables are made."""
        pre_migrate.connect(_write_ahead, sender=self)


def _write_ahead(using: str, **_: Any) -> None:
    """SQLite keeps its journal's mode in the file, so this must never be done to a file that is only read."""
    from django.db import connections

    if connections[using].vendor == "sqlite":
        with connections[using].cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
