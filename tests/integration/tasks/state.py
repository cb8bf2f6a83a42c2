"""The whole state that tasks can change, to compare one moment with another."""

from __future__ import annotations

from typing import Any

import redis
from django.apps import apps
from django.conf import settings

from tasks.core.vacuum import tables
from tests.integration.tasks.platforms import PROVIDER

# Measured times and leases differ from run to run by their nature.
MEASURED = {"milliseconds", "seconds", "latency_ms", "held_at", "sent_at"}
OMITTED = {"lease"}
COUNTER = b":aggregate-hits:"  # of reads, which even a look counts


def flush() -> None:
    """Empty the business tables; keys begin at 1 again."""
    from django.core.management.color import no_style
    from django.db import connection

    statements = connection.ops.sql_flush(no_style(), tables(), reset_sequences=True, allow_cascade=True)
    connection.ops.execute_sql_flush(statements)


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every table by their key, as the database has them."""
    from django.db import connection

    quote, found = connection.ops.quote_name, {}
    with connection.cursor() as cursor:
        for model in apps.get_app_config("tasks").get_models():
            if model._meta.model_name not in OMITTED:
                columns = [quote(f.column) for f in model._meta.concrete_fields if f.name not in MEASURED]
                cursor.execute(
                    f"SELECT {', '.join(columns)} FROM {quote(model._meta.db_table)} "
                    f"ORDER BY {quote(model._meta.pk.column)}"
                )
                found[model._meta.model_name] = cursor.fetchall()
    return found


def snapshot(platform: Any) -> dict[str, Any]:
    """Every row, file, message, object of the payment provider, and key of the cache."""
    with redis.Redis.from_url(settings.CACHES["default"]["LOCATION"]) as client:
        cached = sorted(key for key in client.scan_iter() if COUNTER not in key)
    files = {
        str(path.relative_to(platform.folder)): path.stat().st_size
        for path in sorted(platform.folder.rglob("*"))
        if path.is_file() and not path.name.startswith(PROVIDER)
    }
    return {
        "tables": rows(),
        "files": files,
        "messages": len(platform.inbox.messages),
        "provider": platform.provider.objects(),
        "cache": cached,
    }


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """In what two snapshots differ, short enough to read: rows, or entries, that are in one only."""
    found = {}
    for what in before:
        if what == "tables":
            found |= {
                name: _apart(before[what][name], after[what][name])
                for name in before[what]
                if before[what][name] != after[what][name]
            }
        elif before[what] != after[what]:
            found[what] = _apart(before[what], after[what])
    return found


def _apart(before: Any, after: Any, shown: int = 3) -> Any:
    if isinstance(before, int):
        return before, after
    first, second = ({repr(item) for item in _items(value)} for value in (before, after))
    return {
        "only before": [text[:300] for text in sorted(first - second)[:shown]],
        "only after": [text[:300] for text in sorted(second - first)[:shown]],
    }


def _items(value: Any) -> Any:
    return value.items() if isinstance(value, dict) else value
