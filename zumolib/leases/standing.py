"""How a lease stands: who holds it, since when, and whether that one still works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

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


def of(name: str) -> Standing | None:
    """How the lease of this name stands; None where nobody ever took it, or the database has no leases.

    Raises
    ------
    django.db.OperationalError
        The database does not answer.
    """
    from django.db import connection

    from zumolib.leases.models import Lease

    if Lease._meta.db_table not in connection.introspection.table_names():
        return None
    lease: Any = Lease.objects.look(name)
    if lease is None or lease.pid is None:
        return None
    now = lease.now if lease.now.tzinfo else lease.now.replace(tzinfo=UTC)
    state = FREE if lease.holder is None else HELD if lease.until >= now else LAPSED
    starts = [datetime.fromisoformat(text) for text in lease.starts]
    return Standing(
        state=state,
        host=lease.host,
        pid=lease.pid,
        since=lease.since,
        renewed=lease.renewed,
        starts=sum(now - at < LATELY for at in starts),
        skipped=dict(lease.skipped),
    )
