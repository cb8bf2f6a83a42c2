"""The system that the widgets operate on: its app, its workers, its entries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from zumolib import control, orm
from zumolib.conf import conf
from zumolib.errors import HistoryError, InputError
from zumolib.history import History

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control.fleet import Fleet

HEARTBEATS = 60  # seconds; a worker that sent one this lately is expected to answer


def app() -> Celery:
    """The app that ``ZUMO_APP`` names.

    Raises
    ------
    InputError
        When there is none.
    """
    from celery.app.utils import find_app

    orm.ready()
    name = conf().ZUMO_APP
    try:
        return find_app(name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"ZUMO_APP={name!r}: no Celery app is found by it ({error}); correct it") from None


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
    return control.fleet.snapshot(app, nodes=known, everybody=True)


def entries() -> list[str]:
    """Names of all entries of the schedule."""
    orm.ready()
    from django_celery_beat.models import PeriodicTask

    return list(PeriodicTask.objects.order_by("name").values_list("name", flat=True))
