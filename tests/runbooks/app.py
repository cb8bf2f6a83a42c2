"""The platform's app with the newest code's task: ``celery -A tests.runbooks.app``."""

from __future__ import annotations

from tests.runbooks import late, leaky
from zumolib.celery import app

__all__ = ["app", "late", "leaky"]
