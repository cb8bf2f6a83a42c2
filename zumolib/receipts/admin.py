"""Receipts in Django's admin: to be read only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from zumolib.receipts.models import Receipt


@admin.register(Receipt)
class ReceiptAdmin(admin.ModelAdmin):
    """A list of the actions, and each with all that is known of it."""

    list_display = ("id", "started_at", "actor", "action", "target", "state", "checked", "reason")
    list_filter = ("action", "state", "verdict")
    search_fields = ("target", "summary", "actor", "reason", "outcome")
    date_hierarchy = "started_at"

    @admin.display(description="checked", ordering="verdict")
    def checked(self, row: Receipt) -> str:
        """What was observed, in the words of every other place."""
        return str(row.checked)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only actions write receipts."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes one."""
        return False
