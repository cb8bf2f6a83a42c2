"""Text from a running system as harmless HTML: escaped, without control characters, cut with a note."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import pandas as pd

from zumolib.conf import conf
from zumolib.errors import ZumoError
from zumolib.figures.tables import Table, table
from zumolib.figures.words import duration, number
from zumolib.masking import mask_text

LONGEST = 300  # characters of one value that are shown
ROWS = 20  # rows of a table that is not interactive
SECONDS = ("age", "run_time", "queue_wait", "uptime")
# Control characters and those that turn the direction of writing; a line break or a tab stays.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def plain(value: object, limit: int = LONGEST) -> str:
    """A value as text on which neither a terminal nor a browser acts; what is cut off is counted."""
    whole = str(value)
    text = _UNSEEN.sub(_picture, whole[:limit])
    return text if len(whole) <= limit else f"{text}… (cut, {len(whole):,} characters)"


def reason(error: BaseException) -> str:
    """What an error says, without what must not be seen; its kind as well where it is not one of ours."""
    text = str(error) if isinstance(error, ZumoError) else f"{type(error).__name__}: {error}"
    return mask_text(text, conf().ZUMO_MASKED_KEYS)


def sentence(text: str, target: str = "") -> str:
    """A text that begins with a capital, unless it begins with the name of what it is about."""
    return text if target and text.startswith(target) else text[:1].upper() + text[1:]


def html(value: object, limit: int = LONGEST) -> str:
    """The same, escaped for HTML."""
    return escape(plain(value, limit))


def element(kind: str, value: object, *, tag: str = "div", limit: int = LONGEST) -> str:
    """A text in an element of the class ``zumo-<kind>``."""
    return f'<{tag} class="zumo-{kind}">{html(value, limit)}</{tag}>'


def said(value: Any, column: str = "", zone: str = "UTC") -> str:
    """One value of a frame as people say it."""
    if isinstance(value, list | tuple):
        return plain(", ".join(map(str, value)))
    if value is None or value is pd.NaT or (not isinstance(value, str) and pd.isna(value)):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value.tz_convert(zone):%d %b %H:%M:%S}".replace(" ", "\u00a0")
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if column in SECONDS:
        return duration(float(value))
    if isinstance(value, int | float):
        return number(value)
    return plain(value)


def spoken(frame: pd.DataFrame, *, zone: str = "UTC", without: tuple[str, ...] = ()) -> pd.DataFrame:
    """A frame of texts, with the names of its columns as people say them."""
    kept = told(frame, without)
    made = {heading(c, frame, zone): [said(v, c, zone) for v in frame[c]] for c in kept}
    return pd.DataFrame(made, index=frame.index, dtype="str")


def told(frame: pd.DataFrame, without: tuple[str, ...] = ()) -> list[str]:
    """The columns that say something: neither left out nor without a value in any row."""
    return [str(c) for c in frame if c not in without and (frame.empty or not _missing(frame[c]))]


def _missing(column: pd.Series) -> bool:
    if column.isna().all():
        return True
    kinds = pd.api.types
    if kinds.is_numeric_dtype(column) or kinds.is_datetime64_any_dtype(column):
        return False
    return bool(column.map(lambda value: str(value) == "").all())


def heading(column: str, frame: pd.DataFrame, zone: str) -> str:
    """A column's name as a heading; of a time, with its zone."""
    # A table has one colour a row: beside a queue, a worker's state of a task has none.
    name = "state now" if column == "state" and "queue" in frame else column.replace("_", " ")
    return f"{name} ({zone})" if isinstance(frame[column].dtype, pd.DatetimeTZDtype) else name


def static(frame: pd.DataFrame, *, empty: str, zone: str = "UTC", without: tuple[str, ...] = ()) -> Table:
    """A frame as a table that needs no script, at most :data:`ROWS` rows of it."""
    shown = frame.head(ROWS)
    columns = {c: _sayer(c, zone) for c in told(frame, without)}
    names = {c: heading(c, frame, zone) for c in columns}
    return table(shown, columns, names=names, empty=empty)


def rest(frame: pd.DataFrame) -> str:
    """What a table of :func:`static` leaves out, as a sentence; nothing where it shows all."""
    return f"and {len(frame) - ROWS:,} more" if len(frame) > ROWS else ""


def _sayer(column: str, zone: str) -> Any:
    return lambda value: said(value, column, zone)


def _picture(found: re.Match[str]) -> str:
    """Unicode has a picture for each of the old control characters; ␛ for escape."""
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"
