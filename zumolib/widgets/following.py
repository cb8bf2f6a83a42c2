"""A task that was sent, followed to its result."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

import ipywidgets as w

from zumolib import control
from zumolib.control.following import Change, Followed
from zumolib.figures import theme
from zumolib.figures.words import duration
from zumolib.widgets import background, markup
from zumolib.widgets.style import classed

if TYPE_CHECKING:
    from celery import Celery

ROUND = 2.0  # seconds between looks at whether somebody has stopped following
RESULT = 4_000  # characters of a result that are shown


class Following:
    """Shows each state of a task as it comes into it, then its result or its error."""

    def __init__(self, app: Celery, *, zone: str) -> None:
        self._app, self._zone = app, zone
        self._stop = Event()
        self._changes: list[Change] = []
        self._steps, self._result = w.HTML(), w.HTML()
        self._button = classed(w.Button(description="Stop following"), "small")
        self._button.on_click(lambda _: self.stop())
        self.box = classed(w.VBox(), "following")

    def follow(self, task_id: str) -> None:
        """Follow this task, and no other any more."""
        self.stop()
        self._stop, self._changes = Event(), [Change("sent", datetime.now(UTC))]
        stopped = self._stop
        self._task_id = task_id
        self._draw()
        self._result.value = markup.element("hint", f"following task {task_id} …")
        self.box.children = (self._steps, self._result, self._button)
        noted = background.from_thread(self._note)

        def wait() -> Followed | None:
            seen = ""
            while not stopped.is_set():
                found = control.follow(self._app, task_id, timeout=ROUND)
                for change in found.changes:
                    if change.state != seen:
                        seen = change.state
                        noted(change, stopped)
                if found.ready:
                    return found
            return None

        background.run(wait, self._ended, self._failed)

    def stop(self) -> None:
        """Follow it no more; the task goes on."""
        self._stop.set()

    def _note(self, change: Change, of: Event) -> None:
        if of is self._stop and change.state != "PENDING":
            self._changes.append(change)
            self._draw()

    def _ended(self, found: Followed | None) -> None:
        self.box.children = (self._steps, self._result)
        if found is None:
            self._result.value = markup.element(
                "hint", f"not followed any more; task {self._task_id} goes on"
            )
            return
        if found.id != self._task_id:
            return
        kind = "problem" if found.state == "FAILURE" else "result"
        said = found.text or ("no result" if found.state == "SUCCESS" else "it does not run")
        more = markup.element("result", found.traceback, limit=RESULT, tag="pre") if found.traceback else ""
        self._result.value = markup.element(kind, said, limit=RESULT) + more

    def _failed(self, error: Exception) -> None:
        self._result.value = markup.element("problem", markup.reason(error), limit=1_000)
        self.box.children = (self._steps, self._result)

    def _draw(self) -> None:
        chips = []
        for before, change in zip([None, *self._changes], self._changes, strict=False):
            colour = theme.state_colour(change.state)
            later = f" after {duration((change.at - before.at).total_seconds())}" if before else ""
            chips.append(
                f'<span class="zumo-state" data-state="{markup.html(change.state)}" style="--colour:{colour}">'
                f"{markup.html(change.state)}{later}</span>"
            )
        self._steps.value = f'<div class="zumo-steps">{" → ".join(chips)}</div>'
