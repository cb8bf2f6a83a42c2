"""A panel whose action is on rows of a table: some that are chosen, or all that match the filters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.figures.words import counted
from zumolib.widgets import background, fields
from zumolib.widgets.fields import Empty, Field, Form, Unfilled
from zumolib.widgets.grid import Rows
from zumolib.widgets.panel import Panel
from zumolib.widgets.preview import Preview

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Plan

WHICH = {"rows that I choose": "chosen", "all that match": "all"}


class Choosing(Panel, ABC):
    """Filters, the rows that match them, and an action on the chosen ones or on all.

    A subclass says what matches (:meth:`matching`) and what is planned for it (:meth:`planned`); both
    run in a thread.
    """

    noun = "task"
    choosing = True  # where nobody can choose, it is all that match

    def __init__(
        self, title: str, filters: list[Field], *, app: Celery, zone: str, empty: str,
        without: tuple[str, ...] = (), **options: Any,
    ) -> None:  # fmt: skip
        self._show_rows = _nothing
        self.rows = Rows("id", self._chose, zone=zone, empty=empty, without=without)
        form = Form([*filters, fields.toggle("which", "Act on", WHICH, "chosen")])
        super().__init__(
            title,
            form,
            self._plan,
            app=app,
            zone=zone,
            preview=Preview(zone=zone, without=without),
            **options,
        )
        self.extra.children = (self.rows.box,)

    @abstractmethod
    def matching(self, values: dict[str, Any]) -> pd.DataFrame:
        """Rows that match the filters; the column ``id`` names them."""

    @abstractmethod
    def planned(self, ids: list[str], values: dict[str, Any]) -> Plan:
        """The action on these."""

    def look(self) -> None:
        """Show what matches, and plan for what is chosen of it."""
        self._show_rows = background.from_thread(self.rows.show)
        super().look()

    def static(self) -> tuple[str, str]:
        """Without a person to choose, it is all that match."""
        self.choosing = False
        return super().static()

    def _chose(self) -> None:
        if self.form["which"].control.value == "chosen":
            self.changed()

    def _plan(self, values: dict[str, Any]) -> Plan:
        found = self.matching(values)
        ids = [str(row) for row in found["id"]]
        if self.choosing:
            self._show_rows(found)
            if values["which"] == "chosen":
                ids = [row for row in self.rows.chosen if row in set(ids)]
        if found.empty:
            raise Empty(f"No {self.noun} matches.")
        if not ids:
            several = counted(len(found), self.noun)
            raise Unfilled(f"{several} found. Choose rows by a click, or act on all that match.")
        return self.planned(ids, values)


def _nothing(_frame: pd.DataFrame) -> None:
    """Rows are shown from the first look on."""
