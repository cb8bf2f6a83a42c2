"""The system's own state as tables: is everything up, and what does the history hold."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from zumolib.figures import theme
from zumolib.figures.tables.table import Table, Tile, Tiles
from zumolib.figures.words import records


def health(frame: pd.DataFrame) -> Tiles:
    """A tile a component; its edge has the colour of its state, which is also written."""
    tiles = [
        Tile(
            row.component,
            row.state,
            f"{row.detail}; {row.remedy}" if row.remedy else row.detail,
            theme.HEALTH.get(row.state, theme.INK),
        )
        for row in records(frame)
    ]
    return Tiles(tuple(tiles))


def coverage(facts: Mapping[str, str]) -> Table:
    """What the history holds, as :meth:`zumolib.frames.window.Window.facts` gives it."""
    return Table(("history", "value"), tuple(facts.items()), frozenset(), {}, "Nothing is recorded yet.")
