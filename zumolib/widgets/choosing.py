"""A panel whose action is on rows of a table: some that are chosen, or all that match the filters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pandas as pd

from zumolib.figures.words import counted
from zumolib.widgets import background, fields, markup
from zumolib.widgets.changes import Changes
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
    takes_what_comes = False
    choosing = True  # where nobody can choose, it is all that match

    def __init__(
        self, title: str, filters: list[Field], *, app: Celery, zone: str, empty: str,
        without: tuple[str, ...] = (), **options: Any,
    ) -> None:  # fmt: skip
        self._show_rows: Callable[..., None] = _nothing
        self.rows = Rows("id", self._chose, zone=zone, empty=empty, without=without)
        typed = fields.text("typed", "Only rows with", placeholder="any text of the row")
        form = Form([*filters, typed, fields.toggle("which", "Act on", WHICH, "chosen")])
        self._without = without
        self._offered: dict[UUID, frozenset[str]] = {}  # by a plan's id: what matched when it was made
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

    def forget(self) -> None:
        """Drop what was read before, so that :meth:`matching` looks again; for those that keep something."""

    def found(self, values: dict[str, Any]) -> pd.DataFrame:
        """What matches all filters, the typed one included: what the table shows, and all that is acted on."""
        found = self.matching(values)
        words = str(values.get("typed") or "").lower().split()
        if not words or found.empty:
            return found
        texts = markup.spoken(found, zone=self.zone, without=self._without)
        texts["id"] = found["id"].astype(str)  # found by its id too where that is not shown
        lines = texts.agg(" ".join, axis=1).str.lower()
        return found[[all(word in line for word in words) for line in lines]].reset_index(drop=True)

    def values(self) -> dict[str, Any] | None:
        """The filters, with the rows that are chosen now: a table that is replaced meanwhile changes nothing."""
        values = super().values()
        return None if values is None else values | {"chosen": self.rows.chosen, "asked": self._asked}

    def current(self, plan: Plan, values: dict[str, Any]) -> tuple[Plan | None, Changes]:
        """The plan for those of its rows that still match; what came is listed, and left out."""
        self.forget()
        found = self.found(values)
        ids = found["id"].astype(str)
        matching = set(ids)
        staying = [row for row in plan.preview["id"].astype(str) if row in matching]
        now = self.planned(staying, values) if staying else None
        # What is chosen row by row is not asked for what came.
        came = found[~ids.isin(self._offered[plan.id])] if values["which"] == "all" else found.iloc[:0]
        preview = plan.preview.iloc[:0] if now is None else now.preview
        changes = Changes.between(
            plan.preview, preview, key="id", ignored=self._without, left_out=came.reset_index(drop=True)
        )
        if now is not None:
            self._offered[now.id] = self._offered[plan.id]
        if changes:
            # The table shows what the button acts on; among all that match are rows that came.
            kept = found[ids.isin(preview["id"])] if values["which"] == "all" else found
            self._show_rows(values["asked"], kept)
        return now, changes

    def look(self) -> None:
        """Show what matches, and plan for what is chosen of it."""
        self._offered.clear()
        self._show_rows = background.from_thread(self._found)
        super().look()

    def static(self) -> tuple[str, str]:
        """Without a person to choose, it is all that match."""
        self.choosing = False
        return super().static()

    def changed(self) -> None:
        """Where all rows are acted on, none stands out as chosen."""
        if self.form["which"].control.value == "all":
            self.rows.release()
        super().changed()

    def _chose(self) -> None:
        """A click on a row means that row, also where all were meant before."""
        which = self.form["which"].control
        if which.value == "chosen":
            self.changed()
        elif self.rows.chosen:
            which.value = "chosen"

    def _found(self, asked: int, frame: pd.DataFrame) -> None:
        """Show the rows of the last look; those of one before it that come late are not what is planned."""
        if asked == self._asked:
            self.rows.show(frame)

    def _plan(self, values: dict[str, Any]) -> Plan:
        found = self.found(values)
        ids = [str(row) for row in found["id"]]
        offered = frozenset(ids)
        if self.choosing:
            self._show_rows(values["asked"], found)
            if values["which"] == "chosen":
                ids = [row for row in values["chosen"] if row in offered]
        if found.empty:
            raise Empty(f"No {self.noun} matches.")
        if not ids:
            several = counted(len(found), self.noun)
            raise Unfilled(f"{several} found. Choose rows by a click, or act on all that match.")
        plan = self.planned(ids, values)
        self._offered[plan.id] = offered
        return plan


def _nothing(_asked: int, _frame: pd.DataFrame) -> None:
    """Rows are shown from the first look on."""
