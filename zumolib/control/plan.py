"""What an action would do: a plan, which touches nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID, uuid4

import pandas as pd

from zumolib.control.run import Run
from zumolib.receipts.observation import Observation

if TYPE_CHECKING:
    from celery import Celery


def _utcnow() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan(ABC):
    """One action, worked out and not yet applied.

    Every kind of action is a subclass, made by its module's ``plan`` function. All texts are already
    masked and may be shown as they are.
    """

    action: ClassVar[str]  # the verb, as in `zumo <action>`
    no_way_back: ClassVar[str] = ""  # why it cannot be undone, and what can be done instead

    app: Celery = field(repr=False)
    target: str  # what is acted on, short
    summary: str  # the action as one sentence
    preview: pd.DataFrame = field(repr=False)  # one row a thing that is affected
    caveats: tuple[str, ...] = ()  # what the action cannot guarantee
    asked: Mapping[str, Any] = field(default_factory=dict)  # the arguments, as JSON
    before: Mapping[str, Any] = field(default_factory=dict)  # the state that will change, as JSON
    undoes: int | None = None  # id of the receipt that this takes back
    at: datetime = field(default_factory=_utcnow)
    id: UUID = field(default_factory=uuid4)  # a plan is applied once

    @abstractmethod
    def carry_out(self, run: Run) -> None:
        """Do it, noting each step in `run`.

        Raises
        ------
        ZumoError
            When it breaks off; what was done until then is in `run`.
        """

    @abstractmethod
    def verify(self, run: Run) -> Observation:
        """Look at the effect from outside, and say what was observed and how lasting it is."""

    def way_back(self, run: Run) -> dict[str, Any] | None:
        """How to undo what was done: ``action`` and ``arguments``; None where there is no way back."""
        return None
