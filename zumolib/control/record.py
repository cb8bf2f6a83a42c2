"""What an action writes into its receipt: before it starts, and when it has ended."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.conf import conf, person
from zumolib.control.run import Run
from zumolib.database import orm
from zumolib.deployment.database import database_errors
from zumolib.errors import ControlError, ZumoError
from zumolib.masking import mask_text, mask_value
from zumolib.receipts.book import MOST_AFFECTED, Receipt, read
from zumolib.receipts.observation import Observation

if TYPE_CHECKING:
    from zumolib.control.plan import Plan


def begin(plan: Plan, *, reason: str, actor: str) -> int:
    """Write that an action starts; returns the receipt's id.

    Raises
    ------
    ControlError
        When the plan was applied before.
    """
    orm.ready()
    orm.refresh()  # a connection that broke since the last action
    from django.db import IntegrityError

    from zumolib.receipts.models import Receipt as Row

    keys = conf().ZUMO_MASKED_KEYS
    with database_errors():
        Row.objects.let_go(datetime.now(UTC) - timedelta(days=conf().ZUMO_RECEIPT_DAYS))
        try:
            row = Row.objects.create(
                plan=plan.id,
                action=plan.action,
                target=mask_text(plan.target, keys)[:300],
                summary=mask_text(plan.summary, keys),
                actor=(actor or person())[:200],
                reason=mask_text(reason, keys),
                process=f"{socket.gethostname()}:{os.getpid()}",
                started_at=datetime.now(UTC),
                asked=mask_value(_plain(plan.asked), keys),
                affected=mask_value(_rows(plan.preview), keys),
                affected_count=len(plan.preview),
                before=mask_value(_plain(plan.before), keys),
                caveats=mask_value(list(plan.caveats), keys),
                undoes_id=plan.undoes,
            )
        except IntegrityError:
            earlier = Row.objects.filter(plan=plan.id).first()
            if earlier is None:
                raise
            raise ControlError(
                f"this plan was applied already, see receipt {earlier.pk}; make a new plan",
                receipt=earlier.pk,
            ) from None
    return int(row.pk)


def end(
    pk: int, run: Run, *, state: str, outcome: str, seen: Observation, undo: Any, no_way_back: str
) -> Receipt:
    """Write how an action ended.

    Raises
    ------
    ControlError
        When the database does not take it; the receipt then stays open.
    """
    from zumolib.receipts.models import Receipt as Row

    keys = conf().ZUMO_MASKED_KEYS
    values: dict[str, Any] = {
        "finished_at": datetime.now(UTC),
        "state": state,
        "outcome": mask_text(outcome, keys),
        "verdict": seen.verdict,
        "observed": mask_text(seen.observed, keys),
        "observed_at": seen.at,
        "lasting": seen.lasting,
        "no_way_back": no_way_back,
        "after": mask_value(_plain(run.after), keys),
        "steps": mask_value(run.steps, keys),
        "undo": undo,
    }
    try:
        with database_errors():
            Row.objects.close(pk, **values)
            return read(pk)
    except ZumoError as error:
        raise ControlError(
            f"{state}: {outcome}; but receipt {pk} could not be completed: {error}", receipt=pk
        ) from error


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The first rows of a preview as JSON."""
    return [_plain(row) for row in frame.head(MOST_AFFECTED).to_dict("records")]


def _plain(values: Mapping[Any, Any]) -> dict[str, Any]:
    """What JSON can hold: missing values as null."""
    return {str(key): _value(value) for key, value in values.items()}


def _value(value: Any) -> Any:
    match value:
        case Mapping():
            return _plain(value)
        case list() | tuple():
            return [_value(inner) for inner in value]
        case bool() | str() | None:
            return value
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value
