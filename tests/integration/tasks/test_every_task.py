"""What holds for every task: it finds work in the demo data, works once for one moment, and asks the
database as often for much data as for little."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks import analytics, catalog, core, demo, zumodra
from tests.integration.tasks.state import snapshot

TASKS = (
    analytics.update_dashboard_cache,
    core.backup_rotation_task,
    core.cache_warming_task,
    core.cleanup_old_sessions_task,
    core.cleanup_temp_files_task,
    core.database_vacuum_task,
    core.failed_payment_retry_task,
    core.ssl_renewal_check_task,
    zumodra.backup_database,
    zumodra.cleanup_expired_sessions,
    zumodra.cleanup_old_audit_logs,
    zumodra.health_check_integrations,
)
# What a summary counts when there was work; a bare count of what was looked at is no work.
WORK = ("refreshed", "deleted", "warmed", "tables", "recovered", "unreachable", "made", "changed")
NO_ROW = (core.database_vacuum_task, analytics.update_dashboard_cache)  # these change no row
each_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name.rpartition(".")[2])


def test_the_list_is_complete() -> None:
    from celery import current_app

    modules = {module.__name__ for module in catalog.MODULES}
    shared = {name for name, task in current_app.tasks.items() if task.__module__ in modules}
    assert {task.name for task in TASKS} == shared


def test_first_run_on_demo_data_finds_work_and_second_changes_nothing(platform: Any, settings: Any) -> None:
    settings.TLS_DOMAINS = ["127.0.0.1:1"]
    demo.load(scale=0.2, now=platform.now)
    after = snapshot(platform)
    wrong = {}
    for task in TASKS:
        before = after
        summary = json.loads(json.dumps(task(now=platform.now.isoformat())))
        after = snapshot(platform)
        task(now=platform.now.isoformat())
        found = {
            "work": any(summary.get(counter) for counter in WORK) and summary["skipped"] == 0,
            "effect": after != before or task in NO_ROW,
            "once": snapshot(platform) == after,
        }
        if not all(found.values()):
            wrong[task.name] = found, summary
    assert wrong == {}


def test_queries_do_not_grow_with_rows(platform: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts: dict[str, list[int]] = {task.name: [] for task in TASKS}
    for minute, scale in enumerate((0.1, 0.5)):
        demo.load(scale=scale, now=platform.now)
        for task in TASKS:
            with CaptureQueriesContext(connection) as queries:
                task(now=platform.now.replace(minute=minute).isoformat())
            counts[task.name].append(len(queries))
    # One more is no growth: where there is nothing of some kind its query is not made.
    assert {name: count for name, count in counts.items() if count[1] > count[0] + 1} == {}


def test_an_empty_platform_is_no_trouble(platform: Any) -> None:
    skipped = {task.name: task(now=platform.now.isoformat())["skipped"] for task in TASKS}
    assert set(skipped.values()) == {0}


@each_task
def test_a_wrong_moment_is_refused(task: Any) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        task(now="tomorrow")
