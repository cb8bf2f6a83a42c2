"""Enable and disable entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.control import entry
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import ZumoError
from zumolib.receipts.observation import UNTIL_EDITED, Observation
from zumolib.schedule import faults
from zumolib.schedule.when import When

if TYPE_CHECKING:
    from celery import Celery

COLUMNS = ("entry", "task", "schedule", "enabled", "will_be_enabled")


@dataclass(frozen=True, kw_only=True, eq=False)
class Switch(Plan):
    """Entries to be turned on, or off."""

    names: tuple[str, ...]
    on: bool

    def carry_out(self, run: Run) -> None:
        """Write each row that is still what was planned on."""
        for name in self.names:
            run.heed()
            before = self.before[name]

            def edit(row: Any, before: dict[str, Any] = before) -> None:
                row.enabled = self.on
                entry.count_from(row, self._last(row, entry.parse(before.get("snapshot"))))

            try:
                run.after[name] = entry.change(name, before, edit, columns=entry.SWITCHED)
            except ZumoError as error:
                run.step(name, str(error), ok=False)
            else:
                run.step(name, "enabled" if self.on else "disabled")

    def _last(self, row: Any, remembered: datetime | None) -> datetime | None:
        """A dispatch from before it was disabled, unless the entry would be due at once by it."""
        if not self.on or remembered is None:
            return None
        late = entry.due_at_once(row, When.of(row), remembered, datetime.now(UTC))
        return None if late else remembered

    def verify(self, run: Run) -> Observation:
        """The rows say so."""
        agreed = sum(entry.find(name).enabled is self.on for name in run.succeeded)
        total = len(run.succeeded)
        what = f"{agreed:,} of {total:,} {'row' if total == 1 else 'rows'} {'enabled' if self.on else 'disabled'}"
        return Observation.of(agreed == total, what, lasting=UNTIL_EDITED)

    def way_back(self, run: Run) -> dict[str, Any] | None:
        """The other way round, with the last dispatches, which a disabled row forgets."""
        remembered = {name: self.before[name]["last_run_at"] for name in run.succeeded}
        return {
            "action": "disable" if self.on else "enable",
            "arguments": {"names": run.succeeded, "remembered": remembered},
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Enable(Switch):
    """Turn entries on."""

    action = "enable"


@dataclass(frozen=True, kw_only=True, eq=False)
class Disable(Switch):
    """Turn entries off."""

    action = "disable"


def plan(
    app: Celery,
    names: str | Sequence[str],
    *,
    on: bool,
    remembered: dict[str, str | None] | None = None,
    undoes: int | None = None,
) -> Switch:
    """Plan to enable entries (`on`), or to disable them; those that are so already are left out.

    Parameters
    ----------
    remembered
        Last dispatches from before the entries were disabled, by name, ISO 8601.

    Raises
    ------
    InputError
        For a name that is no entry.
    """
    asked = (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))
    rows = [row for row in map(entry.find, asked) if row.enabled is not on]
    verb = "enable" if on else "disable"
    preview = pd.DataFrame(
        [(row.name, row.task, str(When.of(row)), row.enabled, on) for row in rows], columns=list(COLUMNS)
    )
    count = f"{len(rows)} entries" if len(rows) > 1 else rows[0].name if rows else f"none: all are {verb}d"
    caveats = [entry.beat_caveat(app)]
    if on:
        caveats.append("it counts from now: what was missed while it was disabled is not made up for")
    else:
        caveats.append("what beat has sent already still runs")
    caveats += [
        f"beat leaves {row.name} out as it is: {'; '.join(wrong)}"
        for row in rows
        if (wrong := faults.find(row, app))
    ]
    before = {row.name: {**entry.snapshot(row), "snapshot": (remembered or {}).get(row.name)} for row in rows}
    return (Enable if on else Disable)(
        app=app,
        target=_target([row.name for row in rows] or asked),
        summary=f"{verb} {count}",
        preview=preview,
        caveats=tuple(caveats),
        asked={"names": list(asked)},
        before=before,
        undoes=undoes,
        names=tuple(row.name for row in rows),
        on=on,
    )


def _target(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} entries"
