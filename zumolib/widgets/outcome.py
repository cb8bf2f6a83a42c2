"""What came of an action: its receipt, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as w
import pandas as pd

from zumolib import control
from zumolib.errors import ControlError
from zumolib.receipts.observation import NOT_VERIFIED, VERIFIED
from zumolib.widgets import background, markup
from zumolib.widgets.style import classed

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Receipt

# What a receipt's state and verdict come to, at a glance: only what was done and seen is a success.
SIGNS = {"done": "?", "partly": "◐", "cancelled": "■", "failed": "✗", "started": "…"}
KINDS = {"done": "fair", "partly": "fair", "cancelled": "fair", "failed": "bad", "started": "fair"}
SEEN = {VERIFIED: ("✓", "good"), NOT_VERIFIED: ("!", "bad")}
MOST_STEPS = 20


class Outcome:
    """The receipt of the last action, with a button that takes it back.

    Parameters
    ----------
    undone
        Called after the action was taken back.
    """

    def __init__(self, app: Celery, *, zone: str, undone: Callable[[], None]) -> None:
        self.box = classed(w.VBox(), "outcome")
        self._app, self._zone, self._undone = app, zone, undone
        self._undo = classed(w.Button(description="Undo", icon="undo"), "undo")
        self._undo.on_click(lambda _: self._take_back())
        self._receipt: Receipt | None = None
        self._trouble = w.HTML()

    def show(self, receipt: Receipt) -> None:
        """Show this one."""
        self._receipt = receipt
        self._trouble.value = ""
        parts: list[w.Widget] = [w.HTML(page(receipt, zone=self._zone))]
        if receipt.undo is not None and receipt.undone_by is None:
            self._undo.disabled = False
            parts.append(self._undo)
        self.box.children = (*parts, self._trouble)

    def clear(self) -> None:
        """Show none."""
        self._receipt, self.box.children = None, ()

    def _take_back(self) -> None:
        if self._receipt is None:
            return
        pk = self._receipt.id
        self._undo.disabled = True
        self._trouble.value = markup.element("hint", "Undoing …")
        background.run(lambda: control.undo(self._app, pk), self._taken_back, self._not_taken_back)

    def _taken_back(self, receipt: Receipt) -> None:
        self.show(receipt)
        self._undone()

    def _not_taken_back(self, error: Exception) -> None:
        self._undo.disabled = isinstance(error, ControlError)
        self._trouble.value = markup.element("problem", f"not undone: {markup.reason(error)}", limit=1_000)


def page(receipt: Receipt, *, zone: str) -> str:
    """A receipt as HTML: outcome first, then who, when, why, and what it cannot guarantee."""
    took = receipt.finished_at - receipt.started_at if receipt.finished_at else None
    facts = {
        "who": receipt.actor,
        "when": markup.said(pd.Timestamp(receipt.started_at), zone=zone) + f" {zone}"
        + (f", took {took.total_seconds():.1f} s" if took else ""),
        "why": receipt.reason or "no reason was given",
        "checked": str(receipt.checked),
        "undo": receipt.how_to_undo,
    }  # fmt: skip
    sign, kind = SIGNS[receipt.state], KINDS[receipt.state]
    if receipt.state == "done":
        sign, kind = SEEN.get(receipt.checked.verdict, (sign, kind))
    rows = "".join(
        f"<dt>{markup.html(name)}</dt><dd>{markup.html(text)}</dd>" for name, text in facts.items()
    )
    failed = [step for step in receipt.steps if not step["ok"]][:MOST_STEPS]
    steps = "".join(f"<li>{markup.html(s['target'])}: {markup.html(s['outcome'])}</li>" for s in failed)
    return (
        f'<div class="zumo-receipt zumo-{kind}" data-receipt="{receipt.id}">'
        f'<div class="zumo-verdict">{sign} {markup.html(markup.sentence(receipt.summary, receipt.target), 500)}: '
        f"{markup.html(receipt.outcome, 500)}</div>"
        f'<div class="zumo-number">receipt {receipt.id}</div>'
        f"<dl>{rows}</dl>" + (f"<ul>{steps}</ul>" if steps else "") + "</div>"
    )
