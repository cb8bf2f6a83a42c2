"""Beat's scheduler: django-celery-beat's, without an entry that has nothing to do here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django_celery_beat import schedulers


class DatabaseScheduler(schedulers.DatabaseScheduler):
    """Sends what the database says, and adds nothing to it of its own.

    django-celery-beat writes an entry ``celery.backend_cleanup`` into every schedule; Celery itself does
    so only for result backends that do not expire results by themselves, and Redis does.
    """

    # What was changed between beat's first reading and its first look for changes would be missed for
    # minutes: django-celery-beat takes the time of the change for the one that it has read. From here, the
    # first look reads once more.
    _last_timestamp = datetime(1970, 1, 1, tzinfo=UTC)

    def install_default_entries(self, data: Any) -> None:
        """Install the clean-up entry only where the result backend needs it."""
        if not self.app.backend.supports_autoexpire:
            super().install_default_entries(data)
