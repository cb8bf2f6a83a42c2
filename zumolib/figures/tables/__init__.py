"""Frames as tables and headline numbers as tiles, in the words of people.

Both are HTML with their few styles inline, so that they look alike in JupyterLab, where they take its
theme's colours, and in a report; without a browser they print as text.
"""

from __future__ import annotations

from zumolib.figures.tables.queues import backlog, contents, peaks
from zumolib.figures.tables.schedule import bad, due, load
from zumolib.figures.tables.system import coverage, health
from zumolib.figures.tables.table import Table, Tile, Tiles, table
from zumolib.figures.tables.tasks import (
    by_worker,
    changes,
    failed,
    failures,
    headline,
    latency,
    objectives,
    one_failure,
    slowest,
)
from zumolib.figures.tables.workers import answers, workers

__all__ = [
    "Table",
    "Tile",
    "Tiles",
    "answers",
    "backlog",
    "bad",
    "by_worker",
    "changes",
    "contents",
    "coverage",
    "due",
    "failed",
    "failures",
    "headline",
    "health",
    "latency",
    "load",
    "objectives",
    "one_failure",
    "peaks",
    "slowest",
    "table",
    "workers",
]
