"""The Django app of the leases."""

from __future__ import annotations

from django.apps import AppConfig


class LeasesConfig(AppConfig):
    """Holds one table, with a row for each thing that one process may do at a time."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "zumolib.schedule.leases"
    label = "leases"
    verbose_name = "Leases"
