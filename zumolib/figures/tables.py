"""Frames as tables and headline numbers as tiles, in the words of people.

Both are HTML with their few styles inline, so that they look alike in JupyterLab, where they take its
theme's colours, and in a report; without a browser they print as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from zumolib.figures import theme
from zumolib.figures.words import duration, named, number, share, short

Say = Callable[[Any], str]
COLOURED = ("queue", "state")  # columns whose values have a colour


@dataclass(frozen=True)
class Tile:
    """One headline number."""

    label: str
    value: str
    detail: str = ""
    colour: str = theme.INK  # of the edge: a queue's, a state's


@dataclass(frozen=True)
class Tiles:
    """Headline numbers side by side."""

    tiles: tuple[Tile, ...]

    def __repr__(self) -> str:
        return "\n".join(f"{t.label}: {t.value}" + (f" ({t.detail})" if t.detail else "") for t in self.tiles)

    def _repr_html_(self) -> str:
        boxes = "".join(
            f'<div class="zumo-tile" style="flex:1 1 150px;padding:10px 14px;'
            f"border-left:4px solid {t.colour};"
            'background:rgba(128,136,148,.08);border-radius:3px">'
            f'<div style="font-size:12px;opacity:.75">{escape(t.label)}</div>'
            f'<div style="font-size:26px;line-height:1.25;font-weight:600">{escape(t.value)}</div>'
            f'<div style="font-size:12px;opacity:.75">{_breakable(t.detail)}</div></div>'
            for t in self.tiles
        )
        style = f"display:flex;flex-wrap:wrap;gap:12px;font-family:{theme.FONT}"
        return f'<div class="zumo-tiles" style="{style}">{boxes}</div>'


@dataclass(frozen=True)
class Table:
    """A frame as a table; a column named queue or state carries its colour."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str]  # columns of numbers
    colours: tuple[str, ...]  # one a row, or none
    empty: str

    def __repr__(self) -> str:
        if not self.rows:
            return self.empty
        return pd.DataFrame(list(self.rows), columns=list(self.columns)).to_string(index=False)

    def _repr_html_(self) -> str:
        if not self.rows:
            return f'<p class="zumo-empty"><em>{escape(self.empty)}</em></p>'
        head = "".join(f'<th style="{self._align(c)}">{escape(c)}</th>' for c in self.columns)
        body = "".join(self._row(position, row) for position, row in enumerate(self.rows))
        return (
            '<div style="overflow-x:auto"><table class="zumo-table" style="border-collapse:collapse">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _row(self, position: int, row: tuple[str, ...]) -> str:
        dot = ""
        if self.colours:
            dot = f'<span style="color:{self.colours[position]}">●</span> '
        cells = [
            f'<td style="{self._align(column)}">{dot if column in COLOURED else ""}{_breakable(text)}</td>'
            for column, text in zip(self.columns, row, strict=True)
        ]
        return f"<tr>{''.join(cells)}</tr>"

    def _align(self, column: str) -> str:
        side = "right" if column in self.right else "left"
        wraps = side == "left" and column not in COLOURED
        return f"text-align:{side};white-space:{'normal' if wraps else 'nowrap'}"


def _breakable(text: str) -> str:
    """Text as HTML; a long name may break after its dots and underscores."""
    return escape(text).replace("_", "_<wbr>").replace(".", ".<wbr>")


def table(frame: pd.DataFrame, columns: Mapping[str, Say], *, names: Mapping[str, str], empty: str) -> Table:
    """A table of some columns of a frame.

    Parameters
    ----------
    frame
        Any frame.
    columns
        Which columns, and how each value is said.
    names
        Headings that differ from the column's name.
    empty
        What to say in place of a table without rows.
    """
    headings = tuple(names.get(column, column) for column in columns)
    rows = tuple(
        tuple(say(value) for say, value in zip(columns.values(), values, strict=True))
        for values in frame[list(columns)].itertuples(index=False, name=None)
    )
    numeric = {h for h, c in zip(headings, columns, strict=True) if pd.api.types.is_numeric_dtype(frame[c])}
    colours: Sequence[str] = ()
    if "queue" in columns:
        colours = [theme.queue_colour(queue) for queue in frame["queue"]]
    elif "state" in columns:
        colours = [theme.state_colour(state) for state in frame["state"]]
    return Table(headings, rows, frozenset(numeric), tuple(colours), empty)


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


def failures(frame: pd.DataFrame, *, top: int = 15, zone: str = "UTC") -> Table:
    """What failed, most frequent first."""
    columns: dict[str, Say] = {
        "error": str, "name": lambda name: named(name, 60), "queue": named, "count": number,
        "last": _clock(zone), "example": lambda text: str(text)[:120],
    }  # fmt: skip
    return table(
        frame.head(top), columns, names={"last": f"last ({zone})"}, empty="No task failed in this window."
    )


def _clock(zone: str) -> Say:
    """Times of a zone, on one line."""

    def say(at: pd.Timestamp) -> str:
        return "–" if pd.isna(at) else f"{at.tz_convert(zone):%d %b %H:%M}".replace(" ", "\u00a0")

    return say


def peaks(frame: pd.DataFrame, *, zone: str = "UTC") -> Table:
    """Each queue's highest and last depth."""
    columns: dict[str, Say] = {
        "queue": str, "peak": number, "peak_at": _clock(zone), "last": number, "busy_share": share
    }  # fmt: skip
    names = {"peak_at": f"peak at ({zone})", "busy_share": "time not empty"}
    return table(frame, columns, names=names, empty="No queue depth was recorded in this window.")


def workers(frame: pd.DataFrame) -> Table:
    """Each worker, how busy it was and since when it is silent."""
    columns: dict[str, Say] = {
        "worker": str, "processed": number, "active": number, "load1": lambda load: f"{load:.1f}",
        "silent": duration, "version": str,
    }  # fmt: skip
    names = {"active": "most at once", "load1": "highest load", "silent": "silent for", "version": "celery"}
    return table(frame, columns, names=names, empty="No worker sent a heartbeat in this window.")


def coverage(facts: Mapping[str, str]) -> Table:
    """What the history holds, as :meth:`zumolib.frames.window.Window.facts` gives it."""
    return Table(("history", "value"), tuple(facts.items()), frozenset(), (), "Nothing is recorded yet.")


def load(frame: pd.DataFrame) -> Table:
    """What the schedule asks of each queue."""
    columns: dict[str, Say] = {"queue": str, "entries": number, "disabled": number, "firings": number}
    return table(frame, columns, names={}, empty="No entry is in the database: run `zumo schedule install`.")
