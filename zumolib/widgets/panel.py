"""One action in a notebook: fields, preview of exactly what is affected, confirm, progress, receipt."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from threading import Event
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import ipywidgets as w

from zumolib import control
from zumolib.conf import headless, permission
from zumolib.errors import ControlError, InputError, ReadOnly, ZumoError
from zumolib.receipts import book
from zumolib.widgets import background, markup, style
from zumolib.widgets.changes import Changes
from zumolib.widgets.fields import Empty, Form, Unfilled
from zumolib.widgets.outcome import Outcome
from zumolib.widgets.preview import Preview
from zumolib.widgets.style import classed

if TYPE_CHECKING:
    from celery import Celery

    from zumolib.control import Plan, Receipt

TYPING = 0.35  # seconds without a key, after which what was typed is planned
DANGEROUS = ("purge", "revoke", "shutdown", "shrink")

WATCHING: WeakSet[Panel] = WeakSet()  # panels that show what the others did
LABEL = 64  # characters on the button
HOLDS = 30.0  # seconds for which one comparison with what is there serves a press of the button
IDLE = "Nothing to do yet"  # on the button, where nothing is planned

Planner = Callable[[dict[str, Any]], "Plan"]


class Panel:
    """A form, and the action that it describes.

    Whatever changes in the form makes a new plan, in a thread; its preview is shown, and only then the
    button can be pressed. At the press the preview is held against what is there now: what left, came or
    changed since is listed, and the button has to be pressed again. What went wrong is marked beside its
    field, or said below the form.

    Parameters
    ----------
    planner
        Makes a plan of the form's values, in a thread; raises :class:`.Unfilled` with what to do next
        while there is nothing to plan yet.
    hints
        Patterns of error messages, with the name of the field that they are about.
    """

    looking = "Looking …"  # said while a plan is made
    noun = "row"  # of what is acted on, as its changes are counted
    takes_what_comes = True  # what came since a preview is part of the next one

    def __init__(
        self,
        title: str,
        form: Form,
        planner: Planner,
        *,
        app: Celery,
        zone: str = "UTC",
        hints: Mapping[str, str] | None = None,
        preview: Preview | None = None,
        applied: Callable[[Receipt, Plan], None] | None = None,
    ) -> None:
        self.title, self.form, self.app, self.zone = title, form, app, zone
        self.plan: Plan | None = None
        self.busy = False
        self._planner, self._hints, self._applied = planner, hints or {}, applied
        self._asked = 0  # counts plans, so that a late one is known as such
        self._compared_at = -math.inf  # when the plan was held against what is there, on the monotonic clock
        self._cancelled = Event()
        self._later = background.Later(self.look, TYPING)
        self.preview = preview or Preview(zone=zone)
        self.extra = w.VBox()  # below the fields: a table to choose from
        self.below = w.VBox()  # below the receipt: a task that is followed
        self._message = w.HTML()
        self._reason = w.Text(placeholder="why? it is kept in the receipt", description="Reason")
        self._confirm = w.Button(description=IDLE, disabled=True)
        self._cancel = w.Button(description="Cancel", disabled=True)
        self._progress = w.IntProgress(min=0, max=1)
        self._count = w.HTML()
        self._outcome = Outcome(self.app, zone=zone, undone=self._undone)
        self._confirm.on_click(lambda _: self.apply())
        self._cancel.on_click(lambda _: self._stop())
        form.on_change(lambda _: self.changed())
        self.box = self._build()
        self._forbidden = self._why_forbidden()

    def _build(self) -> w.VBox:
        classed(self._reason, "input", "reason")
        classed(self._confirm, "confirm")
        classed(self._cancel, "cancel")
        self._running = classed(w.HBox([self._progress, self._count]), "running")
        self._running.layout.display = "none"
        self._cancel.layout.display = "none"
        self.acting = classed(w.HBox([self._reason, self._confirm, self._cancel]), "acting")
        parts = [
            style.sheet(),
            w.HTML(markup.element("title", self.title)),
            self.form.box,
            self.extra,
            self._message,
            self.preview.box,
            self.acting,
            self._running,
            self._outcome.box,
            self.below,
        ]
        return classed(w.VBox(parts), "panel")

    def changed(self) -> None:
        """What was entered has changed: what was planned holds no more."""
        if self.busy:
            return
        self._compared_at = -math.inf
        self._forget()
        self.preview.fade()
        self._later.ask()

    def values(self) -> dict[str, Any] | None:
        """What the form says, and whatever else a plan is made of; None where a field is wrong or not filled in."""
        return self.form.read()

    def look(self) -> None:
        """Plan what the form says, and show the preview."""
        if self.busy:
            return
        self._later.forget()
        self._compared_at = -math.inf
        self._forget()
        self._asked += 1
        asked = self._asked
        values = self.values()
        if values is None:
            self._idle()
            self.preview.clear()
            self._say("hint", self.form.missing or "Correct what is marked.")
            return
        self.preview.fade()
        self._say("hint", self.looking)

        def planned(plan: Plan) -> None:
            if asked == self._asked and not self.busy:
                self._show(plan)

        def failed(error: Exception) -> None:
            if asked == self._asked and not self.busy:
                self._fail(error)

        background.run(lambda: self._planner(values), planned, failed)

    def apply(self) -> None:
        """Do what the preview shows, unless that has changed: then say in what, and ask again."""
        plan, values = self.plan, self.values()
        if plan is None or values is None or self.busy or self._confirm.disabled:
            return
        if time.monotonic() - self._compared_at < HOLDS:
            self._compared_at = -math.inf
            self._begin(plan)
        else:
            self._compare(plan, values)

    def current(self, plan: Plan, values: dict[str, Any]) -> tuple[Plan | None, Changes]:
        """What would be planned now, if anything, and how it differs from this plan; in a thread."""
        now = self._planner(values)
        return now, Changes.between(plan.preview, now.preview, ignored=self.preview.without)

    def _compare(self, plan: Plan, values: dict[str, Any]) -> None:
        self._confirm.disabled = True
        self._say("hint", "Checking that this still holds …")

        def compared(result: tuple[Plan | None, Changes]) -> None:
            if plan is not self.plan or self.busy:
                return  # the form was changed meanwhile
            now, changes = result
            self._compared_at = time.monotonic()
            if not changes:
                self._confirm.disabled = False
                self.apply()
                return
            text = changes.text(self.noun, included=self.takes_what_comes)
            if now is None or now.preview.empty:
                self._idle()
                self.preview.only(changes)
                self._say("hint", f"Nothing is left to do: {text}.")
                return
            self._show(now, changes)
            told = f"Nothing was sent: since the preview {text}. Press again for what is shown."
            self._say("changed", told)

        def failed(error: Exception) -> None:
            if plan is self.plan and not self.busy:
                self._fail(error)

        background.run(lambda: self.current(plan, values), compared, failed)

    def _begin(self, plan: Plan) -> None:
        self.busy, self.plan = True, None
        self._cancelled = Event()
        self._outcome.clear()
        self.preview.settle()
        self._confirm.disabled = True
        self._running.layout.display = None
        self._cancel.layout.display, self._cancel.disabled = None, False
        self._step(0, len(plan.preview))
        progress = background.from_thread(self._step)
        reason, cancelled = self._reason.value.strip(), self._cancelled

        def work() -> Receipt:
            return control.apply(plan, reason=reason, progress=progress, cancelled=cancelled)

        background.run(work, lambda receipt: self._done(receipt, plan), self._broke_off)

    def static(self) -> tuple[str, str]:
        """What the action would do, as HTML and as text, for where no one can press a button."""
        values = self.values()
        try:
            if values is None:
                marked = [f"{f.label}: wrong" for f in self.form.fields.values() if f.wrong]
                raise Unfilled(self.form.missing or "; ".join(marked))
            plan = self._planner(values)
        except ZumoError as error:
            why = markup.reason(error)
            html, text = markup.element("hint", why, limit=1_000), markup.plain(why, 1_000)
        else:
            html, text = self.preview.static(plan)
        note = f"Not done: {self._forbidden}" if self._forbidden else ""
        head = markup.element("title", self.title, tag="h4")
        return head + html + markup.element("note", note, limit=1_000), "\n".join((self.title, text, note))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if headless():
            html, text = self.static()
            return {"text/html": html, "text/plain": text}
        self.look()
        told = "Run this notebook in JupyterLab to see the controls."
        bundle = {"text/plain": f"{self.title}. {told}", "text/html": markup.element("hint", told)}
        return bundle | (self.box._repr_mimebundle_() or {})

    def _show(self, plan: Plan, changes: Changes | None = None) -> None:
        self.preview.show(plan, changes)
        self._say("", "")
        if plan.preview.empty:
            self._say("hint", f"Nothing to do: {plan.summary}.")
            self._idle()
            return
        self.plan = plan
        self._confirm.description = label(plan)
        self._confirm.tooltip = markup.plain(plan.summary, 1_000)
        self._confirm.button_style = "danger" if plan.action in DANGEROUS else "primary"
        self._confirm.disabled = bool(self._forbidden)
        if self._forbidden:
            self._say("readonly", f"Read-only: {self._forbidden}")

    def _forget(self) -> None:
        self.plan = None
        self._confirm.disabled = True

    def _idle(self) -> None:
        """Nothing is planned, so the button names nothing."""
        self._forget()
        self._confirm.description, self._confirm.tooltip, self._confirm.button_style = IDLE, "", ""

    def _fail(self, error: Exception) -> None:
        self._idle()
        self.preview.clear()
        if isinstance(error, Empty):
            self._say("", "")
        elif isinstance(error, Unfilled):
            self._say("hint", markup.reason(error))
        elif isinstance(error, InputError) and self.form.blame(error, self._hints):
            self._say("hint", "Correct what is marked.")
        else:
            self._say("problem", markup.reason(error))

    def _done(self, receipt: Receipt, plan: Plan) -> None:
        self._end()
        self._outcome.show(receipt)
        if self._applied is not None:
            self._applied(receipt, plan)
        for panel in list(WATCHING):
            panel.acted()

    def acted(self) -> None:
        """An action of this notebook has ended; for those that are in :data:`WATCHING`."""

    def _broke_off(self, error: Exception) -> None:
        self._end(ended="Not done")
        if not isinstance(error, ControlError) or error.receipt is None:
            self._fail(error)
            return
        pk = error.receipt
        for panel in list(WATCHING):
            panel.acted()
        background.run(lambda: book.read(pk), self._outcome.show, self._fail)

    def _end(self, ended: str = "Done") -> None:
        self.busy = False
        self._say("", "")
        self._confirm.description, self._confirm.button_style = ended, ""
        self._running.layout.display = self._cancel.layout.display = "none"

    def _undone(self) -> None:
        """What was planned on is not so any more."""
        self._forget()
        self.preview.fade()
        for panel in list(WATCHING):
            panel.acted()

    def _step(self, done: int, total: int) -> None:
        self._progress.max, self._progress.value = max(total, 1), done
        self._count.value = markup.element("count", f"{done:,} of {total:,}")

    def _stop(self) -> None:
        self._cancelled.set()
        self._cancel.disabled = True
        self._count.value = markup.element("count", "stopping after this step …")

    def _say(self, kind: str, text: str) -> None:
        self._message.value = markup.element(kind, text, limit=1_000) if text else ""

    def _why_forbidden(self) -> str:
        try:
            permission.check()
        except ReadOnly as refused:
            return str(refused)
        return ""


def label(plan: Plan) -> str:
    """What the button says: the plan's summary, shortened at its colon where it is long."""
    text = plan.summary
    if len(text) > LABEL and ": " in text:
        text = text.rpartition(": ")[0]
    text = markup.plain(text if len(text) <= LABEL else f"{text[: LABEL - 1]}…")
    return markup.sentence(text, plan.target)
