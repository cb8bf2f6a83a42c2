"""Workers as tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from zumolib.figures.tables.table import Say, Table, table
from zumolib.figures.words import decimal, duration, named, number


def workers(frame: pd.DataFrame) -> Table:
    """Each worker, how busy it was and since when it is silent."""
    columns: dict[str, Say] = {
        "worker": named, "processed": number, "active": _count, "load1": _load, "clock_offset": duration,
        "silent": duration, "version": named,
    }  # fmt: skip
    names = {
        "active": "most at once", "load1": "highest load", "silent": "silent for", "version": "celery",
        "clock_offset": "clock off by",
    }  # fmt: skip
    return table(frame, columns, names=names, empty="No worker sent a heartbeat in this window.")


def answers(frame: pd.DataFrame, *, note: str = "") -> Table:
    """What each worker said of itself just now."""
    columns: dict[str, Say] = {
        "worker": named, "pool": _text, "processes": _count, "autoscale": _text, "prefetch": _count,
        "active": _count, "reserved": _count, "scheduled": _count, "processed": _count, "memory": _memory,
        "uptime": duration, "queues": lambda names: ", ".join(names) if isinstance(names, tuple) else "–",
    }  # fmt: skip
    return table(
        frame,
        columns,
        names={"processed": "tasks since start", "uptime": "up for"},
        empty="No worker answered: start one with `zumo up`, or look at Control room for the broker's state.",
        note=note,
    )


def _count(value: Any) -> str:
    return "–" if pd.isna(value) else number(float(value))


def _text(value: Any) -> str:
    return "–" if pd.isna(value) else str(value)


def _load(value: float) -> str:
    return "–" if pd.isna(value) else decimal(value)


def _memory(value: float) -> str:
    return "–" if pd.isna(value) else f"{number(value / 1e6)} MB"
