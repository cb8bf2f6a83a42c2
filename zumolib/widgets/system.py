"""The system that the widgets operate on: its workers and its entries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from zumolib.conf import conf
from zumolib.database import orm
from zumolib.errors import HistoryError
from zumolib.history import History
from zumolib.inspection import fleet

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.inspection.fleet import Fleet

HEARTBEATS = 60  # seconds; a worker that sent one this lately is expected to answer


def look(app: Celery) -> Fleet:
    """Everybody who answers within a second, and who of the known ones does not.

    Raises
    ------
    BrokerError
        The broker does not answer.
    """
    now = datetime.now(UTC)
    try:
        beats = History(conf().history).workers(now - timedelta(seconds=HEARTBEATS), now)
        known = sorted(set(beats["worker"].astype(str)))
    except HistoryError:
        known = []
    return fleet.snapshot(app, nodes=known, everybody=True)


def entries() -> list[str]:
    """Names of all entries of the schedule."""
    orm.ready()
    from django_celery_beat.models import PeriodicTask

    return list(PeriodicTask.objects.order_by("name").values_list("name", flat=True))
