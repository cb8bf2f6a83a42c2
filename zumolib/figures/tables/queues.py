"""Queues as tables."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from zumolib.figures.tables.table import Say, Table, clock, table
from zumolib.figures.words import counted, decimal, duration, listed, named, number, share

BACKED_UP = ("no worker takes from it", "nothing is started", "more comes than goes")


def peaks(frame: pd.DataFrame, *, zone: str = "UTC") -> Table:
    """Each queue's highest and last depth."""
    columns: dict[str, Say] = {
        "queue": named, "peak": number, "peak_at": clock(zone), "last": number, "busy_share": share
    }  # fmt: skip
    names = {"peak_at": f"peak at ({zone})", "busy_share": "time not empty"}
    return table(frame, columns, names=names, empty="No queue depth was recorded in this window.")


def backlog(frame: pd.DataFrame) -> Table:
    """Every queue now: what waits, comes and goes, and what that means."""
    columns: dict[str, Say] = {
        "queue": named, "why": str, "ready": _count, "unacked": _count, "consumers": _count,
        "rate_in": _rate, "rate_out": _rate, "oldest": duration, "drain": _drain,
    }  # fmt: skip
    names = {
        "why": "finding", "consumers": "workers", "rate_in": "in /min", "rate_out": "out /min",
        "oldest": "oldest waits", "drain": "empty in",
    }  # fmt: skip
    note = str(frame.attrs.get("note", ""))
    return table(
        frame, columns, names=names, empty="The app has no such queue.", note=note, title=_finding(frame)
    )


def contents(frame: pd.DataFrame) -> Table:
    """What waits in a queue, by task."""
    columns: dict[str, Say] = {
        "name": lambda name: named(name, 60),
        "count": number,
        "share": share,
        "first": str,
    }
    names = {"name": "task", "count": "messages", "share": "of those read", "first": "first id"}
    note = str(frame.attrs.get("note", ""))
    return table(frame, columns, names=names, empty="No message waits in this queue.", note=note)


def _finding(frame: pd.DataFrame) -> str:
    lost = str(frame.attrs.get("lost", ""))
    if lost:
        return f"Depth is not known: {lost}"
    backed = frame[frame["why"].isin(BACKED_UP)]
    if backed.empty:
        waiting = counted(float(frame["ready"].fillna(0).sum()), "message")
        if len(frame) == 1:
            return f"{named(frame['queue'].iloc[0])} is not backed up: {waiting}"
        return f"No queue is backed up; {waiting} in all" if len(frame) else ""
    first = backed.iloc[0]
    others = [named(queue) for queue in backed["queue"].iloc[1:]]
    waits = "message waits" if first["ready"] == 1 else "messages wait"
    text = f"{named(first['queue'])} is backed up: {number(first['ready'])} {waits}, and {first['why']}"
    return (
        f"{text}; so is {others[0]}"
        if len(others) == 1
        else f"{text}; so are {listed(others)}"
        if others
        else text
    )


def _count(value: Any) -> str:
    return "unknown" if pd.isna(value) else number(float(value))


def _rate(value: float) -> str:
    return decimal(value)


def _drain(value: float) -> str:
    return "never" if math.isinf(value) else "now" if value == 0 else duration(value)
