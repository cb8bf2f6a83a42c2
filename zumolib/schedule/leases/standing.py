"""How a lease stands: who holds it, since when, and whether that one still works."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

TABLE = "leases_lease"
OURS = "zumolib.platform.scheduler:DatabaseScheduler"  # the beats that take a lease
NOW = {"postgresql": "statement_timestamp()", "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"}
HELD, LAPSED, FREE = "held", "lapsed", "free"
LATELY = timedelta(minutes=2)  # in which a process that is started again and again is noticed
MANY = 3  # starts in that time


@dataclass(frozen=True)
class Standing:
    """A lease as it stands at a moment of the database's."""

    state: str  # held; lapsed: its holder has not renewed it; free: it was given back
    host: str
    pid: int | None
    since: datetime | None  # when it was taken
    renewed: datetime | None
    starts: int  # how often it was taken in the last minutes, since a holder ended properly
    skipped: dict[str, str]  # what the holder leaves out, and why

    def __str__(self) -> str:
        who = f"process {self.pid} on {self.host}"
        if self.state == FREE:
            return f"nobody holds the lease; {who} gave it back"
        if self.state == LAPSED:
            return (
                f"nobody holds the lease; {who} has not renewed it since {self.renewed:%Y-%m-%d %H:%M:%S} UTC"
            )
        return f"{who} holds the lease since {self.since:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def restarts(self) -> str:
        """That it is started again and again, in words; empty where it is not."""
        if self.starts < MANY:
            return ""
        return f"it was started {self.starts} times in the last {LATELY.total_seconds() / 60:.0f} minutes"


def of(name: str, connection: Any = None) -> Standing | None:
    """How the lease of this name stands; None where nobody ever took it, or the database has no leases.

    It needs Django's settings and no more: loading its apps takes longer than all that is asked here.

    Parameters
    ----------
    connection
        To the database, of Django's; None takes the default one.

    Raises
    ------
    django.db.DatabaseError
        The database does not answer.
    """
    from django.db import connections

    connection = connection or connections["default"]
    if TABLE not in connection.introspection.table_names():
        return None
    now = NOW[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT holder IS NULL, until >= {now}, {now}, host, pid, since, renewed, starts, skipped "
            f"FROM {TABLE} WHERE name = %s",
            [name],
        )
        row = cursor.fetchone()
    if row is None or row[4] is None:
        return None
    free, lasts, at, host, pid, since, renewed, starts, skipped = row
    begun = [_moment(text) for text in _parsed(starts)]
    return Standing(
        state=FREE if free else HELD if lasts else LAPSED,
        host=host,
        pid=pid,
        since=_moment(since),
        renewed=_moment(renewed),
        starts=sum(_moment(at) - start < LATELY for start in begun),
        skipped=dict(_parsed(skipped)),
    )


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str | bytes) else value


def _moment(value: Any) -> datetime:
    """A moment as a database's driver gives it; without a zone it is in UTC."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at if at.tzinfo else at.replace(tzinfo=UTC)
