"""The recorded history: appended by recorders, folded in the background, asked by frames."""

from __future__ import annotations

from zumolib.history.coverage import Coverage, Source
from zumolib.history.gathering import DEPTHS
from zumolib.history.shapes import DEPTH_FRAME, TASKS, WORKERS
from zumolib.history.store import History, Names

__all__ = ["DEPTHS", "DEPTH_FRAME", "TASKS", "WORKERS", "Coverage", "History", "Names", "Source"]
