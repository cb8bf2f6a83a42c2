"""Every call of every task that the platform makes: by its schedule, or by its own code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celery import current_app
from django.db.models import Model, QuerySet

from tasks import catalog
from tasks.models import Application, Invoice, JobListing, Newsletter, Notification, Subscription
from zumolib.platform.entries import ENTRIES

Choice = tuple[str, Callable[[datetime], QuerySet[Any]], dict[str, Any]]

# Tasks that are called and not scheduled: the parameter that names a row, the rows that wait for such a call,
# and what else is given. None where the task needs no row.
CALLED: dict[str, Choice | None] = {
    "newsletter.tasks.send_newsletter": (
        "newsletter_id",
        lambda now: Newsletter.objects.filter(state="scheduled", send_at__lte=now),
        {},
    ),
    "notifications.tasks.send_email_notification": (
        "notification_id",
        lambda now: Notification.objects.filter(state="scheduled", channel="email", deliver_at__lte=now),
        {},
    ),
    "finance.tasks.process_payment": (
        "invoice_id",
        lambda now: Invoice.objects.filter(state="open", payments__isnull=True),
        {},
    ),
    "tenants.tasks.process_subscription_renewal": (
        "subscription_id",
        lambda now: Subscription.objects.filter(state="active", period_end__lte=now),
        {},
    ),
    "zumodra.tasks.calculate_daily_metrics": None,
    "ats.tasks.process_candidate_application": (
        "application_id",
        lambda now: Application.objects.filter(stage="new"),
        {},
    ),
    "careers.tasks.track_job_view": (
        "listing_id",
        lambda now: JobListing.objects.all(),
        {"visitor": "203.0.113.7", "event_id": "one view"},
    ),
}


@dataclass(frozen=True)
class Call:
    """A task and what it is called with."""

    name: str  # of the entry; of the task where there is none
    task: Any
    kwargs: dict[str, Any] = field(default_factory=dict)
    choice: Choice | None = None  # for a task that is about one row

    def row(self, now: datetime) -> int | None:
        """The first row that waits for it; None for a task that is not about one row."""
        if self.choice is None:
            return None
        found: Model | None = self.choice[1](now).order_by("pk").first()
        assert found is not None, f"no row waits for {self.name}"
        return int(found.pk)

    def run(self, now: datetime | str, row: int | None) -> Any:
        """Run it here for `now` and, if it is about one, for this row."""
        named = {} if self.choice is None else {self.choice[0]: row, **self.choice[2]}
        return self.task(**self.kwargs, **named, now=now if isinstance(now, str) else now.isoformat())


def registered() -> dict[str, Any]:
    """The tasks of the catalog's modules, by name."""
    modules = {module.__name__ for module in catalog.MODULES}
    return {name: task for name, task in current_app.tasks.items() if task.__module__ in modules}


def calls() -> list[Call]:
    """All calls whose task there is: each entry with its own arguments, then what is called only."""
    tasks = registered()
    scheduled = {
        (entry.task, repr(entry.kwargs)): Call(entry.name, tasks[entry.task], dict(entry.kwargs))
        for entry in ENTRIES
        if entry.task in tasks
    }
    called = [Call(name, tasks[name], choice=choice) for name, choice in CALLED.items() if name in tasks]
    return [*scheduled.values(), *called]


CALLS = calls()
