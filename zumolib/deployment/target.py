"""The Celery app that notebooks and widgets look at and act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zumolib.conf import conf

if TYPE_CHECKING:
    from celery import Celery


def app() -> Celery:
    """The app that ``ZUMO_APP`` names, as ``celery -A`` finds it; ours by default."""
    from celery.app.utils import find_app

    return find_app(conf().ZUMO_APP)
