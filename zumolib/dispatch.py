"""The name that apps write into their settings: ``Celery(events="zumolib.dispatch:Events")``."""

from __future__ import annotations

from zumolib.recorder.dispatcher import Events

__all__ = ["Events"]
