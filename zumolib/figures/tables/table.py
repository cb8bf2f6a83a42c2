"""A table and a row of tiles: what all tables of this package are made of.

Both are HTML with their few styles inline, so that they look alike in JupyterLab, where they take its
theme's colours, and in a report; without a browser they print as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from zumolib.figures import theme
from zumolib.figures.words import shown

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
        lines = [f"{t.label}: {t.value}" + (f" ({t.detail})" if t.detail else "") for t in self.tiles]
        return "\n".join(shown(line) for line in lines)

    def _repr_html_(self) -> str:
        boxes = "".join(
            f'<div class="zumo-tile" style="flex:1 1 150px;padding:10px 14px;'
            f"border-left:4px solid {t.colour};"
            'background:rgba(128,136,148,.08);border-radius:3px">'
            f'<div style="font-size:12px;opacity:.75">{escape(shown(t.label))}</div>'
            f'<div style="font-size:26px;line-height:1.25;font-weight:600">{escape(shown(t.value))}</div>'
            f'<div style="font-size:12px;opacity:.75">{_breakable(shown(t.detail))}</div></div>'
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
    colours: Mapping[str, tuple[str, ...]]  # one a row, by column
    empty: str
    note: str = ""  # source and age, below the table
    title: str = ""  # what the table shows, as a finding

    def __repr__(self) -> str:
        title = f"{self.title}\n" if self.title else ""
        if not self.rows:
            return title + self.empty
        return title + pd.DataFrame(list(self.rows), columns=list(self.columns)).to_string(index=False)

    def _repr_html_(self) -> str:
        if not self.rows:
            return f'{self._title}<p class="zumo-empty"><em>{_code(self.empty)}</em></p>{self._note}'
        head = "".join(f'<th style="{self._align(c)}">{escape(c)}</th>' for c in self.columns)
        body = "".join(self._row(position, row) for position, row in enumerate(self.rows))
        return (
            f'{self._title}<div style="overflow-x:auto"><table class="zumo-table" style="border-collapse:collapse">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{self._note}"
        )

    @property
    def _title(self) -> str:
        style = f"font-size:17px;font-weight:600;margin:8px 0 6px;font-family:{theme.FONT}"
        return f'<p class="zumo-finding" style="{style}">{escape(self.title)}</p>' if self.title else ""

    @property
    def _note(self) -> str:
        style = "font-size:12px;opacity:.75;margin:4px 0 0"
        return f'<p class="zumo-note" style="{style}">{escape(self.note)}</p>' if self.note else ""

    def _row(self, position: int, row: tuple[str, ...]) -> str:
        dots = {c: f'<span style="color:{its[position]}">●</span> ' for c, its in self.colours.items()}
        cells = [
            f'<td style="{self._align(column)}">{dots.get(column, "")}{_breakable(text)}</td>'
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


def _code(text: str) -> str:
    """Text as HTML, `commands` as code."""
    parts = escape(shown(text)).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))


def table(
    frame: pd.DataFrame,
    columns: Mapping[str, Say],
    *,
    names: Mapping[str, str] | None = None,
    empty: str,
    note: str = "",
    title: str = "",
) -> Table:
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
    note
        Source and age, shown below.
    title
        What it shows, as a finding.
    """
    names = names or {}
    headings = tuple(names.get(column, column) for column in columns)
    rows = tuple(
        tuple(shown(say(value)) for say, value in zip(columns.values(), values, strict=True))
        for values in frame[list(columns)].itertuples(index=False, name=None)
    )
    numeric = {h for h, c in zip(headings, columns, strict=True) if pd.api.types.is_numeric_dtype(frame[c])}
    if frame.empty:
        numeric = set()
    colour = {"queue": theme.queue_colour, "state": theme.state_colour}
    colours = {c: tuple(map(colour[c], frame[c])) for c in columns if c in colour}
    return Table(headings, rows, frozenset(numeric), colours, empty, note, shown(title))


def clock(zone: str) -> Say:
    """Times of a zone, on one line."""

    def say(at: pd.Timestamp) -> str:
        return "–" if pd.isna(at) else f"{at.tz_convert(zone):%d %b %H:%M}".replace(" ", "\u00a0")

    return say
