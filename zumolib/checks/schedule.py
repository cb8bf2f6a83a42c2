"""Does beat dispatch what is due?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from zumolib import orm
from zumolib.checks import broker
from zumolib.checks.check import Check, Finding
from zumolib.control.database import database_errors
from zumolib.control.entry import BEAT_INTERVAL
from zumolib.control.when import When

if TYPE_CHECKING:
    from zumolib.checks.scene import Scene

GRACE = 60.0  # seconds by which a dispatch may be late
SYNC_SECONDS = 180.0  # how seldom beat writes the last dispatch, unless `beat_sync_every` says otherwise
RUNNING = ("RUNNING", "STARTING")


def rows(scene: Scene) -> list[Any]:
    """Rows of the schedule that could ever fire, by name; empty where it is not in a database."""
    orm.ready()
    from django_celery_beat.models import PeriodicTask

    with database_errors():
        found = PeriodicTask.objects.select_related("crontab", "interval", "solar", "clocked").order_by(
            "name"
        )
        kept = [row for row in found if _alive(row, scene.now)]
    return [row for row in kept if not scene.entry or row.name == scene.entry]


def entries_by_task(scene: Scene) -> dict[str, list[str]]:
    """Names of the enabled entries by the task that they send."""
    made: dict[str, list[str]] = {}
    for row in rows(scene):
        if row.enabled:
            made.setdefault(row.task, []).append(row.name)
    return made


def overdue(scene: Scene) -> list[tuple[Any, datetime]]:
    """Enabled rows that were due and not dispatched, with when they were due, the longest overdue first."""
    late = []
    for row in rows(scene):
        due = _due(row) if row.enabled else None
        if due is not None and due < scene.now - tolerance(scene) and not _run_by_hand(row.name, due):
            late.append((row, due))
    return sorted(late, key=lambda pair: pair[1])


def _run_by_hand(name: str, due: datetime) -> bool:
    """Whether somebody ran the entry since it was due, as the receipts say."""
    from zumolib.receipts.models import Receipt

    made = Receipt.objects.filter(action="run now", state="done", started_at__gte=due)
    return made.filter(target=name).exists()


def tolerance(scene: Scene) -> timedelta:
    """How late a dispatch may seem before beat is in doubt."""
    conf = scene.app.conf
    sync = 0.0 if conf.beat_sync_every == 1 else SYNC_SECONDS
    return timedelta(seconds=GRACE + sync + float(conf.beat_max_loop_interval or BEAT_INTERVAL))


def _stopped(scene: Scene) -> Iterator[Finding]:
    state = scene.service("beat")
    late = overdue(scene)
    if state is not None and state not in RUNNING:
        yield Finding(
            "beat-stopped",
            "",
            f"beat's process does not run ({state.lower()}){_late(late)}",
            "start it; if it does not stay up, `zumo logs beat` says why",
        )
    elif late:
        stands = (
            "does not dispatch what is due, though its process runs"
            if state
            else "dispatches nothing that is due"
        )
        yield Finding(
            "beat-stopped",
            "",
            f"beat {stands}{_late(late)}",
            "start beat anew; its log says what it waited for",
            # After the last of them was due: a start of beat since then has helped none of them.
            facts={"entries": [row.name for row, _ in late], "since": max(due for _, due in late)},
        )


def _disabled(scene: Scene) -> Iterator[Finding]:
    for row in rows(scene):
        if row.enabled:
            continue
        made = _who_disabled(row.name)
        asked = scene.entry == row.name
        who = (
            f"by {made.actor} (receipt {made.pk}: {made.reason or 'no reason given'})"
            if made
            else "without a receipt"
        )
        yield Finding(
            "entry-disabled",
            row.name,
            f"{row.name} was disabled {who}",
            f"enable it by `zumo enable {row.name}`",
            severity="note" if made and not asked else "error",
        )


def _who_disabled(name: str) -> Any:
    """The receipt of the last switch of an entry, if that turned it off."""
    from zumolib.receipts.models import Receipt

    switches = Receipt.objects.filter(action__in=("enable", "disable"), state="done").order_by("-id")
    last = next((made for made in switches[:1_000] if name in (made.asked.get("names") or ())), None)
    return last if last is not None and last.action == "disable" else None


def _due(row: Any) -> datetime | None:
    """The first moment after its last dispatch (or, without one, its last change) at which a row is due."""
    last = row.last_run_at or row.date_changed
    when = When.of(row)
    if when.other is not None:
        return None
    if when.every is not None:
        return last + timedelta(seconds=when.every)
    first = when.next(1, now=last)
    return None if first.empty else first["at"].iloc[0].to_pydatetime()


def _alive(row: Any, now: datetime) -> bool:
    begun = row.start_time is None or row.start_time <= now
    ended = (row.expires is not None and row.expires <= now) or (row.one_off and row.total_run_count > 0)
    return begun and not ended


def _late(late: list[tuple[Any, datetime]]) -> str:
    if not late:
        return ""
    count = "1 entry is" if len(late) == 1 else f"{len(late)} entries are"
    return f"; {count} overdue, {late[0][0].name} since {late[0][1]:%Y-%m-%d %H:%M} UTC"


STOPPED = Check("beat-stopped", "beat does not dispatch", _stopped, after=broker.IDS)
DISABLED = Check("entry-disabled", "an entry is disabled", _disabled)
CHECKS = (STOPPED, DISABLED)
