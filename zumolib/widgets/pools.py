"""Grow, shrink, autoscale or shut down workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zumolib import control
from zumolib.errors import InputError
from zumolib.widgets import background, fields, system
from zumolib.widgets.fields import Form
from zumolib.widgets.panel import Panel
from zumolib.widgets.picker import Picker
from zumolib.widgets.preview import Preview

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Plan
    from zumolib.inspection.fleet import Fleet

ACTIONS = {"Grow": "grow", "Shrink": "shrink", "Autoscale": "autoscale", "Shut down": "shutdown"}
HINTS = {
    r"processes; shrink it": "count",
    r"are the most": "count",
    r"does not reply|cannot be resized|scale": "workers",
}


class Pool(Panel):
    """The panel of :func:`zumolib.widgets.pool`."""

    def __init__(self, app: Celery, *, worker: str, action: str, count: int, zone: str) -> None:
        form = Form(
            [
                Picker("workers", "Workers", value=worker, noun="worker", several=True,
                       hint="several: with Ctrl or Shift held"),
                fields.toggle("action", "Action", ACTIONS, action),
                fields.text("count", "Processes", value=str(count), read=_whole, hint="how many more, or fewer"),
                fields.text("least", "At least", value="1", read=_whole, hint="processes"),
                fields.text("most", "At most", value="4", read=_whole, hint="processes"),
            ]
        )  # fmt: skip
        super().__init__(
            "Resize or end workers", form, self._plan, app=app, zone=zone, hints=HINTS,
            preview=Preview(zone=zone),
        )  # fmt: skip
        self._actions()
        self._find()

    def changed(self) -> None:
        """Each action has fields of its own."""
        self._actions()
        super().changed()

    def _find(self) -> None:
        background.run(lambda: system.look(self.app), self._learned, self._fail)

    def _learned(self, fleet: Fleet) -> None:
        self.form["workers"].hint = f"{fleet.note}. Several: with Ctrl or Shift held"
        self.form["workers"].choose(list(fleet.replied))  # type: ignore[attr-defined]
        self.look()

    def _actions(self) -> None:
        action = self.form["action"].control.value
        sizes = {"autoscale": ("least", "most"), "shutdown": ()}.get(action, ("count",))
        self.form.show("workers", "action", *sizes)

    def _plan(self, values: dict[str, Any]) -> Plan:
        workers = list(values["workers"])
        match values["action"]:
            case "grow":
                return control.pool.grow(self.app, workers, values["count"])
            case "shrink":
                return control.pool.shrink(self.app, workers, values["count"])
            case "autoscale":
                return control.pool.autoscale(self.app, workers, least=values["least"], most=values["most"])
        return control.shutdown.plan(self.app, workers)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{text!r} is no whole number; write it like 2") from None
