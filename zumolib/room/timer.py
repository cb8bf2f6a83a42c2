"""A timer that runs in the page: it asks only while somebody has the page open."""

from __future__ import annotations

from importlib.resources import files

import traitlets
from anywidget import AnyWidget


class Timer(AnyWidget):
    """Counts up in the page as long as it is shown there; again from when a page was loaded anew.

    ``value`` goes up by one every ``every`` seconds, unless it is ``paused``.
    """

    _esm = (files("zumolib.room") / "timer.js").read_text()

    every = traitlets.Float(2.0).tag(sync=True)
    paused = traitlets.Bool(False).tag(sync=True)
    value = traitlets.Int(0).tag(sync=True)
