"""Beat's scheduler: django-celery-beat's, which goes on whatever a row holds, and works alone.

- A row that can be neither scheduled nor sent is left out; the log says which and why, once, and so does
  the lease (`skipped`), where `zumo status` and the checks read it. It is taken up again within seconds
  after it was mended.
- Of all beats that read this database, the one that holds the lease sends; the others wait.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from celery._state import _set_task_join_will_block
from celery.beat import SchedulingError
from celery.schedules import schedstate
from django.db import DatabaseError, InterfaceError, close_old_connections
from django_celery_beat import schedulers
from kombu.exceptions import OperationalError

from zumolib.conf import hide
from zumolib.platform.stopping import Stop
from zumolib.schedule import faults, rows
from zumolib.schedule.leases.claim import SECONDS, Claim, uptime

if TYPE_CHECKING:
    from django_celery_beat.models import PeriodicTask

logger = logging.getLogger(__name__)

LEASE = "beat"
PAUSED = 0.001  # seconds left to sleep for beat, which between two rounds writes the last dispatches
WAIT = 2.0  # seconds between looks of a beat that waits
LOOK = 5.0  # seconds between looks at rows that are left out
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3_600.0  # seconds, doubled after each failure of the same row
LEAST = 0.05  # seconds between two dispatches of one entry: nothing needs more, and a loop must breathe


@dataclass
class Pause:
    """A row that could not be sent, and is not tried again before its time or its change."""

    why: str
    row: tuple[Any, ...]  # what it was
    seconds: float
    until: float  # by `uptime`


class DatabaseEntry(schedulers.ModelEntry):
    """An entry of which only what beat itself knows is ever written."""

    def save(self) -> None:
        """Write the last dispatch, past the checks of the row, which may have become bad meanwhile."""
        model = self.model
        # A row that was disabled forgets its last dispatch.
        type(model).objects.filter(pk=model.pk, enabled=True).update(
            last_run_at=model.last_run_at, total_run_count=model.total_run_count
        )


class DatabaseScheduler(schedulers.DatabaseScheduler):
    """Sends what the database says, and adds nothing to it of its own.

    django-celery-beat writes an entry ``celery.backend_cleanup`` into every schedule; Celery itself does
    so only for result backends that do not expire results by themselves, and Redis does.
    """

    Entry = DatabaseEntry
    lease_seconds = SECONDS

    # What was changed between beat's first reading and its first look for changes would be missed for
    # minutes: django-celery-beat takes the time of the change for the one that it has read. From here, the
    # first look reads once more.
    _last_timestamp = datetime(1970, 1, 1, tzinfo=UTC)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._claim = Claim(LEASE, seconds=self.lease_seconds)
        self._worked = False  # whether this beat held the lease at its last look
        self._waits_for: Any = None  # whose lease it was when that was last said
        self._skipped: dict[str, str] = {}  # why a row is left out, by name
        self._pauses: dict[str, Pause] = {}
        self._looked = float("-inf")
        self._before: tuple[Any, Any, int] | None = None  # an entry that is being sent, as it was
        self._stop = Stop()
        if not kwargs.get("lazy"):  # one that only introduces itself has no loop
            self._stop.listen()
            # Beat waits for no result. Without this, a client of Redis subscribes to each that it may get, which
            # no beat ever gives up again, and a result backend that is away holds up every dispatch for 20 s.
            _set_task_join_will_block(True)
        super().__init__(*args, **kwargs)

    def install_default_entries(self, data: Any) -> None:
        """Install the clean-up entry only where the result backend needs it."""
        if not self.app.backend.supports_autoexpire:
            super().install_default_entries(data)

    def all_as_schedule(self) -> dict[str, DatabaseEntry]:
        """All enabled rows that can be scheduled and sent.

        All of them: django-celery-beat leaves out crontabs that are not due within two hours, so that a
        daily entry is not made up for after a longer absence.
        """
        found: dict[str, DatabaseEntry] = {}
        skipped: dict[str, str] = {}
        try:
            models = [model for model in rows.models() if model.enabled]
        except (DatabaseError, InterfaceError) as error:
            if self._schedule is None:
                raise
            logger.error("The schedule cannot be read, the last one is kept: %s", error)
            self._last_timestamp = datetime(1970, 1, 1, tzinfo=UTC)
            return self._schedule
        for model in models:
            name = model.name
            pause = self._pauses.get(name)
            if pause is not None and pause.row != _contents(model):
                del self._pauses[name]
            wrong = faults.find(model, self.app)
            if not wrong:
                try:
                    found[name] = self.Entry(self._with_unwritten(model), app=self.app)
                except Exception as error:  # noqa: BLE001 - one row, whatever it holds, must not stop the others
                    wrong = (f"{type(error).__name__}: {error}",)
            if wrong:
                skipped[name] = "; ".join(wrong)
        names = {model.name for model in models}
        self._pauses = {name: pause for name, pause in self._pauses.items() if name in names}
        self._skip(skipped | {name: pause.why for name, pause in self._pauses.items()})
        return found

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """One round of the one beat that holds the lease; any other waits."""
        if self._alone():
            self._look_again()
            seconds = min(super().tick(*args, **kwargs), self._claim.renew_seconds)
        else:
            seconds = WAIT
        # Beat's own sleep goes on after a signal.
        self._stop.pause(seconds)
        return PAUSED

    def is_due(self, entry: DatabaseEntry) -> Any:
        """Whether to send it now; not while it is held back."""
        pause = self._pauses.get(entry.name)
        if pause is not None and uptime() < pause.until:
            return schedstate(False, min(pause.until - uptime(), self.max_interval))
        due = super().is_due(entry)
        return schedstate(due.is_due, max(due.next, LEAST)) if due.is_due else due

    def _is_due_failed(self, entry: DatabaseEntry) -> tuple[bool, float]:
        """Hold back one whose next time cannot be computed; Celery would say so every few seconds."""
        error = sys.exc_info()[1]
        self._hold_back(entry, f"its next time cannot be computed: {type(error).__name__}: {error}")
        return False, self.max_interval

    def reserve(self, entry: DatabaseEntry) -> DatabaseEntry:
        """Count the dispatch that follows; :meth:`apply_entry` takes that back where there is none."""
        last, count = entry.model.last_run_at, entry.model.total_run_count
        following: DatabaseEntry = super().reserve(entry)
        # The heap may be made again at any time, and what it would be made of must not be due once more.
        self._schedule[following.name] = following
        if (
            self.old_schedulers is not None
        ):  # nor is it another schedule, though its arguments may not equal themselves
            self.old_schedulers[following.name] = following
        self._before = (following, last, count)
        return following

    def apply_entry(self, entry: DatabaseEntry, producer: Any = None) -> None:
        """Send it, unless the lease was lost meanwhile; a row that cannot be sent is held back."""
        if not self._claim.holds:
            self._take_back()
            self._heap = None
            return
        logger.info("Scheduler: Sending due task %s (%s)", entry.name, entry.task)
        self._dirty.discard(entry.name)  # Celery writes before it says whether anything was sent
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            cause = error.__context__ or error
            if isinstance(cause, self._broker_errors()):
                # It may have been sent: the firing counts, as Celery's own scheduler has it.
                logger.error("%s was not sent, the broker does not take it: %s", entry.name, hide(str(cause)))
            else:
                self._take_back()
                self._hold_back(entry, f"it could not be sent: {type(cause).__name__}: {hide(str(cause))}")
                return
        self._dirty.add(entry.name)
        if self.sync_every_tasks:
            self._do_sync()
        if self._pauses.pop(entry.name, None) is not None:
            self._skip({name: why for name, why in self._skipped.items() if name != entry.name})

    def sync(self) -> None:
        """Write the last dispatches; those of a lease that was lost are somebody else's by now.

        What cannot be written is kept, and tried again at the next time: a dispatch that is forgotten is sent twice.
        """
        if not self._claim.holds:
            self._dirty.clear()
            return
        try:
            close_old_connections()
            for name in sorted(self._dirty):
                if (entry := self._schedule.get(name)) is not None:
                    entry.save()
                self._dirty.discard(name)
        except (DatabaseError, InterfaceError) as error:
            logger.error("Last dispatches cannot be written yet: %s", error)

    def close(self) -> None:
        """End, and let a beat that waits begin at once."""
        try:
            super().close()
        finally:
            self._claim.give_back(properly=self._stop.asked)
            self._stop.over()

    def _alone(self) -> bool:
        """Hold the lease, or say who does."""
        alone = self._claim.keep(skipped=self._skipped)
        if alone and not self._worked:
            logger.info("Beat holds the lease and sends")
            self._dirty.clear()  # what another beat has sent meanwhile is in the database
            self._read_again()
        elif not alone:
            if self._worked:
                logger.error("Beat has lost the lease: it was not renewed in time. Nothing more is sent")
                self._dirty.clear()
                self._heap = None
            self._say_who_holds_it()
        self._worked = alone
        return alone

    def _say_who_holds_it(self) -> None:
        from zumolib.schedule.leases.models import Lease

        try:
            lease = Lease.objects.look(LEASE)
        except (DatabaseError, InterfaceError):
            return  # said already, when the lease could not be taken
        if lease is not None and lease.holder is not None and lease.holder != self._waits_for:
            self._waits_for = lease.holder
            logger.warning(
                "Another beat sends the entries of this database: process %s on %s, since %s UTC. This one "
                "waits, and takes over when that one ends or is not heard of for %.0f s",
                *(lease.pid, lease.host, f"{lease.since:%Y-%m-%d %H:%M:%S}", self._claim.seconds),
            )

    def _read_again(self) -> None:
        self._schedule = self.all_as_schedule()
        self._heap = None
        self._heap_invalidated = False
        self.old_schedulers = None

    def _with_unwritten(self, model: PeriodicTask) -> PeriodicTask:
        """A row with the last dispatch that this beat knows of, where the database does not yet."""
        known = self._schedule.get(model.name) if self._schedule and model.name in self._dirty else None
        if known is not None:
            model.last_run_at, model.total_run_count = known.model.last_run_at, known.model.total_run_count
        return model

    def _look_again(self) -> None:
        """Take up what was mended, in whatever way: a row that was not saved says nothing of its change."""
        if not self._skipped or uptime() - self._looked < LOOK:
            return
        self._looked = uptime()
        try:
            mended = [name for name in self._skipped if self._is_mended(name)]
        except (DatabaseError, InterfaceError):
            return  # the lease says so
        if mended:
            self.sync()
            self._read_again()

    def _is_mended(self, name: str) -> bool:
        model = rows.find(name)
        if model is None or not model.enabled:
            return True
        pause = self._pauses.get(name)
        return _contents(model) != pause.row if pause else not faults.find(model, self.app)

    def _hold_back(self, entry: DatabaseEntry, why: str) -> None:
        known = self._pauses.get(entry.name)
        seconds = min(known.seconds * 2, LONGEST_PAUSE) if known else FIRST_PAUSE
        self._pauses[entry.name] = Pause(why, _contents(entry.model), seconds, uptime() + seconds)
        self._skip({**self._skipped, entry.name: why})

    def _take_back(self) -> None:
        """What was counted as a dispatch was none."""
        if self._before is None:
            return
        following, last, count = self._before
        following.model.last_run_at = following.last_run_at = last
        following.model.total_run_count = following.total_run_count = count
        self._dirty.discard(following.name)

    def _skip(self, skipped: Mapping[str, str]) -> None:
        """Say once of each row why it is left out, and that it is taken up again."""
        for name in skipped.keys() - self._skipped.keys():
            logger.error("Entry %r is left out until it is mended: %s", name, skipped[name])
        for name in self._skipped.keys() - skipped.keys():
            logger.info("Entry %r is not left out any more", name)
        if self._skipped != skipped:
            self._skipped = dict(skipped)
            if self._claim.holds:
                self._claim.keep(now=True, skipped=self._skipped)

    def _broker_errors(self) -> tuple[type[BaseException], ...]:
        """What is no fault of a row."""
        transport = self.app.connection_for_write().get_transport_cls()
        more = transport.channel_errors if transport.driver_type == "redis" else ()
        return (OperationalError, *transport.connection_errors, *more)


def _contents(model: PeriodicTask) -> tuple[Any, ...]:
    """What of a row decides when and how it is sent."""
    names = ("task", "args", "kwargs", "headers", "queue", "exchange", "routing_key", "priority")
    more = ("expire_seconds", *(f"{kind}_id" for kind in faults.KINDS))
    return (*(getattr(model, name) for name in (*names, *more)), faults.moment(model, "expires"))
