"""The Django app of the receipts."""

from __future__ import annotations

from django.apps import AppConfig


class ReceiptsConfig(AppConfig):
    """Holds one table, which only grows."""

    name = "zumolib.receipts"
    label = "receipts"
    verbose_name = "Actions"
