"""The recorded history: appended by recorders, folded in the background, asked by frames.

What it offers is loaded when it is first asked for: ``zumo status`` looks at a history's lists
(:mod:`zumolib.history.soundness`) and needs no database for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zumolib.history.coverage import Coverage, Source
    from zumolib.history.gathering import DEPTHS
    from zumolib.history.shapes import DEPTH_FRAME, TASKS, WORKERS
    from zumolib.history.store import History, Names

__all__ = ["DEPTHS", "DEPTH_FRAME", "TASKS", "WORKERS", "Coverage", "History", "Names", "Source"]

_HOMES = {
    "Coverage": "coverage", "Source": "coverage", "DEPTHS": "gathering", "DEPTH_FRAME": "shapes",
    "TASKS": "shapes", "WORKERS": "shapes", "History": "store", "Names": "store",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
