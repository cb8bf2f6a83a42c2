"""The whole state that tasks can change, to compare one moment with another."""

from __future__ import annotations

from typing import Any

from django.apps import apps

from tasks.vacuum import tables

# Measured times and leases differ from run to run by their nature.
MEASURED = {"milliseconds", "seconds", "latency_ms", "held_at", "sent_at"}
OMITTED = {"lease"}


def flush() -> None:
    """Empty the business tables; keys begin at 1 again."""
    from django.core.management.color import no_style
    from django.db import connection

    statements = connection.ops.sql_flush(no_style(), tables(), reset_sequences=True, allow_cascade=True)
    connection.ops.execute_sql_flush(statements)


def snapshot(platform: Any) -> dict[str, Any]:
    """Every row, every file, every message, every charge."""
    tables = {}
    for model in apps.get_app_config("tasks").get_models():
        if model._meta.model_name not in OMITTED:
            columns = [f.attname for f in model._meta.concrete_fields if f.name not in MEASURED]
            tables[model._meta.model_name] = sorted(model._base_manager.values_list(*columns), key=repr)
    files = {
        str(path): path.stat().st_size
        for folder in (platform.BACKUPS, platform.ARCHIVES, platform.TEMPORARY)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return {
        "tables": tables,
        "files": files,
        "messages": len(platform.inbox.messages),
        "charges": [(intent["id"], intent["status"]) for intent in platform.provider.intents()],
    }
