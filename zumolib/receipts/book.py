"""The receipts of past actions, read again."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib import processes
from zumolib.database import orm
from zumolib.deployment.database import database_errors
from zumolib.errors import InputError
from zumolib.masking import mask_value
from zumolib.receipts import keeping
from zumolib.receipts.observation import NOT_VERIFIED, VERIFIED, Observation

if TYPE_CHECKING:
    from zumolib.receipts.models import Receipt as Row

MOST_AFFECTED = 1_000  # rows of a preview that a receipt keeps; the count is always whole

COLUMNS = {
    "id": "int64", "started_at": "datetime64[us, UTC]", "actor": "str", "action": "str", "target": "str",
    "state": "str", "checked": "str", "affected_count": "int64", "reason": "str", "outcome": "str",
    "undo": "str",
}  # fmt: skip
MADE = ("undoes", "undone_by")  # of other rows


@dataclass(frozen=True)
class Receipt:
    """The record of one action."""

    id: int
    action: str
    target: str
    summary: str
    actor: str  # who
    reason: str  # why
    started_at: datetime  # UTC
    finished_at: datetime | None
    state: str  # started, done, partly, cancelled or failed
    outcome: str  # one sentence
    checked: Observation  # what was observed afterwards
    asked: dict[str, Any]
    affected: list[dict[str, Any]]  # rows of the preview, at most MOST_AFFECTED
    affected_count: int
    before: dict[str, Any]
    after: dict[str, Any]
    steps: list[dict[str, Any]]  # target, ok, outcome
    caveats: list[str]
    undo: dict[str, Any] | None  # action and arguments of the way back
    no_way_back: str  # why there is none; empty where there is one
    undoes: int | None  # receipt that this action took back
    undone_by: int | None  # receipt of the action that took this back
    process: str  # machine and process

    @property
    def ok(self) -> bool:
        """Whether all was done, and nothing speaks against its effect."""
        return self.state == "done" and self.checked.verdict != NOT_VERIFIED

    @property
    def verified(self) -> bool:
        """Whether the effect was seen."""
        return self.checked.verdict == VERIFIED

    @property
    def how_to_undo(self) -> str:
        """One line: the command, or why there is none."""
        if self.undone_by is not None:
            return f"undone by receipt {self.undone_by}"
        if self.undo is None:
            return f"cannot be undone: {self.no_way_back}" if self.no_way_back else "cannot be undone"
        return f"zumo undo {self.id}"


def read(pk: int) -> Receipt:
    """One receipt.

    Raises
    ------
    InputError
        When there is none with this id.
    """
    orm.ready()
    from zumolib.receipts.models import Receipt as Row

    with database_errors():
        row = Row.objects.filter(pk=pk).first()
    if row is None:
        raise InputError(f"there is no receipt {pk}; `zumo actions` lists them")
    return _made(row)


def latest(*, limit: int = 50, action: str = "", target: str = "") -> pd.DataFrame:
    """The last receipts, the newest first.

    Returns
    -------
    pandas.DataFrame
        ``id``, ``started_at`` (UTC), ``actor``, ``action``, ``target``, ``state``, ``checked`` (what was
        observed afterwards), ``affected_count``, ``reason``, ``outcome`` and ``undo``
        (the command, or why there is none).
    """
    orm.ready()
    from zumolib.receipts.models import Receipt as Row

    orm.refresh()
    found = Row.objects.all()
    if action:
        found = found.filter(action=action)
    if target:
        found = found.filter(target__icontains=target)
    with database_errors():
        rows = [_made(row) for row in found.prefetch_related("undone_by")[:limit]]
    listed = [
        {
            **{name: getattr(row, name) for name in COLUMNS},
            "checked": str(row.checked),
            "undo": row.how_to_undo,
        }
        for row in rows
    ]
    return pd.DataFrame(listed, columns=list(COLUMNS)).astype(COLUMNS)


def _made(row: Row) -> Receipt:
    taken_back = [other.pk for other in row.undone_by.all() if other.state in ("done", "partly")]
    values = {f.name: getattr(row, f.name) for f in fields(Receipt) if f.name not in MADE}
    if row.state == "started":
        values["outcome"] = _unfinished(row.process)
    return Receipt(**values, undoes=row.undoes_id, undone_by=max(taken_back, default=None))


def _unfinished(process: str) -> str:
    """What is known of an action without an end."""
    host, _, pid = process.rpartition(":")
    if host == socket.gethostname() and not processes.runs(int(pid)):
        return f"broke off: its process ({process}) is gone, and how far it came is not known"
    return f"under way in {process}, as far as is known"


def scrub(keys: Sequence[str], *, write: bool = True) -> int | None:
    """Hide what is secret in every receipt; how many change, None where this database has none.

    Raises
    ------
    ZumoError
        The database does not answer, or does not take it.
    """
    orm.ready()
    from django.db import transaction

    with database_errors():
        if not keeping.possible():
            return None
        from zumolib.receipts.models import Receipt as Row

        with transaction.atomic():
            return int(Row.objects.scrub(lambda value: mask_value(value, keys), write=write))
