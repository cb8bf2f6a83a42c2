"""Queues, exchanges, routes, priorities and rate limits of the platform, as data.

Which queue goes first is not a property of a message here but of its queue. On Redis and Valkey one
worker takes the queues in the order of their priority (:class:`PriorityOrder`). RabbitMQ knows no order
among queues, so there each class of :data:`CLASSES` has a worker of its own (see the README).
"""

from __future__ import annotations

from enum import IntEnum

from kombu.entity import Exchange, Queue
from kombu.utils.scheduling import priority_cycle


class Priority(IntEnum):
    """Class of a queue; the lower number goes first."""

    CRITICAL = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3


_default = Exchange("default", type="direct")


def _own(name: str) -> Queue:
    return Queue(name, Exchange(name, type="direct"), routing_key=name)


QUEUES: tuple[Queue, ...] = (
    Queue("default", _default, routing_key="default"),
    _own("emails"),
    _own("payments"),
    _own("analytics"),
    _own("notifications"),
    _own("hr"),
    _own("ats"),
    Queue("celery", _default, routing_key="celery"),
)

PRIORITIES: dict[str, Priority] = {
    "payments": Priority.CRITICAL,
    "emails": Priority.HIGH,
    "notifications": Priority.HIGH,
    "default": Priority.MEDIUM,
    "hr": Priority.MEDIUM,
    "ats": Priority.MEDIUM,
    "analytics": Priority.LOW,
    "celery": Priority.LOW,
}

CLASSES: dict[Priority, tuple[str, ...]] = {
    priority: tuple(queue for queue, its in PRIORITIES.items() if its is priority) for priority in Priority
}


def _to(queue: str) -> dict[str, str]:
    return {"queue": queue, "routing_key": queue}


# The first pattern that matches wins, so the order is part of the data: `notifications.tasks.send_*`
# stands before `notifications.tasks.*`.
ROUTES: dict[str, dict[str, str]] = {
    "newsletter.tasks.*": _to("emails"),
    "notifications.tasks.send_*": _to("emails"),
    "zumodra.tasks.send_daily_digest": _to("emails"),
    "finance.tasks.*": _to("payments"),
    "tenants.tasks.process_subscription_*": _to("payments"),
    "analytics.tasks.*": _to("analytics"),
    "zumodra.tasks.calculate_daily_metrics": _to("analytics"),
    "notifications.tasks.*": _to("notifications"),
    "messages_sys.tasks.*": _to("notifications"),
    "hr_core.tasks.*": _to("hr"),
    "tenant_profiles.tasks.*": _to("hr"),
    "ats.tasks.*": _to("ats"),
    "careers.tasks.*": _to("ats"),
    "zumodra.tasks.*": _to("default"),
    "tenants.tasks.*": _to("default"),
    "celery.*": _to("celery"),
}

# Celery counts these in each worker by itself.
RATE_LIMITS: dict[str, str] = {
    "newsletter.tasks.send_newsletter": "50/m",
    "notifications.tasks.send_email_notification": "100/m",
    "finance.tasks.process_payment": "30/m",
    "finance.tasks.sync_stripe_subscriptions": "10/m",
    "analytics.tasks.calculate_daily_metrics": "2/m",
    "analytics.tasks.generate_reports": "5/m",
    "ats.tasks.calculate_match_scores": "20/m",
    "zumodra.tasks.cleanup_expired_sessions": "1/h",
    "zumodra.tasks.cleanup_old_audit_logs": "1/h",
    "zumodra.tasks.backup_database": "1/h",
}

# What the payment provider is asked, it counts for the whole platform: these limits hold across all workers
# as well. The worker's own one stays: without it each worker would try everything that waits, at once.
ACROSS_WORKERS = frozenset({"finance.tasks.process_payment", "finance.tasks.sync_stripe_subscriptions"})


def task_annotations() -> dict[str, dict[str, str]]:
    """Celery's ``task_annotations``: each task's rate limit, and the cluster's where it has one."""
    made = {name: {"rate_limit": limit} for name, limit in RATE_LIMITS.items()}
    for name in ACROSS_WORKERS:
        made[name]["cluster_rate_limit"] = RATE_LIMITS[name]
    return made


class PriorityOrder(priority_cycle):
    """Order in which a worker on Redis or Valkey looks into its queues: critical first.

    kombu hands over the active queues as a set, so its own ``priority`` strategy has no order to keep;
    this one sorts by :data:`PRIORITIES`. Queues that are not ours count as medium. Passed to kombu as
    the transport option ``queue_order_strategy``.
    """

    def consume(self, n: int) -> list[str]:
        """The first `n` queues to look into, in the order of their priority, then of their name."""
        ranked = sorted(self.items, key=lambda queue: (PRIORITIES.get(queue, Priority.MEDIUM), queue))
        return ranked[:n]
