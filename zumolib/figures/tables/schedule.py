"""The schedule as tables."""

from __future__ import annotations

import pandas as pd

from zumolib.figures.tables.table import Say, Table, clock, table
from zumolib.figures.words import named, number


def load(frame: pd.DataFrame) -> Table:
    """What the schedule asks of each queue."""
    columns: dict[str, Say] = {"queue": named, "entries": number, "disabled": number, "firings": number}
    return table(frame, columns, empty="No entry is in the database: run `zumo schedule install`.")


def bad(frame: pd.DataFrame) -> Table:
    """The rows that beat can neither schedule nor send, each with what is wrong with it."""
    columns: dict[str, Say] = {
        "name": lambda name: named(name, 60), "schedule": lambda text: str(text)[:60],
        "enabled": str, "problem": str,
    }  # fmt: skip
    names = {"name": "entry", "problem": "what is wrong"}
    frame = frame.assign(enabled=["yes" if on else "no" for on in frame["enabled"]])
    return table(frame, columns, names=names, empty="None: every entry can be scheduled and sent.")


def due(frame: pd.DataFrame, *, zone: str = "UTC") -> Table:
    """Who is in the most crowded minutes."""
    columns: dict[str, Say] = {
        "at": clock(zone), "queue": named, "name": lambda name: named(name, 60),
        "task": lambda name: named(name, 60),
    }  # fmt: skip
    names = {"at": f"due ({zone})", "name": "entry"}
    return table(frame, columns, names=names, empty="Nothing is due: run `zumo schedule install`.")
