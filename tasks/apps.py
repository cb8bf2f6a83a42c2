"""The Django app of the platform's business data."""

from __future__ import annotations

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """Label ``tasks``: its tables are named ``tasks_*``."""

    name = "tasks"
    label = "tasks"
    default_auto_field = "django.db.models.BigAutoField"
