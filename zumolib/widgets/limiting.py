"""Rate and time limits of a task, as the workers hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zumolib import control
from zumolib.control import catalog
from zumolib.errors import BrokerError
from zumolib.widgets import background, fields, times
from zumolib.widgets.fields import Form, Unfilled
from zumolib.widgets.panel import Panel
from zumolib.widgets.picker import Picker
from zumolib.widgets.preview import Preview

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Plan

HINTS = {r"is no rate": "rate", r"no worker that replies": "task"}


class Limits(Panel):
    """The panel of :func:`zumolib.widgets.limits`."""

    def __init__(self, app: Celery, *, task: str, rate: str, soft: str, hard: str, zone: str) -> None:
        kind = "time" if soft or hard else "rate"
        form = Form(
            [
                Picker("task", "Task", value=task, noun="task"),
                fields.toggle("kind", "Limit", {"rate": "rate", "time": "time"}, kind),
                fields.text("rate", "Rate in each worker", value=rate, placeholder="10/m", hint="10/s, 100/m, 5/h; 0 lifts it"),
                fields.text("soft", "Soft time limit", value=soft, placeholder="none", read=times.seconds,
                            hint="raises in the task after this: 5 min"),
                fields.text("hard", "Hard time limit", value=hard, placeholder="none", read=times.seconds,
                            hint="ends its process after this: 6 min"),
            ]
        )  # fmt: skip
        super().__init__(
            "Limit a task", form, self._plan, app=app, zone=zone, hints=HINTS,
            preview=Preview(zone=zone, without=("task",)),
        )  # fmt: skip
        self._kinds()
        background.run(self._names, self._learned, self._fail)

    def changed(self) -> None:
        """A rate and time limits are told apart."""
        self._kinds()
        super().changed()

    def _names(self) -> list[str]:
        try:
            return list(catalog.tasks(self.app))
        except BrokerError:
            return list(catalog.here(self.app))

    def _learned(self, names: list[str]) -> None:
        self.form["task"].choose(names)  # type: ignore[attr-defined]
        self.look()

    def _kinds(self) -> None:
        rate = self.form["kind"].control.value == "rate"
        self.form.show("task", "kind", *(("rate",) if rate else ("soft", "hard")))

    def _plan(self, values: dict[str, Any]) -> Plan:
        if values["kind"] == "time":
            return control.limits.times(self.app, values["task"], soft=values["soft"], hard=values["hard"])
        if not values["rate"]:
            raise Unfilled("Enter a rate; 0 lifts it.")
        return control.limits.rate(self.app, values["task"], values["rate"])
