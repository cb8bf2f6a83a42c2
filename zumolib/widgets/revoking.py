"""Revoke tasks, one or many, and end those that run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import pandas as pd

from zumolib import control
from zumolib.control import revoke
from zumolib.widgets import fields, system, times
from zumolib.widgets.choosing import Choosing
from zumolib.widgets.style import classed

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Plan
    from zumolib.inspection.fleet import Fleet

ALL = "all"
FRESH = 15.0  # seconds for which one look at the workers serves
SIGNALS = {
    "TERM: ends at once": "TERM",
    "KILL: where TERM did nothing": "KILL",
    "USR1: as its soft time limit": "USR1",
}
HINTS = {r"^older": "older", r"^signal": "signal"}


class Revoke(Choosing):
    """The panel of :func:`zumolib.widgets.revoke`."""

    def __init__(
        self, app: Celery, *, name: str, queue: str, state: str, older: str, terminate: bool, zone: str
    ) -> None:
        self._seen: Fleet | None = None
        self._seen_at = 0.0
        states = {ALL: None} | {known: known for known in revoke.STATES}
        queues = {ALL: None} | {known: known for known in app.amqp.queues}
        super().__init__(
            "Revoke tasks",
            [
                fields.text("name", "Name", value=name, placeholder="all", hint="* stands for anything"),
                fields.choice("queue", "Queue", queues, queue or None),
                fields.choice("state", "State", states, state or None),
                fields.text("older", "Running for longer than", value=older, placeholder="any time",
                            read=times.seconds, hint="like 10 min; only what runs has an age"),
                fields.text("args", "Arguments contain", placeholder="anything"),
                fields.switch("terminate", "Terminate what runs already", value=terminate),
                fields.choice("signal", "By signal", SIGNALS, "TERM"),
            ],
            app=app, zone=zone, hints=HINTS, without=("eta", "pid", "since"),  # its age says since when
            empty="No worker runs or holds a task, and no readable queue has one, that matches.",
        )  # fmt: skip
        self._again = classed(w.Button(description="Look again", icon="refresh"), "small")
        self._again.on_click(lambda _: self._look_again())
        self._note = w.HTML()
        self._signals()
        self.extra.children = (*self.extra.children, classed(w.HBox([self._again, self._note]), "again"))

    def changed(self) -> None:
        """A signal is asked for where one would be sent."""
        self._signals()
        super().changed()

    def _signals(self) -> None:
        wanted = self.form["terminate"].control.value
        self.form.show(*(name for name in self.form.fields if wanted or name != "signal"))

    def matching(self, values: dict[str, Any]) -> pd.DataFrame:
        """What workers and readable queues have, what runs longest first."""
        if self._seen is None or time.monotonic() - self._seen_at > FRESH:
            self._seen, self._seen_at = system.look(self.app), time.monotonic()
        name = values["name"]
        plan = control.revoke.plan(
            self.app, name=name if {"*", "?"} & set(name) else f"*{name}*", queue=values["queue"],
            state=values["state"], older=values["older"], args=values["args"] or None, seen=self._seen,
        )  # fmt: skip
        return plan.preview.sort_values("age", ascending=False, na_position="last", ignore_index=True)

    def planned(self, ids: list[str], values: dict[str, Any]) -> Plan:
        """A revoke of these, told to all workers."""
        return control.revoke.plan(
            self.app, ids, terminate=values["terminate"], signal=values.get("signal", "TERM"), seen=self._seen
        )

    def forget(self) -> None:
        """What workers and queues have is asked for again."""
        self._seen = None

    def _look_again(self) -> None:
        self.forget()
        self.look()

    def _done(self, receipt: Any, plan: Plan) -> None:
        self._seen = None
        super()._done(receipt, plan)
