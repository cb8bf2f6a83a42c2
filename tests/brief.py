"""A beat whose lease is short, so that a test need not wait for its end."""

from __future__ import annotations

from zumolib.platform.scheduler import DatabaseScheduler


class Brief(DatabaseScheduler):
    """As the platform's."""

    lease_seconds = 10.0
