"""What a plan would do: one sentence, every row that it affects, and what it cannot guarantee."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as w

from zumolib.widgets import markup
from zumolib.widgets.grid import grid
from zumolib.widgets.style import classed

if TYPE_CHECKING:
    from zumolib.control import Plan
    from zumolib.widgets.changes import Changes

SMALL = 8  # rows that are shown without a tool to sort and filter them


class Preview:
    """The preview of one plan.

    Parameters
    ----------
    without
        Columns of the plan's frame that say nothing to a person.
    rows
        Show the rows that are affected; not where they stand in a table already.
    """

    def __init__(self, *, zone: str = "UTC", without: tuple[str, ...] = (), rows: bool = True) -> None:
        self.zone, self.without, self.rows = zone, without, rows
        self.box = classed(w.VBox(), "preview")

    def show(self, plan: Plan, changes: Changes | None = None) -> None:
        """Show this plan, below what changed since the one before."""
        parts: list[w.Widget] = [_changes(changes, self.zone)] if changes else []
        parts.append(w.HTML(markup.element("summary", markup.sentence(plan.summary, plan.target), limit=500)))
        if self.rows and not plan.preview.empty:
            parts.append(self._table(plan))
        parts += self.more(plan)
        if plan.caveats and not plan.preview.empty:
            parts.append(w.HTML(_caveats(plan)))
        self.box.children = tuple(parts)
        self.box.remove_class("zumo-stale")

    def only(self, changes: Changes) -> None:
        """Show what changed, where nothing is left to do."""
        self.box.children = (_changes(changes, self.zone),)
        self.box.remove_class("zumo-stale")

    def settle(self) -> None:
        """What changed was read, and the button pressed: show the plan alone."""
        self.box.children = tuple(
            part for part in self.box.children if "zumo-changes" not in part._dom_classes
        )

    def fade(self) -> None:
        """What is shown may not hold any more; it stays until the next one, so that nothing jumps."""
        classed(self.box, "stale")

    def clear(self) -> None:
        """Show nothing."""
        self.box.children = ()

    def more(self, plan: Plan) -> list[w.Widget]:
        """What else this kind of plan has to show."""
        return []

    def static(self, plan: Plan) -> tuple[str, str]:
        """The same without any script, as HTML and as text."""
        summary = markup.sentence(plan.summary, plan.target)
        table = markup.static(
            plan.preview, empty="Nothing is affected.", zone=self.zone, without=self.without
        )
        more = markup.rest(plan.preview)
        html = (
            markup.element("summary", summary, limit=500)
            + (table._repr_html_() if self.rows else "")
            + (markup.element("hint", more) if more else "")
            + "".join(self.more_static(plan)[0])
            + (_caveats(plan) if plan.caveats else "")
        )
        texts = [markup.plain(summary, 500), repr(table), more, self.more_static(plan)[1]]
        return html, "\n".join(text for text in (*texts, *(f"- {c}" for c in plan.caveats)) if text)

    def more_static(self, plan: Plan) -> tuple[str, str]:
        """:meth:`more` as HTML and as text."""
        return "", ""

    def _table(self, plan: Plan) -> w.DOMWidget:
        if len(plan.preview) > SMALL:
            return grid(plan.preview, zone=self.zone, without=self.without)
        table = markup.static(plan.preview, empty="", zone=self.zone, without=self.without)
        return classed(w.HTML(table._repr_html_()), "small-table")


def _caveats(plan: Plan) -> str:
    lines = "".join(f"<li>{markup.html(caveat, 500)}</li>" for caveat in plan.caveats)
    return f'<ul class="zumo-caveats">{lines}</ul>'


def _changes(changes: Changes, zone: str) -> w.DOMWidget:
    table = markup.static(changes.table, empty="", zone=zone)
    more = markup.rest(changes.table)
    rest = markup.element("hint", more) if more else ""
    return classed(w.HTML(table._repr_html_() + rest), "small-table", "changes")
