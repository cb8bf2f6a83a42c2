"""The control room: one screen that renews itself while somebody looks at it.

The browser sets the pace: a timer in the page asks, a thread of the kernel reads, and the sections that
changed are replaced in place. When the notebook is closed, or the pause button pressed, nobody asks any
more, so nothing runs on. A cell that runs elsewhere in the notebook delays nothing but the asking.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from zumolib.conf import headless
from zumolib.room import screen
from zumolib.room.reading import Reader, Reading

if TYPE_CHECKING:
    from celery import Celery
    from ipywidgets import Widget

    from zumolib.history import History

EVERY = 2.0  # seconds
PATIENCE = 5  # refreshes that nobody asked for, after which the thread ends


class ControlRoom:
    """The system on one screen: in JupyterLab live, elsewhere as it is at this moment.

    Parameters
    ----------
    app
        Any Celery app; None means the one that ``ZUMO_APP`` names.
    history
        Its recorded history; None means the one that the settings name.
    zone
        IANA name of the zone to show times in.
    every
        Seconds between two refreshes.
    live
        None: live when a person sits before the notebook.
    """

    _shown: ControlRoom | None = None  # a cell that runs again replaces its room

    def __init__(
        self,
        app: Celery | None = None,
        history: History | None = None,
        *,
        zone: str = "UTC",
        every: float = EVERY,
        live: bool | None = None,
    ) -> None:
        from zumolib.deployment import target
        from zumolib.frames.scheduled import open_history
        from zumolib.frames.window import known_zone

        self.zone = known_zone(zone)
        self.every = every
        self.live = not headless() if live is None else live
        self.reader = Reader(app or target.app(), history or open_history())
        self.refreshes = 0
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._parts: dict[str, Any] = {}
        self._box: Widget | None = None

    def read(self) -> Reading:
        """One look at everything."""
        return self.reader.read()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        reading = self.read()
        bundle: dict[str, Any] = {
            "text/plain": screen.plain(reading),
            "text/html": screen.page(reading, self.zone),
        }
        if not self.live:
            self.reader.close()
            return bundle
        if ControlRoom._shown not in (None, self):
            ControlRoom._shown.close()
        ControlRoom._shown = self
        return bundle | self.widget(reading)._repr_mimebundle_()

    def widget(self, reading: Reading) -> Widget:
        """The live form: a button, and one widget a section."""
        import ipywidgets

        from zumolib.room.timer import Timer

        if self._box is not None:
            return self._box
        made = screen.sections(reading, self.zone)
        self._parts = {name: ipywidgets.HTML(html) for name, html in made.items()}
        self._timer = Timer(every=self.every)
        self._pause = ipywidgets.ToggleButton(
            value=False,
            description="Pause",
            icon="pause",
            tooltip=f"Stop the refresh every {self.every:g} s, or go on",
            layout=ipywidgets.Layout(width="96px"),
        )
        self._pause.add_class("zumo-pause")
        self._timer.observe(self._ask, "value")
        self._pause.observe(self._pause_or_go_on, "value")
        top = ipywidgets.HBox(
            [self._pause, self._parts["foot"], self._timer], layout={"align_items": "center"}
        )
        sections = [self._parts[name] for name in screen.SECTIONS if name != "foot"]
        self._box = ipywidgets.VBox([ipywidgets.HTML(screen.style()), top, *sections])
        self._box.add_class("zumo-control-room")
        return self._box

    def close(self) -> None:
        """End the refresh and take the widgets away."""
        if self._box is not None:
            self._timer.paused = True
            for part in (*self._parts.values(), self._timer, self._pause, self._box):
                part.close()
            self._box = None

    def _pause_or_go_on(self, change: dict[str, Any]) -> None:
        paused = bool(change["new"])
        self._timer.paused = paused
        self._pause.description, self._pause.icon = ("Go on", "play") if paused else ("Pause", "pause")

    def _ask(self, _change: dict[str, Any]) -> None:
        """The page asks. Reading takes a thread: a lost broker must not hold up the kernel."""
        self._asked.set()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew, name="control-room", daemon=True)
                self._thread.start()

    def _renew(self) -> None:
        """Read and show as long as the page asks."""
        while True:
            asked = self._asked.wait(self.every * PATIENCE)
            with self._lock:
                if not asked or self._box is None:
                    self._thread = None
                    self.reader.close()
                    return
            self._asked.clear()
            self._show(self.read())

    def _show(self, reading: Reading) -> None:
        made = screen.sections(reading, self.zone)
        for name, html in made.items():
            part = self._parts[name]
            if part.value != html:
                part.value = html
        self.refreshes += 1
