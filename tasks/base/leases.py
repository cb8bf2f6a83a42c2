"""One run at a time for work that two workers must not do together.

A lease is a row: it works on both databases, holds across machines and ends by itself. Its holder is
the id of the Celery task, so that a message that is delivered again after its worker was killed enters
at once, and any other run is told that the work is in progress.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db.models import Q

from tasks.base.clock import moment
from tasks.models import Lease

HOLD = timedelta(hours=1)  # the hard time limit of a task: after it the holder is certainly gone


def holder(task: Any = None) -> str:
    """Who holds: the id of the running Celery task, or a new name for a plain call."""
    return str(getattr(getattr(task, "request", None), "id", None) or uuid.uuid4())


@contextmanager
def lease(name: str, who: str) -> Iterator[bool]:
    """Hold `name` for the length of the block; gives False where another holder has it.

    Leases run on the real clock: they are about processes that live now, not about the moment that a
    run works for.
    """
    now = moment()
    Lease.objects.bulk_create([Lease(name=name, holder="", until=now)], ignore_conflicts=True)
    mine = Lease.objects.filter(name=name)
    taken = mine.filter(Q(until__lte=now) | Q(holder=who)).update(holder=who, until=now + HOLD)
    if not taken:
        yield False
        return
    try:
        yield True
    finally:
        mine.filter(holder=who).update(holder="", until=moment())
