"""The deployment that a runbook works on, and what was looked at last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zumolib.checks import Scene
from zumolib.stack.plan import Plan
from zumolib.stack.supervisor import Supervisor

if TYPE_CHECKING:
    from celery import Celery


@dataclass
class Place:
    """An app and, on the embedded stack, the supervisor of its services."""

    app: Celery
    name: str  # of the app, as in `celery -A`
    plan: Plan | None = None  # of the embedded stack; None elsewhere
    supervisor: Supervisor | None = None  # None also where the embedded stack is down
    trouble: str = ""  # that was asked for last
    asked: dict[str, Any] = field(default_factory=dict)  # and how
    seen: Scene = field(init=False)  # and what was looked at
    last: Scene = field(init=False)  # the same, or what was looked at since

    def __post_init__(self) -> None:
        self.seen = self.last = self.scene()

    @property
    def kind(self) -> str:
        """What is operated on, in words."""
        if self.plan is None:
            return "a deployment of its own: services are started and stopped by you"
        return "the embedded stack" if self.supervisor else "the embedded stack, which is down"

    @property
    def workers(self) -> Sequence[str]:
        """Who replied when it was looked at last; a plan then waits for them only."""
        return self.last.fleet.replied

    def scene(self, **asked: Any) -> Scene:
        """What the checks look at, as of now."""
        services = None
        if self.plan is not None:
            told = self.supervisor.services() if self.supervisor else []
            services = {service.name: service.state for service in told}
        return Scene(self.app, services=services, **asked)
