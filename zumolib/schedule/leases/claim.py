"""A process's claim to a lease: taken, renewed while it works, and not believed any longer than it lasts."""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from zumolib import processes

if TYPE_CHECKING:
    from zumolib.schedule.leases.models import Lease

logger = logging.getLogger(__name__)

SECONDS = 30.0  # a lease lasts so long; then another process may take it
RENEWALS = 6  # in that time: some may fail before the lease is over
MARGIN = 2.0  # seconds before its end from which the holder does not believe in it: sending takes a moment
STARTS = 10  # how many of the last takings are remembered


def uptime() -> float:
    """Seconds since some moment, that also pass while the process is stopped or the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def place() -> str:
    """Where a process id means a process: this machine, since it was started, and its PID namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        boot, namespace = f"{psutil.boot_time():.0f}", ""
    return f"{socket.gethostname()} {boot} {namespace}".strip()[:300]


@dataclass
class Claim:
    """One process's claim to the lease of this name."""

    name: str
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    seconds: float = SECONDS
    _end: float = float("-inf")  # by `uptime`, from when on it is not believed
    _asked: float = float("-inf")
    _complaint: str = ""  # what was last said to be wrong with the database

    @property
    def renew_seconds(self) -> float:
        """How often it must be renewed."""
        return self.seconds / RENEWALS

    @property
    def holds(self) -> bool:
        """Whether this process may still act on it; asks nobody."""
        return uptime() < self._end

    def keep(self, *, now: bool = False, **about: Any) -> bool:
        """Take it, or renew it where that is due (or `now`); whether it is held.

        Where the database does not answer, what was agreed holds until its end.
        """
        from django.db import DatabaseError, InterfaceError, close_old_connections

        from zumolib.schedule.leases.models import Lease

        asked = uptime()
        if self.holds and not now and asked - self._asked < self.renew_seconds:
            return True
        try:
            close_old_connections()
            held = Lease.objects.renew(self.name, self.id, self.seconds, **about) or self._take(about)
        except (DatabaseError, InterfaceError) as error:
            why = str(error).strip() or type(error).__name__
            if why != self._complaint:  # once, not at each try
                logger.error(
                    "The lease of %s cannot be had: %s. See DATABASE_URL in `zumo conf`; where the table is "
                    "missing, run `zumo migrate`",
                    *(self.name, why),
                )
            self._complaint = why
            return self.holds
        self._complaint = ""
        self._asked = asked
        # The database counted from a later moment than this one.
        self._end = asked + self.seconds - MARGIN if held else float("-inf")
        return held

    def give_back(self, *, properly: bool = True) -> None:
        """Free it at once, if it is still ours; `properly` where its holder was asked to end."""
        from django.db import DatabaseError, InterfaceError

        from zumolib.schedule.leases.models import Lease

        if self._end == float("-inf"):
            return
        self._end = float("-inf")
        try:
            Lease.objects.give_back(self.name, self.id, **({"starts": []} if properly else {}))
        except (DatabaseError, InterfaceError) as error:
            logger.warning(
                "The lease of %s could not be given back, it ends by itself: %s",
                self.name,
                str(error).strip(),
            )

    def _take(self, about: dict[str, Any]) -> bool:
        from zumolib.schedule.leases.models import Lease

        current = Lease.objects.look(self.name)
        me = psutil.Process()
        starts = [*(current.starts if current else ()), datetime.now(UTC).isoformat(timespec="seconds")]
        return Lease.objects.take(
            self.name,
            self.id,
            self.seconds,
            of=current.holder if current is not None and _dead(current) else None,
            host=socket.gethostname(),
            pid=me.pid,
            place=place(),
            born=me.create_time(),
            starts=starts[-STARTS:],
            **about,
        )


def _dead(lease: Lease) -> bool:
    """Whether its holder was a process of this machine that is no more; of any other nothing is known."""
    if lease.holder is None or lease.pid is None or lease.place != place():
        return False
    if not processes.runs(lease.pid):
        return True
    try:
        return abs(psutil.Process(lease.pid).create_time() - (lease.born or 0.0)) > 1.0
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
