"""A small Celery app: what the worker processes of the recorder's tests run."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery


def make(url: str, **options: Any) -> Celery:
    """The app on this broker; `options` go to Celery."""
    if url.startswith("amqp"):
        # Without confirms RabbitMQ may drop what is published while a queue comes back from a restart.
        options["broker_transport_options"] = {"confirm_publish": True}
    app = Celery("tiny", broker=url, **{"events": "zumolib.dispatch:Events", **options})
    app.conf.update(
        task_default_queue="tiny",
        task_send_sent_event=True,
        worker_send_task_events=True,
        task_ignore_result=True,
        task_publish_retry_policy={"max_retries": 40, "interval_max": 0.5},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )

    @app.task(name="tiny.double", acks_late=True, shared=False)
    def double(number: int) -> int:
        return 2 * number

    @app.task(name="tiny.fragile", bind=True, max_retries=1, shared=False)
    def fragile(self: Any) -> None:
        raise self.retry(exc=ValueError("out of luck"), countdown=0.2)

    return app


app = make(os.environ.get("TINY_BROKER", "memory://"))
