"""Retry failed tasks from their real arguments, one or many."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import pandas as pd

from zumolib import control, parsing
from zumolib.conf import conf
from zumolib.history import History
from zumolib.widgets import fields, markup, times
from zumolib.widgets.choosing import Choosing
from zumolib.widgets.grid import grid

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Plan

ALL = "all"
COLUMNS = ("id", "name", "queue", "finished", "exception", "args", "kwargs", "retries")


class Retry(Choosing):
    """The panel of :func:`zumolib.widgets.retry`."""

    noun = "failed task"

    def __init__(self, app: Celery, *, name: str, queue: str, error: str, hours: float, zone: str) -> None:
        queues = {ALL: None} | {known: known for known in app.amqp.queues}
        super().__init__(
            "Retry failed tasks",
            [
                fields.text("name", "Name", value=name, placeholder="all", hint="* stands for anything"),
                fields.choice("queue", "Queue", queues, queue or None),
                fields.text("error", "Error contains", value=error, placeholder="anything"),
                fields.text("since", "Failed within the last", value=f"{hours:g} h", read=_span),
            ],
            app=app, zone=zone, without=("id", "new_id"),
            empty="No task failed that matches, as far as the recorded history knows.",
        )  # fmt: skip
        self.preview.more = self._refused  # type: ignore[method-assign]

    def matching(self, values: dict[str, Any]) -> pd.DataFrame:
        """Failures of the recorded history, the last first."""
        now = conf().now()
        found = History(conf().history).tasks(
            now - timedelta(seconds=values["since"]), now + timedelta(minutes=1), queue=values["queue"], state="FAILURE"
        )  # fmt: skip
        found = found.rename(columns={"task_id": "id"})[list(COLUMNS)]
        name = values["name"]
        if name:
            matching = [parsing.contains(known, name) for known in found["name"]]
            found = found[pd.Series(matching, index=found.index, dtype=bool)]  # none too, where none failed
        if values["error"]:
            found = found[
                found["exception"].fillna("").str.contains(values["error"], regex=False, case=False)
            ]
        return found.sort_values("finished", ascending=False, ignore_index=True)

    def planned(self, ids: list[str], values: dict[str, Any]) -> Plan:
        """A new run of each, with the arguments that its result keeps."""
        return control.retry.plan(self.app, ids)

    def _refused(self, plan: Plan) -> list[w.Widget]:
        """What will not be retried, and why."""
        refused = plan.refused if isinstance(plan, control.retry.Retry) else pd.DataFrame()
        if refused.empty:
            return []
        head = f"Not retried: {len(refused):,}"
        return [w.HTML(markup.element("section", head)), grid(refused, zone=self.zone, without=("id",))]


def _span(text: str) -> float:
    return times.seconds(text) or 24 * 3_600.0
