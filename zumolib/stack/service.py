"""Start a service of the embedded stack, or start it anew, with a receipt like any other action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from zumolib.control.plan import Plan
from zumolib.control.run import Run
from zumolib.receipts.observation import Observation
from zumolib.stack import probes

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.stack.supervisor import Supervisor

COLUMNS = ("service", "state", "will_be")
SECONDS = 60.0  # until a service does its work


@dataclass(frozen=True, kw_only=True, eq=False)
class Start(Plan):
    """A start of one service; one that runs is ended first."""

    action = "start"
    no_way_back = (
        "the process that ran before has ended; stop the service by `zumo down` where it is not wanted"
    )

    service: str
    supervisor: Supervisor = field(repr=False)
    works: Callable[[], bool] = field(repr=False)  # whether it does its work
    prepare: Callable[[], object] | None = field(repr=False)  # what is done before
    seconds: float

    def carry_out(self, run: Run) -> None:
        """Let supervisor end and start it, and wait until it does its work."""
        if self.prepare is not None:
            self.prepare()
        self.supervisor.stop_service(self.service)
        self.supervisor.start_service(self.service)
        took = probes.wait(self.works, self.seconds)
        if took is None:
            run.step(
                self.service,
                f"does not do its work after {self.seconds:.0f} s; see `zumo logs {self.service}`",
                ok=False,
            )
        else:
            run.step(self.service, "works")

    def verify(self, run: Run) -> Observation:
        """It does its work."""
        effect = self.works()
        return Observation.of(effect, f"{self.service} {'does' if effect else 'does not do'} its work")


def plan(
    app: Celery,
    supervisor: Supervisor,
    service: str,
    *,
    works: Callable[[], bool],
    prepare: Callable[[], object] | None = None,
    seconds: float = SECONDS,
) -> Start:
    """Plan to start a service, or to start it anew.

    Parameters
    ----------
    works
        Whether it does its work, seen from outside.
    prepare
        What has to be done before that.
    seconds
        How long that may take.

    Raises
    ------
    StackError
        When there is no such service.
    """
    state = supervisor.state(service)
    verb = "start it anew" if state == "RUNNING" else "start it"
    running = ("what it runs is finished first, for 10 s at most; the rest is delivered again",)
    return Start(
        app=app,
        target=service,
        summary=f"{verb.replace('it', service)}",
        preview=pd.DataFrame([(service, state.lower(), "running")], columns=list(COLUMNS)),
        caveats=running if state == "RUNNING" and service == "worker" else (),
        asked={"service": service},
        before={"state": state},
        service=service,
        supervisor=supervisor,
        works=works,
        prepare=prepare,
        seconds=seconds,
    )
