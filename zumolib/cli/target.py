"""The Celery app that commands operate on, and the workers that are known of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.inspection.fleet import Fleet

HEARTBEATS = 60  # seconds; a worker that sent one this lately is expected to answer


def find_app(name: str = "") -> Celery:
    """The app of this name, as `celery -A` takes it; the one of ``ZUMO_APP`` without a name.

    Raises
    ------
    InputError
        When there is none.
    """
    from celery.app.utils import find_app

    from zumolib.conf import conf
    from zumolib.errors import InputError

    name = name or conf().ZUMO_APP
    sys.path.insert(0, str(Path.cwd()))
    try:
        return find_app(name)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"no Celery app is found as {name!r} ({error}); "
            "give it as `celery -A` takes it, package or module:attribute"
        ) from None


def known_nodes() -> list[str]:
    """Workers that sent a heartbeat lately, from the recorded history; none where nothing is recorded."""
    from datetime import UTC, datetime, timedelta

    from zumolib.conf import conf
    from zumolib.errors import HistoryError
    from zumolib.history import History

    now = datetime.now(UTC)
    try:
        beats = History(conf().history).workers(now - timedelta(seconds=HEARTBEATS), now)
    except HistoryError:
        return []
    return sorted(set(beats["worker"].astype(str)))


def look(app: Celery) -> Fleet:
    """Everybody who answers within a second, and who of the known ones does not."""
    from zumolib.inspection import fleet

    return fleet.snapshot(app, nodes=known_nodes(), everybody=True)
