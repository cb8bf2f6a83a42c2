"""The widgets' one stylesheet; its colours are JupyterLab's, so that both themes are followed."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import ipywidgets as w


@cache
def css() -> str:
    """The text of the stylesheet."""
    return files("zumolib.widgets").joinpath("style.css").read_text()


def sheet() -> w.HTML:
    """A widget that brings the stylesheet along, and shows nothing."""
    return w.HTML(f"<style>{css()}</style>", layout=w.Layout(display="none"))


def classed(widget: Any, *names: str) -> Any:
    """The widget, with classes of the stylesheet."""
    for name in names:
        widget.add_class(f"zumo-{name}")
    return widget
