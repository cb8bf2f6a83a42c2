"""Where a task is found: its name begins with its domain, and its domain's package holds it."""

from __future__ import annotations

from tests.integration.tasks.calls import registered
from zumolib.platform.entries import ENTRIES

OWN = {"zumodra.celery.health_check"}  # scheduled, and the app's own


def test_each_task_stands_in_the_package_of_its_name() -> None:
    found = registered()
    modules = {name: task.__module__ for name, task in found.items()}
    assert modules == {name: f"tasks.{name.partition('.')[0]}.tasks" for name in found}
    missing = {entry.task for entry in ENTRIES} - set(found)
    assert missing <= OWN
