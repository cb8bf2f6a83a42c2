"""Another project's app: shares a broker with ours, and no code."""

from __future__ import annotations

import os
import time

from celery import Celery

app = Celery("sleeper", broker=os.environ.get("BROKER", "memory://"))
app.conf.update(task_acks_late=True, broker_connection_retry_on_startup=True)


@app.task(name="tests.nap")
def nap(seconds: float) -> None:
    """Take a while."""
    time.sleep(seconds)
