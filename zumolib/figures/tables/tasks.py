"""Tasks as tables, and as tiles."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from zumolib.figures import theme
from zumolib.figures.tables.table import Say, Table, Tile, Tiles, clock, table
from zumolib.figures.words import decimal, duration, named, number, share, short, shown, times


def headline(numbers: pd.Series) -> Tiles:
    """Tiles of :func:`zumolib.frames.tasks.headline`."""
    ended = numbers["succeeded"] + numbers["failed"] + numbers["revoked"]
    failed = share(numbers["failed"] / ended) if ended else "–"
    slowest = (
        short(str(numbers["slowest"]).rsplit(".", 1)[-1], 30) if numbers["slowest"] else "nothing waited"
    )
    return Tiles(
        (
            Tile("Tasks", number(numbers["tasks"]), f"{number(numbers['succeeded'])} succeeded",
                 theme.state_colour("SUCCESS")),
            Tile("Failed", number(numbers["failed"]), f"{failed} of those that ended",
                 theme.state_colour("FAILURE")),
            Tile("Retried", number(numbers["retried"]), "sent again at least once",
                 theme.state_colour("RETRY")),
            Tile("Queue wait, p95", duration(numbers["queue_wait_p95"]), "sent or due, until started",
                 theme.state_colour("RECEIVED")),
            Tile("Slowest queue wait", duration(numbers["queue_wait_max"]), slowest,
                 theme.queue_colour(numbers["slowest_queue"]) if numbers["slowest"] else theme.INK),
        )
    )  # fmt: skip


def latency(frame: pd.DataFrame, *, by: str = "name", top: int = 15) -> Table:
    """The numbers behind the latency picture."""
    columns: dict[str, Say] = {by: lambda name: named(name, 60)}
    if "queue" in frame:
        columns["queue"] = named
    columns |= {"count": number, "failures": number}
    columns |= {f"{m}_{q}": duration for m in ("queue_wait", "run_time") for q in ("p50", "p95", "max")}
    names = {
        column: column.replace("queue_wait_", "wait ").replace("run_time_", "run ") for column in columns
    }
    return table(frame.head(top), columns, names=names | {by: by}, empty="No task ran in this window.")


def by_worker(frame: pd.DataFrame, *, top: int = 20) -> Table:
    """Which tasks each worker ran, the most frequent first."""
    columns: dict[str, Say] = {
        "worker": named, "queue": named, "name": lambda name: named(name, 60), "count": number,
        "failures": number, "run_time_p50": duration, "run_time_p95": duration,
    }  # fmt: skip
    names = {"name": "task", "run_time_p50": "run p50", "run_time_p95": "run p95", "count": "runs"}
    ordered = frame.sort_values(["count", "worker"], ascending=[False, True])
    return table(ordered.head(top), columns, names=names, empty="No task ran in this window.")


def failures(frame: pd.DataFrame, *, top: int = 15, zone: str = "UTC") -> Table:
    """What failed, most frequent first."""
    columns: dict[str, Say] = {
        "error": named, "name": lambda name: named(name, 60), "queue": named, "count": number,
        "last": clock(zone), "example": lambda text: shown(text, 120),
    }  # fmt: skip
    return table(
        frame.head(top), columns, names={"last": f"last ({zone})"}, empty="No task failed in this window."
    )


def failed(frame: pd.DataFrame, *, zone: str = "UTC") -> Table:
    """Single runs that failed, the last one first."""
    columns: dict[str, Say] = {
        "finished": clock(zone), "name": lambda name: named(name, 60), "queue": named, "worker": named,
        "retries": _count, "exception": lambda text: shown(text, 120),
    }  # fmt: skip
    names = {"finished": f"failed ({zone})", "name": "task"}
    return table(frame, columns, names=names, empty="No task failed in this window.")


def slowest(frame: pd.DataFrame, *, zone: str = "UTC") -> Table:
    """Single runs that took longest."""
    columns: dict[str, Say] = {
        "name": lambda name: named(name, 60), "queue": named, "started": clock(zone),
        "queue_wait": duration, "run_time": duration, "state": str, "worker": named, "retries": _count,
        "args": lambda text: "" if text in ("()", "[]") or pd.isna(text) else shown(text, 60),
    }  # fmt: skip
    names = {"name": "task", "started": f"started ({zone})", "queue_wait": "waited", "run_time": "ran",
             "args": "arguments"}  # fmt: skip
    return table(frame, columns, names=names, empty="No task ran in this window.")


def changes(frame: pd.DataFrame, *, by: str = "name", top: int = 10) -> Table:
    """Medians now and before."""
    columns: dict[str, Say] = {by: lambda name: named(name, 60)}
    if "queue" in frame:
        columns["queue"] = named
    columns |= {
        "count": number, "p50_before": duration, "p50": duration, "p95_before": duration, "p95": duration,
        "times": lambda value: f"{times(value)}×",
    }  # fmt: skip
    names = {
        "p50_before": "p50 before", "p50": "p50 now", "p95_before": "p95 before", "p95": "p95 now",
        "times": "p50 grew to", "count": "runs now",
    }  # fmt: skip
    empty = "Nothing ran at least 5 times both now and then: choose a longer window, or come back later."
    return table(frame.head(top), columns, names=names, empty=empty)


def objectives(frame: pd.DataFrame) -> Table:
    """What was promised, what was kept, and what may still be late."""
    columns: dict[str, Say] = {
        "queue": named, "within": duration, "target": share, "count": number, "share": share, "late": number,
        "allowed": decimal, "budget": _budget,
    }  # fmt: skip
    names = {
        "within": "start within", "target": "wanted", "count": "tasks", "share": "kept", "late": "late",
        "allowed": "may be late", "budget": "budget left",
    }  # fmt: skip
    return table(frame, columns, names=names, empty="No queue has an objective.")


@dataclass(frozen=True)
class Failure:
    """One failed run with its traceback, all of it as text."""

    facts: tuple[tuple[str, str], ...]
    traceback: str

    def __repr__(self) -> str:
        return "\n".join([*(f"{name}: {text}" for name, text in self.facts), "", self.traceback])

    def _repr_html_(self) -> str:
        facts = "".join(
            f'<tr><td style="text-align:left;opacity:.75">{escape(name)}</td>'
            f'<td style="text-align:left">{escape(text)}</td></tr>'
            for name, text in self.facts
        )
        return (
            f'<table class="zumo-table" style="border-collapse:collapse">{facts}</table>'
            '<pre style="white-space:pre-wrap;max-height:22em;overflow:auto;padding:8px 12px;'
            f'background:rgba(128,136,148,.10);border-radius:3px">{escape(self.traceback)}</pre>'
        )


def one_failure(frame: pd.DataFrame, *, zone: str = "UTC") -> Failure | Table:
    """The first of some failed runs, in full."""
    if frame.empty:
        return failed(frame, zone=zone)
    one = frame.iloc[0]
    facts = {
        "task": named(one["name"], 120), "queue": named(one["queue"]), "worker": named(one["worker"]),
        f"failed ({zone})": clock(zone)(one["finished"]), "attempts before": _count(one["retries"]),
        "arguments": " ".join(shown(one[c], 200) for c in ("args", "kwargs") if not pd.isna(one[c])),
        "exception": shown(one["exception"], 400),
    }  # fmt: skip
    text = "No traceback was recorded." if pd.isna(one["traceback"]) else shown(one["traceback"], 6_000)
    return Failure(tuple(facts.items()), text)


def _budget(value: float) -> str:
    if pd.isna(value):
        return "–"
    return share(value) if value >= 0 else f"overspent {number(1 - value)}×" if value < -1 else "overspent"


def _count(value: Any) -> str:
    return "–" if pd.isna(value) else number(float(value))
