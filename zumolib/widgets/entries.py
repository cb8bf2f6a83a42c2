"""Enable, disable or run entries of the schedule now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zumolib import control
from zumolib.errors import InputError
from zumolib.widgets import background, fields, system
from zumolib.widgets.fields import Form
from zumolib.widgets.following import Following
from zumolib.widgets.panel import Panel
from zumolib.widgets.picker import Picker
from zumolib.widgets.preview import Preview

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Plan, Receipt

ACTIONS = {"Disable": "disable", "Enable": "enable", "Run now": "run now"}


class Entry(Panel):
    """The panel of :func:`zumolib.widgets.entry`."""

    def __init__(self, app: Celery, *, entry: str, action: str, zone: str) -> None:
        form = Form(
            [
                Picker("entries", "Entries", value=entry, noun="entry", several=True,
                       hint="several: with Ctrl or Shift held"),
                fields.toggle("action", "Action", ACTIONS, action),
            ]
        )  # fmt: skip
        super().__init__(
            "Enable, disable or run entries", form, self._plan, app=app, zone=zone,
            hints={"no entry|entry ": "entries", "registered": "entries"},
            preview=Preview(zone=zone, without=("id",)), applied=self._follow,
        )  # fmt: skip
        self._following = Following(app, zone=zone)
        self.below.children = (self._following.box,)
        background.run(system.entries, self._learned, self._fail)

    def _learned(self, names: list[str]) -> None:
        self.form["entries"].choose(names)  # type: ignore[attr-defined]
        self.look()

    def _plan(self, values: dict[str, Any]) -> Plan:
        names = values["entries"]
        if values["action"] != "run now":
            return control.switch.plan(self.app, names, on=values["action"] == "enable")
        if len(names) > 1:
            raise InputError(f"{len(names)} entries: one is run at a time; pick one")
        return control.run_now.plan(self.app, names[0])

    def _follow(self, _receipt: Receipt, plan: Plan) -> None:
        if isinstance(plan, control.call.Call):
            self._following.follow(plan.task_id)
