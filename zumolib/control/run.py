"""An action under way: what it has done so far, and whether it is to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

Progress = Callable[[int, int], None]


class Cancelled(Exception):
    """The person who started the action cancelled it."""


@dataclass
class Run:
    """What one action has done so far; its receipt is completed from this, however it ends."""

    total: int  # steps that it has
    progress: Progress | None = None  # called with steps done, and of how many
    cancelled: Event | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)  # target, ok, outcome
    after: dict[str, Any] = field(default_factory=dict)  # the state afterwards, as JSON
    notes: list[str] = field(default_factory=list)  # sentences for the outcome

    def step(self, target: str, outcome: str, *, ok: bool = True) -> None:
        """Note the outcome of one step."""
        self.steps.append({"target": target, "ok": ok, "outcome": outcome})
        if self.progress is not None:
            self.progress(min(len(self.steps), self.total), self.total)

    def heed(self) -> None:
        """Stop here if that was asked for; called between steps.

        Raises
        ------
        Cancelled
            When it was.
        """
        if self.cancelled is not None and self.cancelled.is_set():
            raise Cancelled

    @property
    def succeeded(self) -> list[str]:
        """Targets of the steps that worked."""
        return [step["target"] for step in self.steps if step["ok"]]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Steps that did not work."""
        return [step for step in self.steps if not step["ok"]]
