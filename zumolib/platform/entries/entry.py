"""One entry of the schedule, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Field = int | str  # of a crontab: 3, "*/4", "sunday"


@dataclass(frozen=True)
class Cron:
    """When an entry is due, as a crontab in UTC. Day of week and day of month must both match."""

    minute: Field = "*"
    hour: Field = "*"
    day_of_week: Field = "*"
    day_of_month: Field = "*"
    month_of_year: Field = "*"

    def fields(self) -> dict[str, str]:
        """The five fields as text, by the names that Celery and django-celery-beat use."""
        return {name: str(getattr(self, name)) for name in self.__dataclass_fields__}

    def __str__(self) -> str:
        order = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
        return " ".join(str(getattr(self, name)) for name in order)


@dataclass(frozen=True)
class Every:
    """An entry that is due again so many minutes after its last dispatch."""

    minutes: int

    def __str__(self) -> str:
        return "every minute" if self.minutes == 1 else f"every {self.minutes} minutes"


@dataclass(frozen=True)
class Entry:
    """A row of the schedule: which task is sent when, where to and with what."""

    name: str
    task: str  # as registered with Celery
    when: Cron | Every
    description: str
    queue: str | None = None  # None: the task's route decides
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    category: str = ""  # set where all entries come together
