"""What only a person can do: the exact command, a wait until its effect is seen, and a receipt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from zumolib.control.effect import appears
from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.errors import ZumoError
from zumolib.receipts.observation import Observation

if TYPE_CHECKING:
    from celery import Celery


@dataclass(frozen=True, kw_only=True, eq=False)
class ByHand(Plan):
    """A command for a person."""

    action = "by hand"
    no_way_back = "a person did it; what they did, only a person takes back"

    command: str
    done: Callable[[], bool] = field(repr=False)
    patience: float  # seconds

    def carry_out(self, run: Run) -> None:
        """Wait until the effect of the command is seen."""
        if not appears(self.done, self.patience):
            raise ZumoError(
                f"waited {self.patience:g} s and saw no effect; run `{self.command}`, then apply again"
            )
        run.step(self.target, "seen")

    def verify(self, run: Run) -> Observation:
        """It is still seen."""
        effect = self.done()
        return Observation.of(effect, f"the effect of the command is {'still' if effect else 'not'} seen")


def plan(app: Celery, target: str, command: str, *, done: Callable[[], bool], patience: float) -> ByHand:
    """Plan to wait for a person.

    Parameters
    ----------
    target
        What the command is for.
    command
        What the person types.
    done
        Whether its effect is seen.
    patience
        Seconds to wait for that.
    """
    return ByHand(
        app=app,
        target=target,
        summary=f"run `{command}`",
        preview=pd.DataFrame([(target, command)], columns=["what", "command"]),
        caveats=(f"it is waited for {patience:g} s",),
        asked={"command": command},
        command=command,
        done=done,
        patience=patience,
    )
