"""The last actions: who did what, when and why, what came of it; and taking one back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w
import pandas as pd

from zumolib import control
from zumolib.errors import ZumoError
from zumolib.receipts import book
from zumolib.widgets import background, fields, markup
from zumolib.widgets.fields import Empty, Form, Unfilled
from zumolib.widgets.grid import Rows
from zumolib.widgets.outcome import page
from zumolib.widgets.panel import WATCHING, Panel
from zumolib.widgets.preview import Preview
from zumolib.widgets.style import classed

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Plan, Receipt

ALL = "all"
ACTIONS = (
    "call", "revoke", "retry", "reschedule", "enable", "disable", "run now", "pause", "resume", "purge",
    "rate limit", "time limit", "grow", "shrink", "autoscale", "recycle", "shutdown", "start",
    "expire results", "delete results", "by hand",
)  # fmt: skip
IN_RECEIPT = ("outcome", "undo", "affected_count")  # columns that the receipt itself shows
EMPTY = "No action is on record that matches. What is done here, or by the zumo command, leaves a receipt."


class Receipts(Panel):
    """The panel of :func:`zumolib.widgets.receipts`."""

    def __init__(self, app: Celery, *, action: str, target: str, limit: int, zone: str) -> None:
        self._limit = limit
        self._show_rows: Any = None
        form = Form(
            [
                fields.choice("kind", "Action", {ALL: ""} | {known: known for known in ACTIONS}, action),
                fields.text("target", "Target contains", value=target, placeholder="anything"),
            ]
        )
        super().__init__("Actions", form, self._plan, app=app, zone=zone, preview=Preview(zone=zone))
        self._rows = Rows("id", self.changed, zone=zone, empty=EMPTY, without=IN_RECEIPT, several=False)
        self._page = w.HTML()
        again = classed(w.Button(description="Look again", icon="refresh"), "small")
        again.on_click(lambda _: self.look())
        self.extra.children = (self._rows.box, self._page, again)
        self.acting.layout.display = "none"  # until there is something to take back
        WATCHING.add(self)

    def look(self) -> None:
        """Show the receipts, and plan to take back the one that is chosen."""
        self._show_rows = background.from_thread(self._found)
        super().look()

    def values(self) -> dict[str, Any] | None:
        """The filters, with the receipt that is chosen now."""
        values = super().values()
        return None if values is None else values | {"chosen": self._rows.chosen, "asked": self._asked}

    def static(self) -> tuple[str, str]:
        """The table alone."""
        try:
            found = self._latest(self.form.read() or {"kind": "", "target": ""})
        except ZumoError as error:
            html, text = markup.element("hint", error, limit=1_000), markup.plain(error, 1_000)
        else:
            table = markup.static(found, empty=EMPTY, zone=self.zone)
            html, text = table._repr_html_(), repr(table)
        return markup.element("title", self.title, tag="h4") + html, f"{self.title}\n{text}"

    def _latest(self, values: dict[str, Any]) -> pd.DataFrame:
        return book.latest(limit=self._limit, action=values["kind"], target=values["target"])

    def _found(self, asked: int, frame: pd.DataFrame, chosen: Receipt | None) -> None:
        if asked != self._asked:
            return  # another one is chosen by now
        self._rows.show(frame)
        self._page.value = self._written(chosen)
        self.acting.layout.display = "none" if chosen is None else None

    def _plan(self, values: dict[str, Any]) -> Plan:
        found = self._latest(values)
        listed = set(found["id"].astype(str))
        one = self._one(values | {"chosen": [pk for pk in values["chosen"] if pk in listed]})
        self._show_rows(values["asked"], found, one)
        if one is None:
            if found.empty:
                raise Empty(EMPTY)
            raise Unfilled("Choose one by a click to read it, and to take it back.")
        if one.undo is None or one.undone_by is not None:
            raise Unfilled(f"Receipt {one.id}: {one.how_to_undo}.")
        return control.undoing.plan(self.app, one.id)

    def acted(self) -> None:
        """Show the newest receipts."""
        values, asked = self.values(), self._asked
        if values is None:
            return

        def look() -> tuple[pd.DataFrame, Receipt | None]:
            return self._latest(values), self._one(values)

        def found(result: tuple[pd.DataFrame, Receipt | None]) -> None:
            if asked == self._asked:  # else the filters have changed meanwhile
                self._rows.show(result[0])
                self._page.value = self._written(result[1])

        background.run(look, found, self._fail)

    def _one(self, values: dict[str, Any]) -> Receipt | None:
        """The receipt that is chosen, as it is now: another action may have taken it back."""
        return book.read(int(values["chosen"][0])) if values["chosen"] else None

    def _written(self, one: Receipt | None) -> str:
        return page(one, zone=self.zone) if one is not None else ""
