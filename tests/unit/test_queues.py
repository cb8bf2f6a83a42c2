from __future__ import annotations

import pytest
from celery import Celery

from zumolib.celery import create
from zumolib.conf import Conf
from zumolib.platform.queues import CLASSES, PRIORITIES, QUEUES, RATE_LIMITS, Priority, PriorityOrder


@pytest.fixture(scope="module")
def app() -> Celery:
    return create(Conf(CELERY_BROKER_URL="amqp://broker//"))


def test_queues_exchanges_and_routing_keys(app: Celery) -> None:
    declared = {name: (queue.exchange.name, queue.routing_key) for name, queue in app.amqp.queues.items()}
    assert declared == {
        "default": ("default", "default"),
        "emails": ("emails", "emails"),
        "payments": ("payments", "payments"),
        "analytics": ("analytics", "analytics"),
        "notifications": ("notifications", "notifications"),
        "hr": ("hr", "hr"),
        "ats": ("ats", "ats"),
        "celery": ("default", "celery"),
    }
    assert {queue.exchange.type for queue in QUEUES} == {"direct"}


# task, where its route sends it
ROUTED = [
    ("newsletter.tasks.send_newsletter", "emails"),
    ("notifications.tasks.send_email_notification", "emails"),  # before notifications.tasks.*
    ("notifications.tasks.retry_failed_notifications", "notifications"),
    ("zumodra.tasks.send_daily_digest", "emails"),  # before zumodra.tasks.*
    ("zumodra.tasks.calculate_daily_metrics", "analytics"),
    ("zumodra.tasks.backup_database", "default"),
    ("finance.tasks.process_payment", "payments"),
    ("tenants.tasks.process_subscription_renewal", "payments"),  # before tenants.tasks.*
    ("tenants.tasks.check_usage_limits", "default"),
    ("messages_sys.tasks.detect_spam_messages", "notifications"),
    ("tenant_profiles.tasks.expire_consents", "hr"),
    ("careers.tasks.track_job_view", "ats"),
    ("celery.backend_cleanup", "celery"),
    ("services.tasks.expire_old_proposals", "default"),  # no route: the default queue
]


@pytest.mark.parametrize(("task", "queue"), ROUTED)
def test_routes(task: str, queue: str, app: Celery) -> None:
    assert app.amqp.router.route({}, task)["queue"].name == queue


def test_a_queue_that_is_asked_for_beats_the_route(app: Celery) -> None:
    assert (
        app.amqp.router.route({"queue": "emails"}, "zumodra.tasks.backup_database")["queue"].name == "emails"
    )


def test_rate_limits_reach_the_tasks(app: Celery) -> None:
    assert len(RATE_LIMITS) == 10
    annotations = app.conf.task_annotations
    assert {name: its["rate_limit"] for name, its in annotations.items()} == RATE_LIMITS


def test_the_payment_providers_limits_hold_across_workers(app: Celery) -> None:
    """The provider counts the calls of the whole platform, whichever worker they come from."""
    annotations = app.conf.task_annotations
    across = {name: its["cluster_rate_limit"] for name, its in annotations.items() if len(its) > 1}
    assert across == {
        "finance.tasks.process_payment": "30/m",
        "finance.tasks.sync_stripe_subscriptions": "10/m",
    }


def test_every_queue_has_a_class() -> None:
    assert set(PRIORITIES) == {queue.name for queue in QUEUES}
    assert CLASSES[Priority.CRITICAL] == ("payments",)
    assert sorted(name for names in CLASSES.values() for name in names) == sorted(PRIORITIES)


def test_critical_queues_are_looked_into_first() -> None:
    order = PriorityOrder()
    order.update({"celery", "analytics", "ats", "default", "emails", "payments", "foreign"})
    assert order.consume(7) == ["payments", "emails", "ats", "default", "foreign", "analytics", "celery"]
    order.rotate("payments")
    assert order.consume(1) == ["payments"]


def test_settings_of_the_document(app: Celery) -> None:
    c = app.conf
    assert app.main == "zumodra"
    assert (c.task_serializer, c.result_serializer, c.accept_content) == ("json", "json", ["json"])
    assert c.task_compression == "gzip"
    assert (c.task_acks_late, c.task_reject_on_worker_lost) == (True, True)
    assert (c.worker_prefetch_multiplier, c.worker_max_tasks_per_child) == (4, 1_000)
    assert (c.task_time_limit, c.task_soft_time_limit, c.result_expires) == (3_600, 3_300, 86_400)
    assert (c.timezone, c.enable_utc) == ("UTC", True)
    assert (c.worker_send_task_events, c.task_send_sent_event) == (True, True)


def test_scale_settings() -> None:
    c = create(Conf(USE_SCALE_SETTINGS=True)).conf
    assert (c.worker_concurrency, c.worker_prefetch_multiplier) == (8, 1)
    assert (c.task_time_limit, c.broker_pool_limit) == (1_800, 50)
