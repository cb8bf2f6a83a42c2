"""Pause, resume or purge a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zumolib import control
from zumolib.widgets import fields, system
from zumolib.widgets.fields import Form, Unfilled
from zumolib.widgets.panel import Panel
from zumolib.widgets.preview import Preview

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Plan

ACTIONS = {"Pause": "pause", "Resume": "resume", "Purge": "purge"}
HINTS = {r"no worker consumes|no queue|no pause of|none of .* replies": "queue"}


class Queue(Panel):
    """The panel of :func:`zumolib.widgets.queue`."""

    def __init__(self, app: Celery, *, queue: str, action: str, zone: str) -> None:
        queues = {"pick one": None} | {known: known for known in app.amqp.queues}
        form = Form(
            [
                fields.choice("queue", "Queue", queues, queue or None),
                fields.toggle("action", "Action", ACTIONS, action),
            ]
        )
        super().__init__(
            "Pause, resume or purge a queue", form, self._plan, app=app, zone=zone, hints=HINTS,
            preview=Preview(zone=zone, without=("queue",)),
        )  # fmt: skip

    def _plan(self, values: dict[str, Any]) -> Plan:
        queue = values["queue"]
        if queue is None:
            raise Unfilled("Pick a queue.")
        if values["action"] == "purge":
            return control.purge.plan(self.app, queue)
        module = control.pause if values["action"] == "pause" else control.resume
        return module.plan(self.app, queue, seen=system.look(self.app))
