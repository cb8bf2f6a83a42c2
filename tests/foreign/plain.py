"""A plain Celery app, as its tutorial begins: `celery -A tests.foreign.plain worker`."""

from __future__ import annotations

import os
import time

from celery import Celery

app = Celery("plain", broker=os.environ.get("PLAIN_BROKER", "memory://"), set_as_current=False)
app.conf.update(broker_connection_retry_on_startup=True, task_acks_late=True)


@app.task(name="plain.add")
def add(x: int, y: int) -> int:
    """Add two numbers."""
    return x + y


@app.task(name="plain.bill")
def bill(path: str) -> None:
    """Note that it ran."""
    with open(path, "a") as file:
        file.write(f"{time.time()}\n")
