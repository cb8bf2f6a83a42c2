"""The named statements of ``frames.sql``: asked of a history, answered as a frame.

The work is DuckDB's, over the history's files: a frame holds what it shows and nothing else. What a
caller wrote goes in as a parameter; text is put together from names of columns only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import pandas as pd
import pyarrow as pa

from zumolib.errors import InputError

if TYPE_CHECKING:
    from zumolib.frames.window import Window
    from zumolib.history import History

TEXT, COUNT, SOME, REAL = "str", "int64", "Int64", "float64"
MOMENT = "moment"  # datetime64[us] in the window's zone

GROUPS = ("name", "queue", "worker", "state", "entry")

Shown = TypeVar("Shown", pd.DataFrame, pd.Series)
Names = str | Sequence[str] | None


class Filters(TypedDict, total=False):
    """What to keep: one value of a column or several; None, like leaving it out, keeps all."""

    name: Names  # of the task
    queue: Names
    worker: Names  # node name
    state: Names  # one of celery.states
    entry: Names  # of the schedule


class Condition:
    """Filters as SQL.

    Raises
    ------
    InputError
        For a filter that the frame does not know.
    """

    def __init__(self, filters: Mapping[str, Any], known: Sequence[str] = GROUPS) -> None:
        self.values: dict[str, str] = {}
        terms = []
        for column, wanted in filters.items():
            if column not in known:
                raise InputError(f"{column}={wanted!r}: no such filter; filter by {', '.join(known)}")
            if wanted is None:
                continue
            listed = [wanted] if isinstance(wanted, str) else [str(one) for one in wanted]
            names = {f"{column}_{number}": one for number, one in enumerate(listed)}
            # A list of constants is compared with the files' statistics; a call of a function is not.
            terms.append(f"{column} IN ({', '.join(f'${n}' for n in names)})" if names else "false")
            self.values |= names
        self.sql = " AND ".join(terms) or "true"


def grouping(by: str | Sequence[str], known: Sequence[str] = GROUPS) -> tuple[str, ...]:
    """The columns to group by, if they are such.

    Raises
    ------
    InputError
        For a column that cannot be grouped by.
    """
    columns = (by,) if isinstance(by, str) else tuple(dict.fromkeys(by))
    for column in columns:
        if column not in known:
            raise InputError(f"by={column!r}: tasks group by {', '.join(known)}")
    return columns


def listed(columns: Iterable[str]) -> str:
    """The beginning of a list of columns, to be followed by others."""
    return "".join(f"{column}, " for column in columns)


def ask(
    history: History, statement: str, window: Window, parts: Mapping[str, str], values: Mapping[str, Any]
) -> pa.Table:
    """Run a statement of ``frames.sql``.

    Parameters
    ----------
    parts
        Text for its placeholders, made of names of columns.
    values
        Its parameters beside ``start`` and ``end``.
    """
    text = _statements()[statement]
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return _select(history, text, window, values)


def frame(table: pa.Table, dtypes: Mapping[str, str], zone: str) -> pd.DataFrame:
    """The table's columns of these dtypes, with times in a zone; right also where no row tells the type."""
    columns: dict[str, pd.Series] = {}
    for name, dtype in dtypes.items():
        values = table[name]
        if dtype == MOMENT:
            moments = values.cast(pa.timestamp("us", tz=zone)).to_pandas()
            columns[name] = moments.astype(f"datetime64[us, {zone}]")
        elif dtype in (COUNT, SOME):
            columns[name] = values.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get).astype(dtype)
        else:
            columns[name] = values.to_pandas().astype(dtype)
    return pd.DataFrame(columns)


def told(found: Shown, history: History, window: Window) -> Shown:
    """The same, with ``attrs`` that say where its numbers are from, how old and how complete."""
    found.attrs = window.provenance(history.coverage())
    return found


@cache
def _statements() -> dict[str, str]:
    text = Path(__file__).with_name("frames.sql").read_text()
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _select(history: History, text: str, window: Window, values: Mapping[str, Any]) -> pa.Table:
    from zumolib import queries

    sources = {"tasks": history.tasks, "depths": history.depths, "beats": history.workers}
    with queries.connect() as connection:
        for name, source in sources.items():
            if f"{{{name}}}" in text:
                kept = pa.Table.from_pandas(source(window.start, window.end), preserve_index=False)
                connection.register(f"adapted_{name}", kept)
                text = text.replace(f"{{{name}}}", f"adapted_{name}")
        used = {k: v for k, v in values.items() if f"${k}" in text}
        used |= {k: getattr(window, k) for k in ("start", "end") if f"${k}" in text}
        return connection.sql(text, params=used).to_arrow_table()
