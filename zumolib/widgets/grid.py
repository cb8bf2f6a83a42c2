"""Frames as tables that sort, filter and, where asked, select; without a browser, as plain tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import pandas as pd

from zumolib.conf import headless
from zumolib.widgets import markup, style
from zumolib.widgets.style import classed

HIGH = 320  # pixels, of which a longer table scrolls


def grid(
    frame: pd.DataFrame,
    *,
    zone: str = "UTC",
    empty: str = "Nothing to show.",
    without: tuple[str, ...] = (),
    select: bool = False,
    several: bool = True,
    search: bool = False,
    high: int = HIGH,
) -> w.DOMWidget:
    """A frame as a table that sorts by a click on a heading and, where asked, filters by typing.

    A table within a panel has no filter of its own, be it to choose from or a preview: what it shows is what
    the panel's filters found, and what the action takes.

    Its rows are drawn as they are scrolled to, so that 100,000 of them stay quick. Times and durations
    are shown as people say them and sorted as what they are.

    Parameters
    ----------
    select
        Rows are taken by a click, or by arrow keys and the space bar; ``selected_rows`` holds their
        positions.
    several
        More than one row can be taken.
    search
        A field that filters; only for a table on which nothing acts.
    """
    if frame.empty:
        return w.HTML(markup.element("empty", empty))
    from itables.widget import ITable

    texts = markup.spoken(frame, zone=zone, without=without)
    options: dict[str, Any] = dict(
        select={"style": "multi" if several else "single", "keys": True} if select else False,
        maxBytes=0,
        maxRows=0,
        maxColumns=0,
        showIndex=False,
        allow_html=False,
        paging=len(frame) > 12,
        deferRender=True,
        **({"scroller": True, "scrollY": f"{high}px", "scrollCollapse": True} if len(frame) > 12 else {}),
        classes="compact hover order-column zumo-rows",
        style="width:100%;margin:0",
        layout={
            "topStart": "info",
            "topEnd": "search" if search else None,
            "bottomStart": None,
            "bottomEnd": None,
        },
        language={
            "info": "_TOTAL_ found",
            "infoFiltered": "of _MAX_",
            "infoEmpty": "no rows match",
            "zeroRecords": "no rows match what was typed",
            "search": "",
            "searchPlaceholder": "type to filter",
            "select": {"rows": {"0": "", "1": "1 selected", "_": "%d selected"}},
        },
        columnDefs=[*_alignment(frame, without), *_orders(frame, without)],
        order=[],
        text_in_header_can_be_selected=False,  # a click anywhere on a heading sorts
        warn_on_undocumented_option=False,
        warn_on_unexpected_option_type=False,
    )
    return classed(ITable(_sortable(frame, texts, without), **options), "grid")


class Shown:
    """A frame that a notebook shows: interactive where somebody looks at it, plain where nobody does."""

    def __init__(self, frame: pd.DataFrame, **options: Any) -> None:
        self.frame, self.options = frame, options

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        plain = {k: v for k, v in self.options.items() if k in ("zone", "empty", "without")}
        table = markup.static(self.frame, **({"empty": "Nothing to show."} | plain))
        more = markup.rest(self.frame)
        bundle = {
            "text/html": table._repr_html_() + (markup.element("hint", more) if more else ""),
            "text/plain": repr(table) + (f"\n{more}" if more else ""),
        }
        if headless():
            return bundle
        box = classed(w.VBox([style.sheet(), grid(self.frame, search=True, **self.options)]), "panel")
        return bundle | (box._repr_mimebundle_() or {})


class Rows:
    """Rows of a frame to choose from, by an id.

    Parameters
    ----------
    key
        Column with the ids.
    changed
        Called when others are chosen.
    several
        More than one can be chosen.
    """

    def __init__(self, key: str, changed: Callable[[], None], *, zone: str, empty: str,
                 without: tuple[str, ...] = (), several: bool = True) -> None:  # fmt: skip
        self.box = w.VBox()
        self.frame = pd.DataFrame()
        self._key, self._changed = key, changed
        self._options: dict[str, Any] = {
            "zone": zone, "empty": empty, "without": without, "select": True, "several": several
        }  # fmt: skip
        self._grid: Any = None

    def show(self, frame: pd.DataFrame) -> None:
        """Show other rows; what was chosen and is still there stays chosen."""
        if frame.equals(self.frame) and self._grid is not None:
            return
        chosen = set(self.chosen)
        rows = frame.reset_index(drop=True)
        made = grid(rows, **self._options)
        if hasattr(made, "selected_rows"):
            made.selected_rows = [i for i, found in enumerate(rows[self._key].astype(str)) if found in chosen]
            made.observe(lambda _: self._changed(), "selected_rows")
        # Together, and only now: a position means a row of the table in which it was chosen.
        self.frame, self._grid = rows, made
        self.box.children = (made,)

    def release(self) -> None:
        """Choose none."""
        if self.chosen:
            self._grid.selected_rows = []

    @property
    def chosen(self) -> list[str]:
        """Ids of the rows that were taken; to be asked in the kernel's own thread, where tables are changed."""
        positions = getattr(self._grid, "selected_rows", ())
        return [str(self.frame[self._key][position]) for position in positions]


def _sortable(frame: pd.DataFrame, texts: pd.DataFrame, without: tuple[str, ...]) -> pd.DataFrame:
    """Whole numbers stay what they are; what is shown in words gets a column to sort by, that is not shown."""
    shown = markup.told(frame, without)
    made = texts.copy()
    for column, name in zip(shown, list(texts), strict=True):
        if _whole(frame[column]):
            made[name] = frame[column]
    for position in _in_words(frame, shown):
        # What is missing comes before everything that is known.
        made[f"order of {position}"] = frame[shown[position]].rank(method="dense").fillna(0).astype("int64")
    return made


def _orders(frame: pd.DataFrame, without: tuple[str, ...]) -> list[dict[str, Any]]:
    """That each column in words is sorted by its own column of :func:`_sortable`."""
    shown = markup.told(frame, without)
    found: list[dict[str, Any]] = []
    for key, position in enumerate(_in_words(frame, shown), start=len(shown)):
        # Its own position too: else its heading has no arrow.
        found.append({"targets": [position], "orderData": [key, position]})
        found.append({"targets": [key], "visible": False, "searchable": False})
    return found


def _in_words(frame: pd.DataFrame, shown: list[str]) -> list[int]:
    """Positions of the columns whose text sorts otherwise than what it says: times, durations, fractions."""
    return [
        position
        for position, column in enumerate(shown)
        if not _whole(frame[column])
        and not pd.api.types.is_bool_dtype(frame[column])
        and (
            pd.api.types.is_numeric_dtype(frame[column])
            or pd.api.types.is_datetime64_any_dtype(frame[column])
        )
    ]


def _whole(column: pd.Series) -> bool:
    return bool(pd.api.types.is_integer_dtype(column) and not column.hasnans)


def _alignment(frame: pd.DataFrame, without: tuple[str, ...]) -> list[dict[str, Any]]:
    shown = markup.told(frame, without)
    right = [i for i, c in enumerate(shown) if pd.api.types.is_numeric_dtype(frame[c])
             and not pd.api.types.is_bool_dtype(frame[c])]  # fmt: skip
    left = [i for i in range(len(shown)) if i not in right]
    found = [{"className": "dt-right", "targets": right}, {"className": "dt-left", "targets": left}]
    return [json.loads(json.dumps(part)) for part in found if part["targets"]]
