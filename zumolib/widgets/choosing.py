"""A panel whose action is on rows of a table: some that are chosen, or all that match the filters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import pandas as pd

from zumolib.figures.words import counted
from zumolib.widgets import background, fields, markup
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
        typed = fields.text("typed", "Only rows with", placeholder="any text of the row")
        form = Form([*filters, typed, fields.toggle("which", "Act on", WHICH, "chosen")])
        self._without = without
        self._compared = False  # whether the plan was held against what matches at the press of the button
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

    def apply(self) -> None:
        """Do what the preview shows, unless that has changed: then say in what, and ask again."""
        plan, values = self.plan, self.form.read()
        if plan is None or values is None or self.busy or self._confirm.disabled:
            return
        if self._compared:
            self._compared = False
            super().apply()
            return
        self._confirm.disabled = True
        self._say("hint", "Looking whether this is still so …")
        planned = [str(row) for row in plan.preview["id"]]

        def compare() -> tuple[list[str], int, Plan | None]:
            self.forget()
            now = set(self.found(values)["id"].astype(str))
            left = [row for row in planned if row in now]
            # What is chosen row by row is not asked for what came.
            came = len(now - set(planned)) if values["which"] == "all" else 0
            return left, came, self.planned(left, values) if left and len(left) < len(planned) else None

        def compared(result: tuple[list[str], int, Plan | None]) -> None:
            left, came, again = result
            if plan is not self.plan:
                return  # the form was changed meanwhile
            gone = len(planned) - len(left)
            self._compared = True
            if not gone and not came:
                self._confirm.disabled = False
                self.apply()
                return
            if again is None and gone:
                self._forget()
                self._say("hint", f"Nothing is left to do: {_changes(gone, came, self.noun)}.")
                return
            if again is not None:
                self._show(again)
            self._confirm.disabled = bool(self._forbidden)
            self._say(
                "hint", f"Since the preview {_changes(gone, came, self.noun)}. Press again for what is shown."
            )

        background.run(compare, compared, self._fail)

    def changed(self) -> None:
        """What was entered has changed, and what is planned is compared again."""
        self._compared = False
        super().changed()

    def look(self) -> None:
        """Show what matches, and plan for what is chosen of it."""
        self._compared = False
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
        found = self.found(values)
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


def _changes(gone: int, came: int, noun: str) -> str:
    """What is different now."""
    left = f"{counted(gone, noun)} left the list" if gone else ""
    new = f"{counted(came, noun)} came, which {'is' if came == 1 else 'are'} not included" if came else ""
    return " and ".join(part for part in (left, new) if part)


def _nothing(_frame: pd.DataFrame) -> None:
    """Rows are shown from the first look on."""
