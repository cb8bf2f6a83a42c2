"""Reschedule an entry: another crontab or interval, with what that does to its day."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

import ipywidgets as w
import pandas as pd
import plotly.graph_objects as go

from zumolib import control
from zumolib.conf import conf
from zumolib.control import entry as rows
from zumolib.control.reschedule import Reschedule as Rescheduling
from zumolib.errors import InputError
from zumolib.figures import schedule as draw
from zumolib.figures.words import counted, number
from zumolib.frames import schedule
from zumolib.frames.window import Window
from zumolib.schedule import faults
from zumolib.schedule.when import When
from zumolib.widgets import background, fields, markup, system, times
from zumolib.widgets.fields import Form, Unfilled
from zumolib.widgets.panel import Panel
from zumolib.widgets.picker import Picker
from zumolib.widgets.preview import Preview
from zumolib.widgets.style import classed

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Plan

HINTS = {
    r"crontab|fields|never due|is no cron": "cron",
    r"^every|interval": "every",
    r"no time zone": "timezone",
    r"no entry": "entry",
}


class Reschedule(Panel):
    """The panel of :func:`zumolib.widgets.reschedule`."""

    looking = "Working out its next firings, and the day before and after …"

    def __init__(self, app: Celery, *, entry: str, cron: str, every: str, zone: str) -> None:
        form = Form(
            [
                Picker("entry", "Entry", value=entry, noun="entry"),
                fields.toggle("kind", "Fires", {"by crontab": "cron", "at an interval": "every"},
                              "every" if every else "cron"),
                fields.text("cron", "Crontab", value=cron, placeholder="30 2 * * *", read=_cron,
                            hint="minute hour day-of-month month day-of-week; Celery wants both days to match"),
                fields.text("timezone", "Its time zone", placeholder="as it is", read=_zone,
                            hint="whose wall clock it follows, like Europe/Paris"),
                fields.text("every", "Every", value=every, placeholder="30 s", read=_every,
                            hint="30 s, 15 min, 2 h"),
            ]
        )  # fmt: skip
        super().__init__(
            "Reschedule an entry", form, self._plan, app=app, zone=zone, hints=HINTS,
            preview=_Times(app, zone=zone),
        )  # fmt: skip
        self._kinds()
        background.run(system.entries, self._learned, self._fail)

    def changed(self) -> None:
        """Crontab and interval exclude each other."""
        self._kinds()
        super().changed()

    def _learned(self, names: list[str]) -> None:
        self.form["entry"].choose(names)  # type: ignore[attr-defined]
        self.look()

    def _kinds(self) -> None:
        cron = self.form["kind"].control.value == "cron"
        self.form.show("entry", "kind", *(("cron", "timezone") if cron else ("every",)))

    def _plan(self, values: dict[str, Any]) -> Plan:
        cron, every = values.get("cron"), values.get("every")
        if cron is None and every is None:
            row = rows.find(values["entry"])
            wrong = "; ".join(faults.find(row, self.app))
            why = f" Beat leaves it out: {wrong}." if wrong else ""
            raise Unfilled(f"Now: {When.of(row).text}.{why} Enter its new times.")
        return control.reschedule.plan(
            self.app, values["entry"], cron=cron, every=every, timezone=values.get("timezone"), zone=self.zone,
            now=conf().now(),
        )  # fmt: skip


class _Times(Preview):
    """The next firings and the density of the day, before and after."""

    def __init__(self, app: Celery, *, zone: str) -> None:
        super().__init__(zone=zone, without=("task", "queue", "enabled"))
        self._app = app

    def more(self, plan: Plan) -> list[w.Widget]:
        if not isinstance(plan, Rescheduling) or plan.preview.empty:
            return []
        tables = [w.HTML(part) for part in self._tables(plan)]
        return [classed(w.Box(tables), "pair"), classed(w.Box(self._days(plan)), "pair")]

    def more_static(self, plan: Plan) -> tuple[str, str]:
        if not isinstance(plan, Rescheduling) or plan.preview.empty:
            return "", ""
        both = zip(("before", "after"), (plan.firings_before, plan.firings), strict=True)
        text = "\n".join(f"{when}: {'; '.join(frame['local'].head(3))}" for when, frame in both)
        return "".join(self._tables(plan)), text

    def _tables(self, plan: Rescheduling) -> list[str]:
        return [
            markup.element("section", f"Next {len(frame)} firings {when}, {self.zone}")
            + markup.static(
                frame, empty="It does not fire.", without=("at",) if frame["note"].any() else ("at", "note")
            )._repr_html_()
            for when, frame in (("as it is", plan.firings_before), ("afterwards", plan.firings))
        ]

    def _days(self, plan: Rescheduling) -> list[w.Widget]:
        both = firings(self._app, plan, zone=self.zone)
        hours = [schedule.by_hour(frame, zone=self.zone) for frame in both]
        top = max(frame.groupby("hour")["count"].sum().max() for frame in hours) * 1.12
        made = []
        for when, frame, hour in zip(("As it is", "Afterwards"), both, hours, strict=True):
            figure = draw.day(
                hour, zone=self.zone, note=f"the schedule of the next 24 hours; {company(frame, plan)}"
            )
            # Beside each other the figures are too narrow for the count above each bar.
            figure.data = [trace for trace in figure.data if trace.type == "bar"]
            total = hour.groupby("hour")["count"].sum()
            figure.update_layout(
                title_text=f"<b>{when}: at most {number(total.max())} firings in an hour</b>", height=360
            )
            made.append(drawn(figure.update_yaxes(range=[0, top])))
        return made


def drawn(figure: go.Figure) -> w.Output:
    """A figure inside a panel, drawn as JupyterLab draws those of cells."""
    shown = w.Output()
    data = {"application/vnd.plotly.v1+json": json.loads(figure.to_json())}
    shown.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)
    return shown


def firings(app: Celery, plan: Rescheduling, *, zone: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Firings of the next 24 hours, as it is and after the change, as :func:`.schedule.firings` gives them."""
    now = conf().now()
    window = Window(now, now + timedelta(days=1), zone)
    entries = schedule.entries(app)
    moved = entries.copy()
    row = moved.index[moved["name"] == plan.name][0]
    spec: Any = plan.when.spec
    moved.at[row, "when"] = spec
    # Other times mend no arguments and no queue.
    moved.at[row, "problem"] = "; ".join(faults.of_message(rows.find(plan.name), app))
    return schedule.firings(entries, window), schedule.firings(moved, window)


def company(frame: pd.DataFrame, plan: Rescheduling) -> str:
    """How many other entries are due in the minute in which this one is due first."""
    minutes = frame["at"].dt.floor("min")
    own = minutes[frame["name"] == plan.name]
    if own.empty:
        return "the entry does not fire in them"
    others = frame.loc[(minutes == own.iloc[0]) & (frame["name"] != plan.name), "name"].nunique()
    return f"due with {counted(others, 'other entry', 'other entries')} in its minute"


def _cron(text: str) -> str | None:
    if not text.strip():
        return None
    When.written(cron=text)
    return text.strip()


def _every(text: str) -> float | None:
    seconds = times.seconds(text)
    if seconds is not None:
        When.written(every=seconds)
    return seconds


def _zone(text: str) -> str | None:
    if text.strip() and text.strip() not in available_timezones():
        raise InputError(f"{text!r} is no time zone; write it like UTC or Europe/Paris")
    return text.strip() or None
