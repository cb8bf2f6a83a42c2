"""Every call of every task that the platform makes: by its schedule, or by its own code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celery import current_app
from django.db.models import Model, QuerySet

from tasks import catalog
from tasks.models import Application, Newsletter, Notification, Payment, Subscription
from zumolib.schedule import ENTRIES

# Tasks that are called and not scheduled, and which row each is called for; None where it needs none.
CALLED: dict[str, Callable[[datetime], QuerySet[Any]] | None] = {
    "newsletter.tasks.send_newsletter": lambda now: Newsletter.objects.filter(
        state="scheduled", send_at__lte=now
    ),
    "notifications.tasks.send_email_notification": lambda now: Notification.objects.filter(
        state="scheduled", channel="email", deliver_at__lte=now
    ),
    "finance.tasks.process_payment": lambda now: Payment.objects.filter(state="pending"),
    "tenants.tasks.process_subscription_renewal": lambda now: Subscription.objects.filter(state="active"),
    "zumodra.tasks.calculate_daily_metrics": None,
    "ats.tasks.process_candidate_application": lambda now: Application.objects.filter(stage="new"),
    "careers.tasks.track_job_view": None,
}


@dataclass(frozen=True)
class Call:
    """A task and what it is called with."""

    name: str  # of the entry; of the task where there is none
    task: Any
    kwargs: dict[str, Any] = field(default_factory=dict)
    rows: Callable[[datetime], QuerySet[Any]] | None = None

    def row(self, now: datetime) -> int | None:
        """The first row that waits for it; None for a task that is not about one row."""
        if self.rows is None:
            return None
        found: Model | None = self.rows(now).order_by("pk").first()
        assert found is not None, f"no row waits for {self.name}"
        return int(found.pk)

    def run(self, now: datetime | str, row: int | None) -> Any:
        """Run it here for `now` and, if it is about one, for this row."""
        kwargs = dict(self.kwargs) if row is None else {self._parameter: row}
        return self.task(**kwargs, now=now if isinstance(now, str) else now.isoformat())

    @property
    def _parameter(self) -> str:
        """The name of its one argument without a default."""
        parameters = inspect.signature(self.task.run).parameters.values()
        [name] = [p.name for p in parameters if p.default is p.empty]
        return name


def registered() -> dict[str, Any]:
    """The tasks of the catalog's modules, by name."""
    modules = {module.__name__ for module in catalog.MODULES}
    packages = tuple(f"{name}." for name in modules)
    return {
        name: task
        for name, task in current_app.tasks.items()
        if task.__module__ in modules or task.__module__.startswith(packages)
    }


def calls() -> list[Call]:
    """All calls whose task there is: each entry with its own arguments, then what is called only."""
    tasks = registered()
    scheduled = {
        (entry.task, repr(entry.kwargs)): Call(entry.name, tasks[entry.task], dict(entry.kwargs))
        for entry in ENTRIES
        if entry.task in tasks
    }
    called = [Call(name, tasks[name], rows=rows) for name, rows in CALLED.items() if name in tasks]
    return [*scheduled.values(), *called]


CALLS = calls()
