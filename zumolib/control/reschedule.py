"""Reschedule an entry: another crontab, or another interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from zumolib.control import entry
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import InputError
from zumolib.receipts.observation import UNTIL_EDITED, Observation
from zumolib.schedule import faults
from zumolib.schedule.rows import UNKNOWN
from zumolib.schedule.when import FIRINGS, When

if TYPE_CHECKING:
    from celery import Celery

COLUMNS = ("entry", "task", "queue", "enabled", "before", "after")


@dataclass(frozen=True, kw_only=True, eq=False)
class Reschedule(Plan):
    """A new time for one entry."""

    action = "reschedule"

    name: str
    when: When
    last_run_at: datetime | None  # what the entry shall count from; None: from the change on
    zone: str
    firings: pd.DataFrame = field(repr=False)  # the next ones afterwards: at, local, offset, note
    firings_before: pd.DataFrame = field(repr=False)  # the next ones as it is

    def carry_out(self, run: Run) -> None:
        """Write the row, if it is still what was planned on."""

        def edit(row: Any) -> None:
            self.when.put(row)
            # Counting from an old dispatch, beat would send it at once for a time that has passed.
            entry.count_from(row, self.last_run_at)

        run.after |= entry.change(self.name, dict(self.before), edit, columns=entry.TIMES)
        run.step(self.name, f"now {self.when.text}")

    def verify(self, run: Run) -> Observation:
        """The row says so."""
        row = entry.find(self.name)
        there = When.of(row)
        return Observation.of(there == self.when, f"the entry's row says {there.text}", lasting=UNTIL_EDITED)

    def way_back(self, run: Run) -> dict[str, Any] | None:
        """Back to the old times."""
        return {
            "action": "reschedule",
            "arguments": {
                "name": self.name,
                "when": self.before["when"],
                "last_run_at": self.before["last_run_at"],
                "found": run.after["when"],
            },
        }


def plan(
    app: Celery,
    name: str,
    *,
    cron: str | None = None,
    every: float | None = None,
    timezone: str | None = None,
    zone: str = "UTC",
    now: datetime | None = None,
) -> Reschedule:
    """Plan another time for an entry.

    Parameters
    ----------
    name
        Of the entry.
    cron
        Five fields, as in crontab(5); Celery wants day of month and day of week both to match.
    every
        Or an interval in seconds.
    timezone
        Whose wall clock the crontab follows; None keeps the entry's own.
    zone
        In which the firings are shown.

    Raises
    ------
    InputError
        One line naming the value and the remedy.
    """
    row = entry.find(name)
    old = When.of(row)
    when = When.written(cron=cron, every=every, zone=timezone or old.zone)
    return _made(app, row, when, zone=zone, now=now)


def back(
    app: Celery,
    name: str,
    when: Mapping[str, Any],
    *,
    last_run_at: str | None,
    found: Mapping[str, Any],
    undoes: int | None = None,
    zone: str = "UTC",
    now: datetime | None = None,
) -> Reschedule:
    """Plan to take a change back, if nobody has changed the entry since.

    Raises
    ------
    InputError
        When somebody has.
    """
    row, now = entry.find(name), now or datetime.now(UTC)
    there = When.of(row)
    if there.to_json() != dict(found):
        raise InputError(f"entry {name!r} was changed again since, to {there}; undo that first")
    when_ = When.from_json(dict(when))
    last = entry.parse(last_run_at)
    # A dispatch since then counts; an older one only if it does not make the entry due at once.
    last = max((moment for moment in (last, faults.moment(row, "last_run_at")) if moment), default=None)
    if last is not None and entry.due_at_once(row, when_, last, now):
        last = None
    return _made(app, row, when_, zone=zone, now=now, last_run_at=last, undoes=undoes)


def _made(
    app: Celery,
    row: Any,
    when: When,
    *,
    zone: str,
    now: datetime | None,
    last_run_at: datetime | None = None,
    undoes: int | None = None,
) -> Reschedule:
    now, old = now or datetime.now(UTC), When.of(row)
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise InputError(f"{zone!r} is no time zone; write it like UTC or Europe/Paris") from None
    queue = _queue(app, row)
    same = when == old
    rows = [] if same else [(row.name, row.task, queue, row.enabled, str(old), str(when))]
    empty = pd.DataFrame(columns=list(FIRINGS)).astype(FIRINGS)
    known, last = row.enabled, faults.moment(row, "last_run_at")
    return Reschedule(
        app=app,
        target=row.name,
        summary=f"{row.name} is {when.text} already" if same else f"{row.name}: {old.text} → {when.text}",
        preview=pd.DataFrame(rows, columns=list(COLUMNS)),
        caveats=_caveats(app, row),
        asked={"name": row.name, "when": when.to_json()},
        before=entry.snapshot(row),
        undoes=undoes,
        name=row.name,
        when=when,
        last_run_at=last_run_at,
        zone=zone,
        firings=when.next(now=now, zone=zone, anchor=last_run_at) if known else empty,
        firings_before=old.next(now=now, zone=zone, anchor=last or faults.moment(row, "date_changed"))
        if known
        else empty,
    )


def _caveats(app: Celery, row: Any) -> tuple[str, ...]:
    found = [entry.beat_caveat(app), "it counts from the change: what was due before is not made up for"]
    if not row.enabled:
        found.append("the entry is disabled, so it does not fire at all")
    if row.one_off:
        found.append("the entry is one-off: it fires once, then beat disables it")
    if start := faults.moment(row, "start_time"):
        found.append(f"the entry does not fire before {start:%Y-%m-%d %H:%M} UTC")
    if end := faults.moment(row, "expires"):
        found.append(f"the entry does not fire after {end:%Y-%m-%d %H:%M} UTC")
    return (*found, *entry.caveats(row, app))


def _queue(app: Celery, row: Any) -> str:
    try:
        return faults.landing_queue(app, row.task, row.queue)
    except Exception:  # noqa: BLE001 - an app's routes may raise anything; the caveats say what
        return row.queue or UNKNOWN
