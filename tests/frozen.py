"""A broker and two workers for the frozen world: what notebooks see that ask the running system.

Messages lie in ``payments``, which no worker takes from; the workers have the names of the recorded ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from celery import Celery

from tests.recorded import QUEUES
from tests.services.processes import process
from tests.services.valkey import valkey
from tests.waiting import wait_until
from zumolib.platform import queues

WAITING = {"finance.tasks.sync_stripe_payments": 9, "finance.tasks.retry_failed_payments": 3}
NOT_TAKEN = "payments"
PROCESSES = 2


def make(broker: str) -> Celery:
    """An app with the platform's queues and no task."""
    made = Celery("recorded", broker=broker, set_as_current=False)
    made.conf.update(task_queues=queues.QUEUES, task_default_queue="default", worker_hijack_root_logger=False)
    return made


# What `celery -A tests.frozen` finds in the processes of the workers.
app = make(os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:1"))


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The broker's URL, while it and the workers live."""
    with ExitStack() as stack:
        url = stack.enter_context(valkey())
        sender = make(url)
        for name, count in WAITING.items():
            for number in range(count):
                sender.send_task(name, queue=NOT_TAKEN, task_id=f"{name.rsplit('.', 1)[-1]}-{number}")
        workers = sorted({worker for worker, _, _ in QUEUES.values()})
        for worker in workers:
            own = [queue for queue, (its, _, _) in QUEUES.items() if its == worker and queue != NOT_TAKEN]
            words = ["celery", "-A", "tests.frozen", "worker", "-P", "threads", "-c", str(PROCESSES), "-n", worker,
                     "-Q", ",".join(own), "-l", "warning", "--without-gossip", "--without-mingle"]  # fmt: skip
            stack.enter_context(process(words, folder / "workers.log", {"CELERY_BROKER_URL": url}))
        wait_until(lambda: _replied(sender) == workers, 120, "the workers answer")
        yield url
        sender.close()


def _replied(app: Celery) -> list[str]:
    return sorted(name for answer in app.control.ping(timeout=1.0) or () for name in answer)
