"""Does beat dispatch what is due?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from zumolib.checks import broker
from zumolib.checks.check import Check, Finding
from zumolib.conf import conf
from zumolib.deployment import ownership
from zumolib.deployment.database import database_errors
from zumolib.errors import CannotTell
from zumolib.schedule import faults, pace
from zumolib.schedule import rows as reader
from zumolib.schedule.leases import standing as leases
from zumolib.schedule.leases.standing import OURS, Standing
from zumolib.schedule.when import When

if TYPE_CHECKING:
    from zumolib.checks.scene import Scene

GRACE = 60.0  # seconds by which a dispatch may be late
SYNC_SECONDS = 180.0  # how seldom beat writes the last dispatch, unless `beat_sync_every` says otherwise
LEASE = "beat"
TABLE = "django_celery_beat_periodictask"
RUNNING = ("RUNNING", "STARTING")


def require_known(scene: Scene) -> None:
    """Refuse to judge a beat by a schedule that it does not read.

    Raises
    ------
    CannotTell
        The app's beat is not the platform's, and the database is not one that such a beat reads.
    """
    if scene.app.conf.beat_scheduler == OURS or conf().ZUMO_OWN:
        return
    from django.db import connection

    with database_errors():
        tables = set(connection.introspection.table_names())
    if TABLE in tables and not any(table.startswith(ownership.OWN_TABLES) for table in tables):
        return
    raise CannotTell(
        f"the schedule of {scene.app.main or 'this app'} is not in the database of DATABASE_URL: its beat reads "
        "another one, or a file; set DATABASE_URL to the database in which django-celery-beat keeps it"
    )


def read(scene: Scene) -> list[reader.Row]:
    """Every row of the schedule, bad ones too, by name; of one entry only where the scene names it.

    Raises
    ------
    CannotTell
        It is not known what the app's beat reads.
    """
    require_known(scene)
    with database_errors():
        found = reader.read(scene.app)
    return [row for row in found if not scene.entry or row.name == scene.entry]


def rows(scene: Scene) -> list[Any]:
    """Rows of the schedule that may fire, by name; a bad one has a finding of its own."""
    return [row.model for row in read(scene) if not row.faults and _alive(row.model, scene.now)]


def entries_by_task(scene: Scene) -> dict[str, list[str]]:
    """Names of the enabled entries by the task that they send."""
    made: dict[str, list[str]] = {}
    for row in read(scene):
        if row.enabled and row.task:
            made.setdefault(row.task, []).append(row.name)
    return made


def overdue(scene: Scene) -> list[tuple[Any, datetime]]:
    """Enabled rows that were due and not dispatched, with when they were due, the longest overdue first."""
    late = []
    receipts = scene.app.conf.beat_scheduler == OURS  # in another project's database there are none
    for row in rows(scene):
        due = _due(row) if row.enabled else None
        by_hand = receipts and due is not None and _run_by_hand(row.name, due)
        if due is not None and due < scene.now - tolerance(scene) and not by_hand:
            late.append((row, due))
    return sorted(late, key=lambda pair: pair[1])


def _run_by_hand(name: str, due: datetime) -> bool:
    """Whether somebody ran the entry since it was due, as the receipts say."""
    from zumolib.receipts.models import Receipt

    made = Receipt.objects.filter(action="run now", state="done", started_at__gte=due)
    return made.filter(target=name).exists()


def tolerance(scene: Scene) -> timedelta:
    """How late a dispatch may seem before beat is in doubt."""
    settings = scene.app.conf
    sync = 0.0 if settings.beat_sync_every == 1 else SYNC_SECONDS
    return timedelta(seconds=GRACE + sync + pace.loop_seconds(scene.app))


def standing(scene: Scene) -> Standing | None:
    """How the lease of beat stands; None for a beat that takes none, which is any but ours."""
    if scene.app.conf.beat_scheduler != OURS:
        return None
    with database_errors():
        return leases.of(LEASE)


def _stopped(scene: Scene) -> Iterator[Finding]:
    state = scene.service("beat")
    late = overdue(scene)
    lease = standing(scene)
    if state is not None and state not in RUNNING:
        yield Finding(
            "beat-stopped",
            "",
            f"beat's process does not run ({state.lower()}){_late(late)}",
            "start it; if it does not stay up, `zumo logs beat` says why",
        )
    elif lease is not None and (lease.restarts or lease.state != leases.HELD):
        # A process that ends again and again counts as running each time that one looks.
        what = "ends and is started again and again" if lease.restarts else "does not work"
        runs = ", though its process runs" if state and not lease.restarts else ""
        yield Finding(
            "beat-stopped",
            "",
            f"beat {what}{runs}: {lease.restarts or lease}{_late(late)}",
            "`zumo logs beat` says why; start beat again when that is mended",
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
            # After the last of them was due and became what it is: a start of beat since then has helped none of them.
            facts={
                "entries": [row.name for row, _ in late],
                "since": max(max(due, row.date_changed) for row, due in late),
            },
        )
    elif state is None and lease is None and not any(row.last_run_at for row in rows(scene)):
        raise CannotTell(
            "nothing was due yet and nothing was dispatched, which shows neither that beat runs nor that it does not; "
            "look at its process, or again when an entry was due"
        )


def _disabled(scene: Scene) -> Iterator[Finding]:
    receipts = scene.app.conf.beat_scheduler == OURS
    for row in read(scene):
        # Beat itself disables one that was to be sent once, when it was.
        if row.enabled or row.model.one_off or not _alive(row.model, scene.now):
            continue
        made = _who_disabled(row.name) if receipts else None
        asked = scene.entry == row.name
        if made:
            who = f"by {made.actor} (receipt {made.pk}: {made.reason or 'no reason given'})"
        else:
            who = "without a receipt" if receipts else "(by whom is not recorded in that database)"
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
        return row.clocked.clocked_time if faults.kind_of(row) == "clocked" else None
    if when.every is not None:
        return last + timedelta(seconds=when.every)
    first = when.next(1, now=last)
    return None if first.empty else first["at"].iloc[0].to_pydatetime()


def _alive(row: Any, now: datetime) -> bool:
    start, end = faults.moment(row, "start_time"), faults.moment(row, "expires")
    begun = start is None or start <= now
    ended = (end is not None and end <= now) or (row.one_off and bool(row.total_run_count))
    return begun and not ended


def _late(late: list[tuple[Any, datetime]]) -> str:
    if not late:
        return ""
    count = "1 entry is" if len(late) == 1 else f"{len(late)} entries are"
    return f"; {count} overdue, {late[0][0].name} since {late[0][1]:%Y-%m-%d %H:%M} UTC"


def _bad(scene: Scene) -> Iterator[Finding]:
    lease = standing(scene)
    unsent = lease.skipped if lease is not None and lease.state == leases.HELD else {}
    for row in read(scene):
        # What only sending shows, beat itself has to say.
        why = row.problem or unsent.get(row.name, "")
        if why and row.enabled:
            yield Finding(
                "entry-bad",
                row.name,
                f"beat leaves {row.name} out: {why}",
                "correct it in the admin, give it other times by `zumo reschedule`, or `zumo disable` it",
            )


BAD = Check("entry-bad", "an entry can be neither scheduled nor sent", _bad)
STOPPED = Check("beat-stopped", "beat does not dispatch", _stopped, after=broker.IDS)
DISABLED = Check("entry-disabled", "an entry is disabled", _disabled)
CHECKS = (STOPPED, DISABLED, BAD)
