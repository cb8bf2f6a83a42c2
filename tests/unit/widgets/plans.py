"""A plan that does nothing but note its steps, for panels to show and apply."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
from celery import Celery

from zumolib.control import Plan
from zumolib.control.run import Run
from zumolib.errors import BrokerError
from zumolib.receipts.observation import Observation


@dataclass(frozen=True, kw_only=True, eq=False)
class Count(Plan):
    """So many steps."""

    action = "count"
    no_way_back = "what was counted stays counted"

    names: tuple[str, ...]
    breaks_at: str = ""
    done: list[str] = field(default_factory=list)

    def carry_out(self, run: Run) -> None:
        for name in self.names:
            run.heed()
            if name == self.breaks_at:
                raise BrokerError("the broker is gone; start it")
            self.done.append(name)
            run.step(name, "counted")

    def verify(self, run: Run) -> Observation:
        return Observation.of(True, "all names were counted")


def count(app: Celery, names: list[str], *, breaks_at: str = "") -> Count:
    """A plan to count these."""
    preview = pd.DataFrame({"name": pd.Series(names, dtype="str")})
    return Count(
        app=app, target="names", summary=f"count {len(names)} names", preview=preview,
        caveats=("it may miscount",), names=tuple(names), breaks_at=breaks_at,
    )  # fmt: skip
