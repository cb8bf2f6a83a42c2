"""What was tried against a finding before, by the receipts: a cure that did not help is not repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from zumolib.database import orm
from zumolib.receipts import keeping

if TYPE_CHECKING:
    from zumolib.checks import Finding
    from zumolib.receipts.models import Receipt as Row

MARK = "finding"  # in what a cure's receipt says was asked
WINDOW = timedelta(hours=1)  # for a finding whose beginning nobody knows
MOST = 2  # cures in that time: one may have helped, and the trouble have come again

LOOK = "look at the log of what is named there"
SUSPECTS: Mapping[str, str] = {
    "beat-stopped": (
        "Next suspect: a scheduler that passes over them; django-celery-beat's own loads only crontabs that are due "
        "within about 2 hours of its start or of an edit. Run what was missed: "
    ),
    "workers-busy": "Next suspect: the tasks that hold the processes. ",
    "prefetch-held": "Next suspect: the tasks with an ETA; keep far ETAs in the schedule, and revoke those: ",
    "no-worker": "Next suspect: what the worker itself says when it starts: `zumo logs worker`",
    "task-leaks": "Next suspect: the task's own code; bound what a process does by `--max-memory-per-child`",
    "results-memory-limit": "Next suspect: what else is stored there, or a memory limit that is too low",
}


@dataclass(frozen=True)
class Attempt:
    """A cure that was applied and after which the finding is still, or again, there."""

    receipt: int
    at: datetime  # UTC
    summary: str
    checked: str  # what was observed after it

    @classmethod
    def of(cls, row: Row) -> Attempt:
        """From its receipt."""
        return cls(int(row.pk), row.started_at, row.summary, str(row.checked))

    def __str__(self) -> str:
        return f"{self.summary} (receipt {self.receipt} at {self.at:%H:%M:%S} UTC; {self.checked})"


def without_effect(finding: Finding) -> Attempt | None:
    """The cure that did not help against a finding; None where none was tried since it began.

    Where a check cannot say when its finding began, two cures within the hour are taken for that.
    """
    orm.ready()
    if not keeping.possible():
        return None
    from zumolib.receipts.models import Receipt as Row

    tried = Row.objects.filter(**{f"asked__{MARK}": str(finding), "state": "done"}).order_by("-id")
    since = finding.facts.get("since")
    if since is not None:
        last = tried.filter(started_at__gte=since).first()
        return None if last is None else Attempt.of(last)
    lately = list(tried.filter(started_at__gte=datetime.now(UTC) - WINDOW)[:MOST])
    return Attempt.of(lately[0]) if len(lately) == MOST else None


def next_suspect(finding: Finding) -> str:
    """What to look at instead, and what to type."""
    facts = finding.facts
    text = SUSPECTS.get(finding.id, f"Next suspect: {LOOK}")
    if finding.id == "beat-stopped":
        entries = [str(name) for name in facts.get("entries", ())]
        return text + "; ".join(f"`zumo call {name!r} --entry`" for name in entries)
    if finding.id in ("workers-busy", "prefetch-held"):
        names = [str(name) for name in facts.get("tasks", ())]
        more = " --terminate" if finding.id == "workers-busy" else " --state scheduled"
        return text + "; ".join(
            f"`zumo revoke --name {name!r} --worker {facts['worker']!r}{more}`" for name in names
        )
    return text
