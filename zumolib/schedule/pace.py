"""How often beat looks at its schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery import Celery

LOOP_SECONDS = 5  # where the app does not say; django-celery-beat's own


def loop_seconds(app: Celery) -> float:
    """Seconds between two looks of beat at its schedule."""
    return float(app.conf.beat_max_loop_interval or LOOP_SECONDS)
